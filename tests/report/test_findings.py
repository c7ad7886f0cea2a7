from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr

from pdesurrogate.report.findings import findings, headline
from pdesurrogate.report.methods import Study
from tests.evaluation.mock_evaluation import mock_evaluation
from tests.report.conftest import Mock

FIELD = "vorticity"


def _text(study: Study, lead: str) -> str:
    return next(f.text for f in findings(study, FIELD) if f.lead.startswith(lead))


def _set(root: xr.Dataset, in_band: float, detail: float, **where: object) -> None:
    """Give a combination the same errors on every trajectory and at every lead time."""
    at = {key: value for key, value in where.items() if value is not None}
    root["in_band_error"].loc[at] = in_band
    root["out_of_band_error"].loc[at] = detail
    root["total_error"].loc[at] = np.hypot(in_band, detail)


def _clean(root: xr.Dataset, native: dict[str, float], projected: float) -> xr.Dataset:
    """Models of in-band error .1 at 32, with these factors at finer grids."""
    for run, factor in native.items():
        _set(root, 0.1, 0.0, run=run, protocol="native", resolution=32)
        for resolution in (64, 128):
            _set(root, 0.1 * factor, 0.0, run=run, protocol="native", resolution=resolution)
            _set(root, 0.1 * projected, 0.15, run=run, protocol="projected", resolution=resolution)
    return root


def test_headline_gives_the_ratios_of_the_file(mock: Mock) -> None:
    native = {"MultiResNet": 5.0, "ResidualUNet": 6.0, "FNO": 2.0}
    study = Study.of(_clean(mock[0], native, 1.01))
    assert headline(study, FIELD) == (
        "At 4 times the training grid, models used as they are err 2.00–6.00× as much in the "
        "resolved band; projected, "
        "the error in the resolved band stays at 1.01×."
    )


def test_headline_of_a_reversed_world_says_the_reverse(mock: Mock) -> None:
    native = {"MultiResNet": 1.0, "ResidualUNet": 1.02, "FNO": 0.99}
    study = Study.of(_clean(mock[0], native, 1.5))
    text = headline(study, FIELD)
    assert (
        "every model used as it is keeps its error in the resolved band (0.990–1.02× as large)"
        in text
    )
    assert "the error in the resolved band is 1.50× that at the training grid" in text
    assert "stays" not in text


def test_headline_of_a_mixed_world_counts(mock: Mock) -> None:
    native = {"MultiResNet": 5.0, "ResidualUNet": 6.0, "FNO": 1.0}
    text = headline(Study.of(_clean(mock[0], native, 1.0)), FIELD)
    assert (
        "2 of 3 models used as they are lose accuracy "
        "(errors in the resolved band up to 6.00× as large)" in text
    )


def test_headline_of_one_model_names_it(mock: Mock) -> None:
    root = _clean(mock[0], {"FNO": 5.1}, 1.0).sel(run=["FNO", "persistence"])
    assert headline(Study.of(root), FIELD) == (
        "At 4 times the training grid, FNO’s native error in the resolved band grows to 5.10× its "
        "error at the training "
        "grid; projected, the error in the resolved band stays at 1.00×."
    )


def test_models_that_broke_are_told_in_every_sentence(mock: Mock) -> None:
    root = _clean(mock[0], {"MultiResNet": 5.0, "ResidualUNet": 6.0, "FNO": 2.0}, 1.0)
    at = {"run": "FNO", "protocol": "native", "resolution": 128, "trajectory": [0, 2]}
    for name in ("total_error", "in_band_error"):
        root[name].loc[at] = np.inf
    study = Study.of(root)
    assert (
        "models used as they are err 5.00–6.00× as much in the resolved band, or break (1 of 3)"
        in headline(study, FIELD)
    )
    told = "MultiResNet 5.00×, ResidualUNet 6.00× and FNO native broke in 2 of 4 rollouts"
    assert _text(study, "Used as they are").count(told) == 2


def test_many_models_are_told_by_their_range() -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=2, seeds=(0, 1, 2))
    apart = root.assign_coords(seed=("run", np.zeros(root.sizes["run"], dtype=int)))
    study = Study.of(apart)
    assert re.search(r"to it: 9 models \d\.\d+–\d\.\d\d×\.", _text(study, "Used as they are"))


def test_headline_of_one_grid_or_of_no_model(mock: Mock) -> None:
    root, _ = mock
    trained = headline(Study.of(root.sel(resolution=[32])), FIELD)
    assert re.match(r"At 32 × 32, MultiResNet native errs by 0\.\d+ after one step\.", trained)
    alone = headline(Study.of(root.sel(run=["persistence"])), FIELD)
    assert alone == "No model was evaluated at 128 × 128."


def test_truncation_floor_is_the_files(study: Study) -> None:
    floor = study.table["out_of_band_error"].sel(
        run="truncation floor 32", protocol="projected", resolution=128, field=FIELD
    )[:, 0]
    assert f"cannot go below the truncation floor, {float(floor.mean()):.3f}." in _text(
        study, "Carried"
    )


@pytest.mark.parametrize(("rival", "verdict"), [(0.3, "worse"), (0.2, "can’t tell")])
def test_best_model_is_told_with_its_uncertainty(mock: Mock, rival: float, verdict: str) -> None:
    root, _ = mock
    at = {"resolution": 128}
    for run in ("MultiResNet", "ResidualUNet"):
        _set(root, 0.9, 0.0, run=run, **at)
    _set(root, 0.199, 0.0, run="FNO", **at)
    _set(root, rival, 0.0, run="ResidualUNet", protocol="native", **at)
    wobble = np.array([-0.05, 0.05, -0.05, 0.05])[:, None, None]
    root["total_error"].loc[{"run": "ResidualUNet", "protocol": "native", **at}] += wobble
    text = _text(Study.of(root), "Best at 128 × 128")
    assert "FNO native has the smallest total error of the models, 0.199" in text
    assert f"ResidualUNet native follows at {rival:.3f} ({verdict})" in text


@pytest.mark.parametrize(
    ("solver", "verdict"),
    [(0.1, "2.00× (worse)"), (0.4, "0.500× (better)"), (0.2, "1.00× (can’t tell)")],
)
def test_baselines_win_where_they_win(mock: Mock, solver: float, verdict: str) -> None:
    root, _ = mock
    for run in ("MultiResNet", "ResidualUNet", "FNO"):
        _set(root, 0.2, 0.0, run=run, resolution=128)
    _set(root, solver, 0.0, run="coarse solver 32", protocol="projected", resolution=128)
    text = _text(Study.of(root), "Against")
    assert f"over that of coarse solver 32 is {verdict} after 1 step" in text
    assert text.endswith("against the solver’s 1.50 ms.")


def test_a_later_break_is_told_against_the_baselines(mock: Mock) -> None:
    root, _ = mock
    for run in ("MultiResNet", "ResidualUNet", "FNO"):
        _set(root, 0.2, 0.0, run=run, resolution=128)
    _set(root, 0.4, 0.0, run="coarse solver 32", protocol="projected", resolution=128)
    late = {"resolution": 128, "lead_time": root["lead_time"].values[2], "trajectory": 1}
    for run in ("MultiResNet", "ResidualUNet", "FNO"):
        root["total_error"].loc[{"run": run, **late}] = np.inf
    text = _text(Study.of(root), "Against")
    assert "0.500× (better) after 1 step and ∞× (worse) after 3 steps" in text


def test_blow_ups_are_named_and_their_absence_too(mock: Mock) -> None:
    root, _ = mock
    assert _text(Study.of(root), "Stability") == "None of the 92 rollouts blew up."
    at = {"run": "FNO", "protocol": "native", "resolution": 128, "trajectory": [0, 2]}
    root["blow_up"].loc[at] = 1
    text = _text(Study.of(root), "Stability")
    assert text == "Rollouts blew up: FNO native at 128 × 128 (2 of 4)."


def test_a_model_that_broke_is_not_the_best(mock: Mock) -> None:
    root, _ = mock
    _set(root, 0.001, 0.0, run="FNO", resolution=128)
    root["total_error"].loc[{"run": "FNO", "resolution": 128, "trajectory": 0}] = np.inf
    assert "FNO" not in _text(Study.of(root), "Best").split(" has the smallest")[0]
