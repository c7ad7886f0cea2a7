"""A scaling file made from the schema alone, with planted orders and no model behind it."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from pdesurrogate.evaluation.scaling.schema import UNTRAINED, empty_scaling
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.fields import Field

__all__ = ["ORDERS", "RUNGS", "mock_scaling"]

RUNGS = (16, 32, 64, 128)
ORDERS = {"MultiResNet": 1.0, "FNO": 3.0, "solver": 5.0}
_FIELDS = (
    Field("vorticity", "1", "vorticity"),
    Field("velocity_x", "1", "velocity along x", is_prognostic=False, vector_part="x"),
)


def mock_scaling(num_trajectories: int = 4, seeds: tuple[int, ...] = (0,)) -> xr.Dataset:
    """Commutation errors that are exact powers about the top rung, of trajectories that differ."""
    scaling = empty_scaling(
        runs=_runs(seeds),
        resolutions=RUNGS,
        trajectories=range(num_trajectories),
        starts=[0.0, 1.0],
        fields=_FIELDS,
        num_levels=1,
    )
    scatter = np.exp(0.3 * np.random.default_rng(0).standard_normal((num_trajectories, 2)))
    for run in scaling["run"].values:
        own = scaling.sel(run=run)
        order = ORDERS[str(own["model"].values)]
        for n in RUNGS[:-1]:
            at = {"resolution": n, "field": "vorticity"}
            error = 1e-3 * ((128 / n) ** order - 1) / order
            own["commutation_error"].loc[at] = error * scatter
            own["commutation_error_of_change"].loc[at] = 5 * error * scatter
        if own["kind"] == "surrogate":
            _fill_tasks(own, scatter)
    scaling.attrs |= {
        "title": "Scaling limit on kolmogorov",
        "dataset": "kolmogorov",
        "dataset_sha256": "0" * 64,
        "fitted_rungs": 3,
        "rounding": 1e-6,
        "commands": json.dumps(
            ["pdesurrogate generate kolmogorov", "pdesurrogate scaling runs/* --out s.nc"]
        ),
    }
    return scaling


def _fill_tasks(own: xr.Dataset, scatter: np.ndarray) -> None:
    for n in RUNGS[1:]:
        at = {"resolution": n, "field": "vorticity"}
        own["interpolation_error"].loc[at] = 0.1 * n / 32 * scatter
        own["extrapolation_error"].loc[at] = 0.2 * n / 32 * scatter - 0.1 * scatter
        if n > 32:
            own["out_of_band_change"].loc[at] = 0.3
            own["solver_out_of_band_change"].loc[at] = 0.05
            own["true_out_of_band_change"].loc[at] = 0.4


def _runs(seeds: tuple[int, ...]) -> list[RunLabel]:
    trained = [
        RunLabel(
            model if len(seeds) == 1 else f"{model} seed {seed}",
            "surrogate",
            model,
            training_resolution=32,
            seed=seed,
            settings=model.lower(),
        )
        for model in ("MultiResNet", "FNO")
        for seed in seeds
    ]
    untrained = [
        RunLabel(
            f"{label.name} {UNTRAINED} {seed}",
            UNTRAINED,
            label.model,
            training_resolution=32,
            seed=seed,
            settings=label.settings,
        )
        for label in trained
        if label.seed == seeds[0]
        for seed in (7, 8, 9)
    ]
    return [*trained, *untrained, RunLabel("solver", "baseline", "solver")]
