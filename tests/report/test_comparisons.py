from __future__ import annotations

import numpy as np
import pytest

from pdesurrogate.evaluation import paired_comparison
from pdesurrogate.report.comparisons import comparisons
from pdesurrogate.report.methods import Study
from pdesurrogate.report.numbers import significant
from tests.evaluation.mock_evaluation import mock_root
from tests.report.conftest import Mock


def _plant(mock: Mock, errors: dict[str, float]) -> Study:
    """Constant errors at the finest grid: natively these, projected twice as large."""
    root, _ = mock
    for run, error in errors.items():
        for protocol, factor in (("native", 1), ("projected", 2)):
            at = {"run": run, "protocol": protocol, "resolution": 128}
            if not run.startswith("coarse") or protocol == "projected":
                root["total_error"].loc[at] = factor * error
    return Study.of(root)


PLANTED = {"FNO": 0.1, "MultiResNet": 0.2, "ResidualUNet": 0.4, "coarse solver 32": 0.2}


def test_every_model_against_every_other_and_the_solver(mock: Mock) -> None:
    found = comparisons(_plant(mock, PLANTED), "vorticity")
    assert found is not None
    assert found.columns == (
        "FNO native",
        "MultiResNet native",
        "ResidualUNet native",
        "coarse solver 32",
    )
    assert [heading for heading, _ in found.table.groups] == ["after 1 step", "after 3 steps"]
    for _, rows in found.table.groups:
        assert [row.label for row in rows] == ["FNO", "MultiResNet", "ResidualUNet"]
        texts = [[cell.text for cell in row.cells] for row in rows]
        assert texts == [
            ["–", "0.500×", "0.250×", "0.250×"],
            ["2.00×", "–", "0.500×", "0.500×"],
            ["4.00×", "2.00×", "–", "1.00×"],
        ]
        assert rows[0].cells[1].note == "0.500–0.500, better"
        assert rows[2].cells[0].note == "4.00–4.00, worse"
        assert rows[2].cells[3].note == "1.00–1.00, can’t tell"
        assert [cell.is_best for cell in rows[1].cells] == [False, False, True, True]
    assert found.num_left_out == 0


def test_cells_are_the_comparisons_of_the_file(mock: Mock) -> None:
    study = Study.of(mock[0])
    found = comparisons(study, "vorticity")
    assert found is not None
    first = found.table.groups[0][1][0]
    errors = [
        study.table["total_error"]
        .sel(run=run, protocol=protocol, resolution=128, field="vorticity")
        .isel(lead_time=0)
        .values[None]
        for run, protocol in ((first.label, first.protocol), ("coarse solver 32", "projected"))
    ]
    ratio = paired_comparison(*errors).ratio
    assert first.cells[-1].text == f"{significant(ratio.mean)}×"
    assert first.cells[-1].note.startswith(f"{significant(ratio.low)}–{significant(ratio.high)}, ")


def test_what_broke_is_told(mock: Mock) -> None:
    root, _ = mock
    _plant(mock, PLANTED)
    late = {"resolution": 128, "trajectory": 0, "lead_time": root["lead_time"].values[2]}
    for run in ("FNO", "MultiResNet"):
        root["total_error"].loc[{"run": run, **late}] = np.inf
    found = comparisons(Study.of(root), "vorticity")
    assert found is not None
    rows = found.table.groups[1][1]
    assert (rows[0].cells[1].text, rows[0].cells[1].note) == ("–", "both broke, can’t tell")
    assert (rows[0].cells[2].text, rows[0].cells[2].note) == ("∞×", "worse")
    assert rows[0].cells[2].is_warning
    assert (rows[2].cells[0].text, rows[2].cells[0].note) == ("0×", "better")


def test_nobody_to_compare_with(mock: Mock) -> None:
    root, _ = mock
    assert comparisons(Study.of(root.sel(run=["FNO", "persistence"])), "vorticity") is None
    assert comparisons(Study.of(root.sel(run=["coarse solver 32"])), "vorticity") is None
    assert comparisons(Study.of(root.sel(run=["FNO", "coarse solver 32"])), "vorticity")


@pytest.mark.parametrize("num_seeds", [2, 3])
def test_only_the_best_eight_are_compared(num_seeds: int) -> None:
    root = mock_root(num_trajectories=2, num_steps=1, seeds=tuple(range(num_seeds)))
    apart = root.assign_coords(seed=("run", np.zeros(root.sizes["run"], dtype=int)))
    found = comparisons(Study.of(apart), "vorticity")
    assert found is not None
    assert len(found.columns) == min(3 * num_seeds, 8) + 1
    assert found.num_left_out == max(3 * num_seeds - 8, 0)
