"""What an evaluation file holds: every variable's name, dimensions, unit and meaning, in one place.

Nothing in the file is averaged: trajectories and lead times keep their own dimension. NaN (in
`blow_up`, -1) says that a combination was not run; a rollout that was run and broke has infinite
errors instead, so that no mean drops it unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid

__all__ = [
    "CONVENTIONS",
    "EXAMPLE_PREFIX",
    "SCORES",
    "VARIABLES",
    "RunLabel",
    "Variable",
    "empty_evaluation",
    "empty_example",
    "field_coordinates",
    "late_steps",
    "run_coordinates",
]

CONVENTIONS = "CF-1.11"
EXAMPLE_PREFIX = "example_"
"""A group named `example_<resolution>` holds the fields of one trajectory, for pictures."""

_COMBINATION = ("run", "protocol", "resolution")
_SCORE = (*_COMBINATION, "trajectory", "lead_time", "field")
_TRUTH = ("resolution", "trajectory", "lead_time", "field")
_SPECTRUM = ("resolution", "trajectory", "spectrum_lead_time", "field", "wavenumber")
_LATE_SPECTRUM = ("resolution", "trajectory", "field", "wavenumber")


@dataclass(frozen=True)
class Variable:
    """One data variable of an evaluation.

    Args:
        name: Its name in the file.
        dims: Its dimensions, in order.
        long_name: What a plot or table says.
        units: UDUNITS string; None where the unit differs from field to field (`comment` says how).
        dtype: Number type in the file.
        comment: Definition or remark.
        is_required: Whether a file without it is no evaluation. Of the others, which files of
            earlier versions lack, `open_evaluation` says that they were not run.
    """

    name: str
    dims: tuple[str, ...]
    long_name: str
    units: str | None = "1"
    dtype: str = "float32"
    comment: str | None = None
    is_required: bool = True

    @property
    def attrs(self) -> dict[str, str]:
        """The variable's attributes in the file."""
        optional = {"units": self.units, "comment": self.comment}
        given = {key: value for key, value in optional.items() if value is not None}
        return {"long_name": self.long_name, **given}

    @property
    def not_run(self) -> float | int:
        """The value that says that a combination was not run."""
        return -1 if self.dtype == "int8" else np.nan


SCORES: tuple[Variable, ...] = (
    Variable("nrmse", _SCORE, "normalised RMS error", comment="|p - y| / |y|"),
    Variable("vrmse", _SCORE, "variance-scaled RMS error", comment="|p - y| / |y - mean(y)|"),
    Variable("r_mse", _SCORE, "relative mean squared error", comment="|p - y|^2 / |y|^2"),
    Variable("correlation", _SCORE, "Pearson correlation with the truth"),
    Variable(
        "in_band_error",
        _SCORE,
        "error in the band that the training grid resolves",
        comment="|R p - R y| / |y|, R the restriction to the run's training grid, "
        "of winds on a sphere as vectors",
    ),
    Variable(
        "out_of_band_error",
        _SCORE,
        "error beyond the band that the training grid resolves",
        comment="|(I - QR)(p - y)| / |y|, Q the prolongation from the run's training grid, "
        "of winds on a sphere as vectors",
    ),
    Variable(
        "total_error",
        _SCORE,
        "error in and beyond the resolved band",
        comment="square root of in_band_error^2 + out_of_band_error^2",
    ),
    Variable(
        "spatial_mean",
        _SCORE,
        "spatial mean of the prediction",
        units=None,
        comment="in field_units",
    ),
    Variable(
        "mean_square",
        _SCORE,
        "mean square of the prediction",
        units=None,
        comment="in the square of field_units",
    ),
    Variable(
        "distribution_distance",
        _SCORE,
        "distance between the distributions of the values",
        comment="Wasserstein-1 distance over the standard deviation of the truth",
        is_required=False,
    ),
    Variable(
        "increment_distance",
        _SCORE,
        "distance between the distributions of the increments",
        comment="Wasserstein-1 distance over the standard deviation of the truth's increments "
        "over 1/32 of the domain's side, or one point where that is more; mean of both directions",
        is_required=False,
    ),
)
"""The variables that hold a number per run, protocol, resolution, trajectory, lead time, field."""

VARIABLES: tuple[Variable, ...] = (
    *SCORES,
    Variable(
        "blow_up",
        (*_COMBINATION, "trajectory", "lead_time"),
        "whether the rollout has blown up",
        dtype="int8",
        comment="1 from the first frame on that is not finite or whose norm, in any field, exceeds "
        "ten times the largest of the truth's; 0 before; -1 where not run",
    ),
    Variable(
        "spectrum",
        ("run", "protocol", *_SPECTRUM),
        "power per wavenumber shell of the prediction",
        units=None,
        comment="in the square of field_units; shells sum to the mean square of the field; "
        "NaN beyond the grid's Nyquist wavenumber",
    ),
    Variable(
        "true_spectrum",
        _SPECTRUM,
        "power per wavenumber shell of the truth",
        units=None,
        comment="in the square of field_units; NaN beyond the grid's Nyquist wavenumber",
    ),
    Variable(
        "error_spectrum",
        ("run", "protocol", *_SPECTRUM),
        "power per wavenumber shell of prediction minus truth",
        units=None,
        comment="as spectrum",
        is_required=False,
    ),
    Variable(
        "late_spectrum",
        ("run", "protocol", *_LATE_SPECTRUM),
        "power per wavenumber shell of the prediction in the second half of the rollout",
        units=None,
        comment="as spectrum; mean over the lead times beyond half of the last",
        is_required=False,
    ),
    Variable(
        "true_late_spectrum",
        _LATE_SPECTRUM,
        "power per wavenumber shell of the truth in the second half of the rollout",
        units=None,
        comment="as true_spectrum; mean over the lead times beyond half of the last",
        is_required=False,
    ),
    Variable(
        "true_spatial_mean",
        _TRUTH,
        "spatial mean of the truth",
        units=None,
        comment="in field_units",
    ),
    Variable(
        "true_mean_square",
        _TRUTH,
        "mean square of the truth",
        units=None,
        comment="in the square of field_units",
    ),
    Variable(
        "seconds_per_step",
        _COMBINATION,
        "wall time of one frame of one trajectory",
        units="s",
        comment="least of several single-trajectory steps after a warm-up, on the machine named "
        "in the attribute `machine`",
    ),
)
"""Every data variable of the root group."""


@dataclass(frozen=True)
class RunLabel:
    """What is known of one entry along `run`: a surrogate or a baseline.

    Args:
        name: Unique in the evaluation.
        kind: `surrogate` or `baseline`.
        model: The model's or baseline's name.
        training_resolution: Points along y of the training grid (for a baseline, of the grid that
            it knows); -1 where there is none.
        seed: Seed of the training; -1 for baselines.
        parameters: Trained numbers.
        flops: Floating-point operations of one frame at the training grid; NaN where unknown.
        training_seconds: Wall time of the training.
        settings: Fingerprint of model and training settings without the seed; runs that share it
            differ by their seed alone. Empty where there is none.
        conditioning: What it is told of a trajectory besides the fields.
    """

    name: str
    kind: str
    model: str
    training_resolution: int = -1
    seed: int = -1
    parameters: int = 0
    flops: float = np.nan
    training_seconds: float = 0.0
    settings: str = ""
    conditioning: tuple[str, ...] = ()


_LABELS: dict[str, tuple[str, str | None]] = {
    "kind": ("surrogate or baseline", None),
    "model": ("model or baseline", None),
    "training_resolution": ("points along y of the training grid (-1: none)", "1"),
    "seed": ("seed of the training (-1: none)", "1"),
    "parameters": ("trained parameters", "1"),
    "flops": ("floating-point operations of one frame at the training grid", "1"),
    "training_seconds": ("wall time of the training", "s"),
    "settings": ("fingerprint of model and training settings, the seed apart", None),
    "conditioning": ("what it is told besides the fields, separated by commas", None),
}


def late_steps(num_steps: int) -> range:
    """Indices of the predicted frames in the second half of a rollout: beyond half of the last.

    Example:
        >>> list(late_steps(4)), list(late_steps(5)), list(late_steps(1))
        ([2, 3], [2, 3, 4], [0])
    """
    return range(num_steps // 2, num_steps)


def empty_evaluation(
    *,
    runs: Sequence[RunLabel],
    protocols: Sequence[str],
    resolutions: Sequence[int],
    trajectories: Sequence[int],
    lead_times: Sequence[float],
    fields: Sequence[Field],
    wavenumbers: Sequence[float] | np.ndarray,
    spectrum_lead_times: Sequence[float],
    time_units: str = "1",
    wavenumber_attributes: Mapping[str, str],
) -> xr.Dataset:
    """The labelled root group of an evaluation in which nothing has been run yet.

    Args:
        runs: Surrogates and baselines, in the order of the tables.
        protocols: Names of the transfer protocols.
        resolutions: Points along y of the evaluation grids.
        trajectories: Indices in the split of the trajectories scored.
        lead_times: Time since the last given frame, one per predicted frame.
        fields: What is predicted.
        wavenumbers: Centres of the shells.
        spectrum_lead_times: The lead times at which spectra are kept.
        time_units: Unit of the lead times.
        wavenumber_attributes: Unit and name of the wavenumbers.

    Returns:
        Every variable of `VARIABLES`, holding its `not_run` value, with all coordinates labelled.
    """
    coords: dict[str, xr.Variable] = {
        **run_coordinates(runs),
        "protocol": _coordinate("protocol", list(protocols), "transfer protocol", None),
        "resolution": _coordinate("resolution", list(resolutions), "points along y", "1"),
        "trajectory": _coordinate("trajectory", list(trajectories), "index in the split", "1"),
        "lead_time": _coordinate(
            "lead_time", list(lead_times), "time since the last given frame", time_units
        ),
        "wavenumber": xr.Variable(
            ("wavenumber",), np.asarray(list(wavenumbers)), dict(wavenumber_attributes)
        ),
        "spectrum_lead_time": _coordinate(
            "spectrum_lead_time",
            list(spectrum_lead_times),
            "time since the last given frame",
            time_units,
        ),
        **field_coordinates(fields),
    }
    sizes = {name: coords[name].size for name in coords}
    data = {
        v.name: (v.dims, np.full([sizes[d] for d in v.dims], v.not_run, dtype=v.dtype), v.attrs)
        for v in VARIABLES
    }
    return xr.Dataset(data, coords, attrs={"Conventions": CONVENTIONS})


def run_coordinates(runs: Sequence[RunLabel]) -> dict[str, xr.Variable]:
    """The coordinates along `run`: names, and all that is known of each.

    Args:
        runs: In the order of the tables.
    """
    coords = {"run": _coordinate("run", [r.name for r in runs], "surrogate or baseline", None)}
    for label, (long_name, units) in _LABELS.items():
        values = [_plain(getattr(run, label)) for run in runs]
        coords[label] = _coordinate("run", values, long_name, units)
    return coords


def field_coordinates(fields: Sequence[Field]) -> dict[str, xr.Variable]:
    """The coordinates along `field`: names, units, and how to draw them.

    Args:
        fields: What is predicted.
    """
    return {
        "field": _coordinate("field", [f.name for f in fields], "field", None),
        "field_units": _coordinate("field", [f.units for f in fields], "unit of the field", None),
        "field_long_name": _coordinate(
            "field", [f.long_name for f in fields], "name of the field in plots", None
        ),
        "field_is_signed": _coordinate(
            "field",
            np.array([f.is_signed for f in fields], dtype=np.int8),
            "whether the field takes both signs (1) or not (0)",
            "1",
        ),
    }


def empty_example(
    evaluation: xr.Dataset,
    grid: Grid,
    trajectory: int,
    length_units: str = "1",
    *,
    predictions: Any = None,
) -> xr.Dataset:
    """The labelled group `example_<resolution>`: truth and predictions of one trajectory, NaN yet.

    Args:
        evaluation: The root group, whose runs, protocols, lead times and fields it shares.
        grid: The evaluation grid.
        trajectory: Which trajectory of the split is shown.
        length_units: Unit of length of the domain.
        predictions: Something like an array that has them already; None for an array to fill.
    """
    shared = ["run", "protocol", "lead_time", "field"]
    frame = ("lead_time", "field", *grid.dimensions)
    sizes = dict(evaluation.sizes) | dict(zip(grid.dimensions, grid.num_points, strict=True))
    variables = {
        "truth": (frame, "reference solution"),
        "prediction": (("run", "protocol", *frame), "prediction"),
    }
    data = {}
    for name, (dims, long_name) in variables.items():
        values = predictions if name == "prediction" else None
        if values is None:
            values = np.full([sizes[d] for d in dims], np.nan, dtype=np.float32)
        data[name] = (dims, values, {"long_name": long_name, "comment": "in field_units"})
    coords: dict[str, Any] = {name: evaluation[name].variable for name in shared}
    coords |= grid.coordinates(length_units)
    return xr.Dataset(data, coords, attrs={"trajectory": trajectory})


def _plain(label: object) -> object:
    return ", ".join(label) if isinstance(label, tuple) else label


def _coordinate(
    dim: str, values: Sequence[object] | range | np.ndarray, long_name: str, units: str | None
) -> xr.Variable:
    attrs = {"long_name": long_name} | ({} if units is None else {"units": units})
    return xr.Variable((dim,), np.asarray(values), attrs)
