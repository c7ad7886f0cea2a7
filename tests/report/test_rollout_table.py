from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from pdesurrogate.evaluation import mean_interval
from pdesurrogate.report.methods import Study
from pdesurrogate.report.numbers import significant
from pdesurrogate.report.rollout_table import rollout_table
from tests.evaluation.mock_evaluation import mock_root
from tests.report.conftest import Mock

AT = {"run": "FNO", "protocol": "native", "resolution": 128}


@pytest.fixture(scope="module")
def original() -> xr.Dataset:
    return mock_root(num_trajectories=4, num_steps=12)


@pytest.fixture
def long(original: xr.Dataset) -> Mock:
    return original.copy(deep=True), {}


def _cells(mock: Mock, label: str, protocol: str) -> dict[str, tuple[str, str]]:
    found = rollout_table(Study.of(mock[0]), "vorticity")
    ((_, rows),) = found.table.groups
    (row,) = [r for r in rows if (r.label, r.protocol) == (label, protocol)]
    return {
        column: (cell.text, cell.note)
        for column, cell in zip(found.columns, row.cells, strict=True)
    }


def test_one_row_per_series_but_the_floor(long: Mock) -> None:
    found = rollout_table(Study.of(long[0]), "vorticity")
    assert found.columns == (
        "correlated",
        "vRMSE, step 1",
        "vRMSE, steps 6:12",
        "blown up",
        "late spectrum in band, dB",
        "late values",
        "late increments",
    )
    ((_, rows),) = found.table.groups
    assert [row.label for row in rows if row.is_baseline] == ["persistence", "coarse solver 32"]
    assert len(rows) == 8


def test_cells_are_means_of_the_file(long: Mock) -> None:
    cells = _cells(long, "FNO", "native")
    here = long[0].sel(AT).sel(field="vorticity")
    for column, values in (
        ("vRMSE, step 1", here["vrmse"][:, 0]),
        ("vRMSE, steps 6:12", here["vrmse"][:, 5:12].mean("lead_time")),
        ("late values", here["distribution_distance"][:, 6:].mean("lead_time")),
        ("late increments", here["increment_distance"][:, 6:].mean("lead_time")),
    ):
        mean, low, high = mean_interval(values.values)
        assert cells[column] == (significant(mean), f"{significant(low)}–{significant(high)}")
    assert cells["blown up"] == ("0%", "")


def test_times_that_end_with_the_horizon_are_bounds(long: Mock) -> None:
    root, _ = long
    root["correlation"].loc[AT] = 0.9
    assert _cells(long, "FNO", "native")["correlated"] == ("≥ 3.00", "all to the end")
    root["correlation"].loc[{**AT, "trajectory": [0, 1], "lead_time": 1.0}] = 0.1
    assert _cells(long, "FNO", "native")["correlated"] == ("≥ 1.88", "2 of 4 to the end")
    root["correlation"].loc[{**AT, "lead_time": 1.0}] = 0.1
    assert _cells(long, "FNO", "native")["correlated"] == ("0.750", "0.750–0.750")


def test_times_are_told_in_the_unit_of_the_page(long: Mock) -> None:
    root, _ = long
    days = root.assign_coords(lead_time=root["lead_time"] * 86400).assign_attrs(time_units="s")
    days["correlation"].loc[AT] = 0.9
    found = rollout_table(Study.of(days), "vorticity")
    assert found.columns[0] == "correlated, days"
    cells = _cells((days, {}), "FNO", "native")
    assert cells["correlated, days"] == ("≥ 3.00", "all to the end")


def test_broken_rollouts_and_old_files_are_told(long: Mock) -> None:
    root, _ = long
    for name in ("vrmse", "distribution_distance"):
        root[name].loc[{**AT, "trajectory": 2, "lead_time": root["lead_time"][8:]}] = np.inf
    root["late_spectrum"].values[:] = np.nan
    cells = _cells(long, "FNO", "native")
    assert cells["vRMSE, steps 6:12"][0] == cells["late values"][0] == "∞"
    assert cells["vRMSE, steps 6:12"][1].endswith("over 3 of 4")
    assert cells["late spectrum in band, dB"] == ("–", "")


def test_late_spectra_are_compared_in_the_band_of_the_training_grid(long: Mock) -> None:
    root, _ = long
    truth = root["true_late_spectrum"].sel(resolution=128)
    inside = root["wavenumber"] <= 16  # the mock's shells end below 65, at 128 points
    root["late_spectrum"].loc[AT] = truth * xr.where(inside, 10.0, 1e-6)
    assert _cells(long, "FNO", "native")["late spectrum in band, dB"][0] == "10.0"
