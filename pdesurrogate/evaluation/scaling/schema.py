"""What a scaling file holds: every variable's name, dimensions and meaning, in one place.

As in an evaluation nothing is averaged over trajectories or start frames, NaN says that there is
nothing to measure, and what broke is infinite. Orders alone are fitted to means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pdesurrogate.evaluation.schema import (
    CONVENTIONS,
    RunLabel,
    Variable,
    field_coordinates,
    run_coordinates,
)
from pdesurrogate.fields import Field

__all__ = ["SCALING_VARIABLES", "UNTRAINED", "empty_scaling"]

UNTRAINED = "untrained"
"""`kind` of a network with initial weights, beside `surrogate` and `baseline`."""

_FIELD = ("run", "resolution", "trajectory", "start", "field")
_LEVEL = ("run", "resolution", "trajectory", "start", "level")
_FIT = ("run", "field")

SCALING_VARIABLES: tuple[Variable, ...] = (
    Variable(
        "commutation_error",
        _FIELD,
        "commutation error",
        comment="|R U_N u - U_n R u| / |U_N u|, N the finest resolution, where it is not defined",
    ),
    Variable(
        "commutation_error_of_change",
        _FIELD,
        "commutation error over the change",
        comment="|R U_N u - U_n R u| / |U_N u - u|",
    ),
    Variable(
        "interpolation_error",
        _FIELD,
        "one-step error of resolution interpolation",
        comment="|U_n QR u - QR y| / |QR y|, QR the projection onto the band of the run's training "
        "grid; at the training grid the plain one-step error",
    ),
    Variable(
        "extrapolation_error",
        _FIELD,
        "one-step error of information extrapolation",
        comment="|U_n u - y| / |y|; at the training grid the plain one-step error",
    ),
    Variable(
        "out_of_band_change",
        _FIELD,
        "share of the change from a band-limited field that lies beyond its band",
        comment="|(I - QR)(U_n QR u - QR u)| / |U_n QR u - QR u|",
    ),
    Variable(
        "solver_out_of_band_change",
        _FIELD,
        "the same share of the solver's change from the same field",
        comment="|(I - QR)(S_n QR u - QR u)| / |S_n QR u - QR u|",
    ),
    Variable(
        "true_out_of_band_change",
        _FIELD,
        "share of the true change that lies beyond the band of the training grid",
        comment="|(I - QR)(y - u)| / |y - u|, of the whole field, whose detail moves as well",
    ),
    Variable(
        "level_loss",
        _LEVEL,
        "mean square error of the network's answer on a level of its nested spaces",
        comment="of normalised frames, summed over channels; rises with the level",
    ),
    Variable(
        "level_truncation",
        _LEVEL,
        "mean square of what the level cannot represent of the target",
        comment="in the unit of level_loss",
    ),
    Variable(
        "order",
        _FIT,
        "observed order of the commutation error",
        comment="p in c(n) = C (h_n^p - h_N^p), h the grid spacing; -inf where c does not fall, "
        "NaN where there are not two errors above rounding",
    ),
    Variable("order_low", _FIT, "lower end of the order's 95% bootstrap interval"),
    Variable("order_high", _FIT, "upper end of the order's 95% bootstrap interval"),
    Variable(
        "order_residual",
        _FIT,
        "root mean square of log c minus the fit",
        comment="NaN for fewer than three rungs below the finest",
    ),
)
"""Every data variable of a scaling file."""


def empty_scaling(
    *,
    runs: Sequence[RunLabel],
    resolutions: Sequence[int],
    trajectories: Sequence[int],
    starts: Sequence[float],
    fields: Sequence[Field],
    num_levels: int,
    time_units: str = "1",
) -> xr.Dataset:
    """The labelled dataset in which nothing has been measured yet.

    Args:
        runs: Surrogates, untrained networks and the solver, in the order of the tables.
        resolutions: Points along y of the rungs, ascending.
        trajectories: Indices in the split.
        starts: Times of the last given frames, since a trajectory's first frame.
        fields: What is predicted.
        num_levels: Nested spaces of the U-Net that has most; at least one.
        time_units: Unit of the times.
    """
    coords: dict[str, xr.Variable] = {
        **run_coordinates(runs),
        "resolution": _axis("resolution", resolutions, "points along y", "1"),
        "trajectory": _axis("trajectory", trajectories, "index in the split", "1"),
        "start": _axis("start", starts, "time of the last given frame", time_units),
        "level": _axis("level", range(num_levels), "level, 0 is the coarsest", "1"),
        **field_coordinates(fields),
    }
    sizes = {name: variable.size for name, variable in coords.items()}
    data = {
        v.name: (v.dims, np.full([sizes[d] for d in v.dims], v.not_run, dtype=v.dtype), v.attrs)
        for v in SCALING_VARIABLES
    }
    return xr.Dataset(data, coords, attrs={"Conventions": CONVENTIONS})


def _axis(
    name: str, values: Sequence[int] | Sequence[float] | range, long_name: str, units: str
) -> xr.Variable:
    return xr.Variable((name,), np.asarray(list(values)), {"long_name": long_name, "units": units})
