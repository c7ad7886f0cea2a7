"""What becomes of long rollouts: how long they follow the truth, and what is still right after.

Every function takes an evaluation, as `open_evaluation` gives it or its root group as a dataset,
and returns labelled arrays in which nothing is averaged over runs or trajectories, unless it says
so. NaN says that something was not run; a rollout that broke keeps its infinite errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float

from pdesurrogate.evaluation.schema import SCORES, late_steps
from pdesurrogate.metrics import log_spectral_distance

__all__ = [
    "THE_WELL_WINDOWS",
    "blow_up_rate",
    "conserved_drift",
    "correlation_time",
    "late_mean",
    "spectral_distance",
    "window_errors",
]

THE_WELL_WINDOWS = ((1, 1), (6, 12), (13, 30))
"""First and last predicted frame, counted from 1, of the windows that The Well's tables have."""

_SCORE_NAMES = tuple(score.name for score in SCORES)


def correlation_time(evaluation: xr.Dataset | xr.DataTree, threshold: float = 0.8) -> xr.Dataset:
    """How long a forecast stays correlated with the truth.

    The last lead time before the correlation first falls below the threshold; what it does later
    does not count. A forecast that is below it in its first frame has the time 0. One that never
    falls below it is censored: its time is the whole horizon, and the true one is at least that. A
    mean over such times is a lower bound.

    Args:
        evaluation: With `correlation`, which is 0 for a rollout that broke.
        threshold: Above -1 and at most 1.

    Returns:
        `correlation_time`, in the unit of the lead times, and `is_censored`, without the dimension
        `lead_time`.

    Raises:
        ValueError: If the threshold is not above -1 and at most 1.

    References:
        Kochkov et al. (2021), *Machine learning-accelerated computational fluid dynamics*, PNAS.
    """
    if not -1 < threshold <= 1:
        raise ValueError(f"threshold must lie above -1 and be at most 1, got {threshold}")
    correlation = evaluation["correlation"]
    was_run = correlation.notnull().all("lead_time")
    has_fallen = (correlation < threshold).cumsum("lead_time") > 0
    lead_time = correlation["lead_time"]
    time = lead_time.where(~has_fallen).max("lead_time").fillna(0.0).where(was_run)
    time.attrs = {
        "long_name": f"time until the correlation falls below {threshold:g}",
        "units": lead_time.attrs.get("units", "1"),
    }
    is_censored = ~has_fallen.any("lead_time") & was_run
    is_censored.attrs = {"long_name": "whether the correlation never falls below it"}
    return xr.Dataset({"correlation_time": time, "is_censored": is_censored})


def window_errors(
    evaluation: xr.Dataset | xr.DataTree,
    windows: Sequence[tuple[int, int]] = THE_WELL_WINDOWS,
    metric: str = "vrmse",
) -> xr.DataArray:
    """Errors averaged over windows of lead time, as benchmarks report them.

    A window is named by its first and last predicted frame, counted from 1, both in it. The
    defaults are those of The Well's tables, of the one-step error and of rollouts of 30 frames in
    logarithmic bins (its code has them as `loss[5:12]` and `loss[12:30]`, from 0 and without the
    last). Its tables then average over fields and trajectories.

    Args:
        evaluation: With the metric.
        windows: First and last frame of each.
        metric: A score of the evaluation.

    Returns:
        The metric over `window` in place of `lead_time`, of the windows that the horizon reaches
        to the end; the others are left out.

    Raises:
        ValueError: If a window ends before it begins or begins before frame 1, the horizon reaches
            the end of none, or the metric is not a score.

    References:
        Ohana et al. (2024), *The Well*, NeurIPS Datasets and Benchmarks.
    """
    for first, last in windows:
        if not 1 <= first <= last:
            raise ValueError(
                f"windows must be pairs of frames, counted from 1, the first not after the last; "
                f"got {(first, last)}"
            )
    errors = _score(evaluation, metric)
    num_steps = errors.sizes["lead_time"]
    reached = [(first, last) for first, last in windows if last <= num_steps]
    if not reached:
        raise ValueError(f"windows must lie within the {num_steps} predicted frames, got {windows}")
    names = [f"{first}" if first == last else f"{first}:{last}" for first, last in reached]
    means = [
        errors.isel(lead_time=slice(first - 1, last)).mean("lead_time", skipna=False)
        for first, last in reached
    ]
    stacked = xr.concat(means, dim="window").assign_coords(window=names)
    return stacked.assign_attrs(long_name=f"{metric}, mean over a window", units="1")


def blow_up_rate(evaluation: xr.Dataset | xr.DataTree) -> xr.DataArray:
    """Share of the trajectories on which a rollout has blown up by each lead time.

    Args:
        evaluation: With `blow_up`.

    Returns:
        Between 0 and 1, without the dimension `trajectory`.
    """
    blow_up = evaluation["blow_up"]
    rate = blow_up.where(blow_up >= 0).mean("trajectory", skipna=False)
    return rate.assign_attrs(long_name="share of rollouts that have blown up", units="1")


def conserved_drift(evaluation: xr.Dataset | xr.DataTree) -> xr.Dataset:
    r"""How far a prediction's integrals have moved from the truth's.

    $$ \text{mean\_drift} = \frac{\bar p - \bar y}{\sqrt{\overline{y^2}}}, \qquad
       \text{mean\_square\_drift} = \frac{\overline{p^2}}{\overline{y^2}} - 1 $$

    What they are depends on the field: of a height, mass; of the mean square of a vorticity, twice
    the enstrophy. Where the truth itself gains or loses some, the drift is against it at the same
    time, not against the start.

    Args:
        evaluation: With `spatial_mean`, `mean_square` and their true values.

    Returns:
        Both as signed shares at every lead time; where a truth vanishes throughout, NaN.
    """
    power = evaluation["true_mean_square"].where(evaluation["true_mean_square"] > 0)
    mean = (evaluation["spatial_mean"] - evaluation["true_spatial_mean"]) / np.sqrt(power)
    square = evaluation["mean_square"] / power - 1
    shares = {"mean_drift": (mean, "mean"), "mean_square_drift": (square, "mean square")}
    dims = evaluation["spatial_mean"].dims
    return xr.Dataset(
        {
            name: share.transpose(*dims).assign_attrs(long_name=f"drift of the {of}", units="1")
            for name, (share, of) in shares.items()
        }
    )


def late_mean(evaluation: xr.Dataset | xr.DataTree, metric: str) -> xr.DataArray:
    """Mean of a score over the second half of the rollout, lead times beyond half of the last.

    For scores that still say something once forecast and truth have nothing to do with each other,
    such as `distribution_distance`.

    Args:
        evaluation: With the metric.
        metric: A score of the evaluation.

    Raises:
        ValueError: If the metric is not a score.
    """
    score = _score(evaluation, metric)
    late = score.isel(lead_time=list(late_steps(score.sizes["lead_time"])))
    mean = late.mean("lead_time", skipna=False, keep_attrs=True)
    return mean.assign_attrs(long_name=f"{metric}, mean over the second half of the rollout")


def spectral_distance(
    evaluation: xr.Dataset | xr.DataTree, below: float = math.inf
) -> xr.DataArray:
    """Decibels between the spectra of prediction and truth in the second half of the rollout.

    A prediction that holds nothing beyond its training grid is far off in every shell there, by as
    much as `log_spectral_distance` can tell; ask for the shells below that grid's Nyquist
    wavenumber to see the others.

    Args:
        evaluation: With `late_spectrum` and `true_late_spectrum`.
        below: Only shells whose wavenumber lies below this one count.

    Returns:
        `log_spectral_distance` of the time means, without the dimension `wavenumber`; NaN where no
        shell is left.
    """
    table = _table(evaluation)
    shells = table.isel(wavenumber=table["wavenumber"].values < below)
    distance = xr.apply_ufunc(
        _decibels,
        shells["late_spectrum"],
        shells["true_late_spectrum"],
        input_core_dims=[["wavenumber"]] * 2,
    )
    return distance.assign_attrs(long_name="distance of the late spectra", units="dB")


def _decibels(
    prediction: Float[np.ndarray, "*some wavenumber"], truth: Float[np.ndarray, "*other wavenumber"]
) -> Float[np.ndarray, "*some"]:
    p, y = (
        torch.as_tensor(spectrum.astype(np.float64))
        for spectrum in np.broadcast_arrays(prediction, truth)
    )
    return log_spectral_distance(p, y).numpy()


def _score(evaluation: xr.Dataset | xr.DataTree, metric: str) -> xr.DataArray:
    if metric not in _SCORE_NAMES:
        raise ValueError(
            f"metric must be a score of the evaluation, {_SCORE_NAMES}, got {metric!r}"
        )
    return _table(evaluation)[metric]


def _table(evaluation: xr.Dataset | xr.DataTree) -> xr.Dataset:
    return evaluation.to_dataset() if isinstance(evaluation, xr.DataTree) else evaluation
