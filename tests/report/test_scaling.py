from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pdesurrogate.report import plot_scaling, write_report
from pdesurrogate.report.looks import surrogate_look
from pdesurrogate.report.scaling_figure import order_in_words, scaling_panels
from pdesurrogate.report.scaling_study import ScalingStudy
from pdesurrogate.report.scaling_table import SCALING_COLUMNS, scaling_table
from tests.evaluation.mock_scaling import ORDERS, mock_scaling
from tests.report.conftest import Mock, Write


@pytest.fixture(scope="module")
def scaling() -> xr.Dataset:
    return mock_scaling()


@pytest.fixture(scope="module")
def scaling_study(scaling: xr.Dataset) -> ScalingStudy:
    return ScalingStudy.of(scaling)


def test_runs_are_methods(scaling_study: ScalingStudy) -> None:
    names = [method.name for method in scaling_study.methods]
    assert names == [
        "MultiResNet",
        "FNO",
        "MultiResNet, untrained",
        "FNO, untrained",
        "solver",
    ]
    multi, fno, untrained, _, solver = scaling_study.methods
    assert (multi.look, fno.look) == (surrogate_look(0), surrogate_look(1))
    assert untrained.look == multi.look
    assert untrained.table.sizes["run"] == 3
    assert solver.look.dash
    assert scaling_study.showing("velocity_x") == ()


def test_orders_are_the_planted_ones(scaling_study: ScalingStudy) -> None:
    for method in scaling_study.methods:
        fit = method.order("vorticity")
        assert fit is not None
        assert fit.order == pytest.approx(ORDERS[method.name.partition(",")[0]], abs=1e-4)


def test_seeds_are_one_method_and_averaged() -> None:
    scaling = mock_scaling(seeds=(0, 1))
    scaling["commutation_error"].loc[{"run": "FNO seed 1"}] *= 3.0
    study = ScalingStudy.of(scaling)
    assert [method.name for method in study.methods][:2] == ["MultiResNet", "FNO"]
    fno = study.methods[1]
    lines = fno.lines("commutation_error", "vorticity")
    np.testing.assert_allclose(fno.line("commutation_error", "vorticity"), lines.mean(axis=0))
    np.testing.assert_allclose(lines[1, :-1], 3 * lines[0, :-1], rtol=1e-6)


def test_a_ladder_of_two_has_no_order(scaling: xr.Dataset) -> None:
    short = ScalingStudy.of(scaling.sel(resolution=[32, 128]))
    assert short.methods[0].order("vorticity") is None
    assert order_in_words(None) == ""
    row = scaling_table(short, "vorticity").groups[0][1][0]
    assert row.cells[0].text == "–"


def test_the_table_tells_what_was_planted(scaling_study: ScalingStudy) -> None:
    ((_, rows),) = scaling_table(scaling_study, "vorticity").groups
    assert all(len(row.cells) == len(SCALING_COLUMNS) for row in rows)
    assert [row.is_baseline for row in rows] == [False, False, True, True, True]
    multi, solver = rows[0], rows[-1]
    assert multi.cells[0].text == "1.00"
    assert [cell.text for cell in multi.cells[5:]] == ["0.300", "0.0500"]
    ratio = float(multi.cells[2].text) / float(multi.cells[1].text)
    assert ratio == pytest.approx(5.0, rel=0.01)
    extrapolation, interpolation = (float(multi.cells[i].text) for i in (4, 3))
    assert extrapolation / interpolation == pytest.approx(7 / 4, rel=0.01)
    assert [cell.text for cell in solver.cells[3:]] == ["–"] * 4


def test_panels_show_and_tell(scaling_study: ScalingStudy) -> None:
    made = scaling_panels(scaling_study, "vorticity")
    assert [panel.title for panel in made] == [
        "Commutation error",
        "The same over the change of a step",
        "The two tasks, one step",
        "Detail made of a field without",
    ]
    assert "FNO, untrained" in made[0].alt
    assert made[3].alt.count("solver, beyond 32 0.0500 at the top") == 1
    assert "FNO 0.300 at the top" in made[3].alt
    # An ordinary panel's height and a line of the legend for each method.
    assert made[0].height > 320 + 5 * 12


def test_the_picture_is_written(scaling: xr.Dataset, tmp_path: Path) -> None:
    picture = plot_scaling(scaling, tmp_path / "scaling.svg")
    assert picture.read_text().startswith("<?xml")
    with pytest.raises(ValueError, match="no commutation error of 'velocity_x'"):
        plot_scaling(scaling, tmp_path / "other.svg", field="velocity_x")


def test_the_page_has_a_section(mock: Mock, write: Write, tmp_path: Path, page: Path) -> None:
    assert 'id="scaling"' not in page.read_text("utf-8")
    evaluation = write((mock[0].sel(run=["FNO", "persistence"], resolution=[32, 64]), {}), "e.nc")
    mock_scaling().to_netcdf(tmp_path / "scaling.nc")
    out = write_report([tmp_path / "scaling.nc", evaluation], tmp_path / "page.html")
    text = out.read_text("utf-8")
    assert 'href="#scaling"' in text
    assert 'id="scaling"' in text
    assert "pdesurrogate scaling runs/* --out s.nc" in text
    assert f"pdesurrogate report {evaluation} {tmp_path / 'scaling.nc'}" in text


def test_all_commands_of_a_scaling_file_are_told(scaling: xr.Dataset) -> None:
    lines = ["generate", "train", "scaling"]
    study = ScalingStudy.of(scaling.assign_attrs(commands=json.dumps(lines)))
    assert study.commands == tuple(lines)


def test_mistakes_are_one_sentence(mock: Mock, write: Write, tmp_path: Path) -> None:
    evaluation = write(mock, "evaluation.nc")
    scaling = mock_scaling()
    scaling.to_netcdf(tmp_path / "scaling.nc")
    scaling.assign_attrs(dataset_sha256="1" * 64).to_netcdf(tmp_path / "foreign.nc")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "neither.nc")
    cases = {
        "scaling.nc": "at least one evaluation",
        "foreign.nc": "foreign.nc belongs to another dataset",
        "neither.nc": "neither.nc is not an evaluation",
    }
    for name, message in cases.items():
        paths = [tmp_path / name, *([evaluation] if name != "scaling.nc" else [])]
        with pytest.raises(ValueError, match=message) as caught:
            write_report(paths, tmp_path / "page.html")
        assert "\n" not in str(caught.value)
