from __future__ import annotations

import base64

import numpy as np
import pytest
import xarray as xr

from pdesurrogate.report.cost_error import cost_error_panels
from pdesurrogate.report.findings import findings
from pdesurrogate.report.methods import Study
from pdesurrogate.report.numbers import significant
from tests.report.conftest import Mock

FIELD = "vorticity"
FRONT = "#bbbbbb"


def _set(root: xr.Dataset, run: str, seconds: float, error: float, protocol: str) -> None:
    at = {"run": run, "protocol": protocol, "resolution": 128}
    root["seconds_per_step"].loc[at] = seconds
    root["total_error"].loc[at] = error


def _planted(mock: Mock) -> xr.Dataset:
    """At 128 points FNO is cheap and bad, the solver dear and good, all else is beaten."""
    root = mock[0]
    for model in ("MultiResNet", "ResidualUNet", "FNO"):
        for protocol in ("native", "projected"):
            _set(root, model, 0.01, 0.5, protocol)
    _set(root, "FNO", 0.004, 0.4, "projected")
    _set(root, "coarse solver 32", 0.02, 0.1, "projected")
    return root


def test_the_front_is_told_from_cheap_to_accurate(mock: Mock) -> None:
    panels = cost_error_panels(Study.of(_planted(mock)), FIELD)
    assert panels[0].title == "128 × 128, after 1 step"
    assert panels[0].alt.endswith(
        "from cheap to accurate: FNO projected 4.00 ms 0.400; coarse solver 32 20.0 ms 0.100."
    )
    svg = base64.b64decode(panels[0].source.partition(",")[2]).decode().lower()
    assert f"stroke: {FRONT}" in svg


def test_the_marks_have_the_numbers_of_the_file(study: Study) -> None:
    panels = cost_error_panels(study, FIELD)
    assert len(panels) == 2
    error = study.table["total_error"].sel(
        run="coarse solver 32", protocol="projected", resolution=128, field=FIELD
    )
    for panel, step in zip(panels, (0, -1), strict=True):
        mean = significant(float(error[:, step].mean()))
        assert f"coarse solver 32 1.50 ms {mean}" in panel.alt  # the cheapest there is


def test_what_broke_is_left_out(mock: Mock) -> None:
    root = _planted(mock)
    at = {"run": "FNO", "protocol": "projected", "resolution": 128, "trajectory": 0}
    root["total_error"].loc[at] = np.inf
    assert "FNO projected" not in cost_error_panels(Study.of(root), FIELD)[0].alt


def test_without_times_there_is_nothing_to_draw(mock: Mock) -> None:
    root = mock[0]
    root["seconds_per_step"].values[:] = np.nan
    assert cost_error_panels(Study.of(root), FIELD) == []


def _with_equal_cost(mock: Mock, of: str) -> Study:
    """The coarse solver turned into one that costs as much as a model."""
    root = mock[0]
    runs = [
        f"solver 48 (cost of {of})" if r == "coarse solver 32" else r for r in root["run"].values
    ]
    is_solver = np.array([run.startswith("solver") for run in runs])
    root = root.assign_coords(
        run=("run", runs),
        model=("run", np.where(is_solver, "solver at equal cost", root["model"].values)),
        training_resolution=("run", np.where(is_solver, 48, root["training_resolution"].values)),
        cost_of=("run", np.where(is_solver, of, "")),
    )
    return Study.of(root)


def test_a_solver_at_equal_cost_has_the_marker_of_its_model(mock: Mock) -> None:
    study = _with_equal_cost(mock, "ResidualUNet")
    (solver,) = [m for m in study.methods if m.cost_of]
    (twin,) = [m for m in study.methods if m.model == "ResidualUNet"]
    assert solver.name == "solver 48 (cost of ResidualUNet)"
    assert solver.look.marker == twin.look.marker != ""
    assert solver.look.colour != twin.look.colour


@pytest.mark.parametrize(("of", "is_told"), [("MultiResNet", True), ("ResidualUNet", False)])
def test_the_best_model_is_held_to_the_solver_of_its_own_cost(
    mock: Mock, of: str, is_told: bool
) -> None:
    root = mock[0]
    for protocol in ("native", "projected"):
        _set(root, "MultiResNet", 0.01, 0.1, protocol)
        _set(root, "ResidualUNet", 0.01, 0.5, protocol)
    study = _with_equal_cost(mock, of)
    text = next(f.text for f in findings(study, FIELD) if f.lead.startswith("Against"))
    assert (f"over that of solver 48 (cost of {of}) is" in text) == is_told
    assert ("against the solver’s 1.50 ms" in text) == is_told
