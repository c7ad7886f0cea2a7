"""Means with their uncertainty, as a table's cell or a curve's band shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pdesurrogate.evaluation.statistics import mean_interval

__all__ = ["Estimate", "estimate", "estimate_difference", "estimate_ratio"]


@dataclass(frozen=True)
class Estimate:
    """A mean over trajectories (and seeds) with its 95% interval.

    Args:
        mean: The mean over what stayed finite; NaN if nothing did.
        low: Lower end of the interval.
        high: Upper end of the interval.
        num_broken: Rollouts that are not finite. They are in no mean, so they must be told.
        num_rollouts: All rollouts.
    """

    mean: float
    low: float
    high: float
    num_broken: int = 0
    num_rollouts: int = 0


def estimate(values: Float[np.ndarray, "seed trajectory"]) -> Estimate:
    """Mean over all rollouts, with a bootstrap interval over trajectories.

    Seeds are averaged first: the interval says how the mean would vary with other trajectories.
    """
    return _of_trajectories(_seed_mean(values), values)


def estimate_difference(
    values: Float[np.ndarray, "seed trajectory"],
    reference: Float[np.ndarray, "other trajectory"],
) -> Estimate:
    """Mean of `values - reference`, trajectory by trajectory."""
    return _of_trajectories(_seed_mean(values) - _seed_mean(reference), values)


def estimate_ratio(
    values: Float[np.ndarray, "seed trajectory"],
    reference: Float[np.ndarray, "other trajectory"],
) -> Estimate:
    r"""Ratio of the means, $r = \bar a / \bar b$, of paired trajectories.

    The interval is that of the linearised ratio, the mean of $(a - r b) / \bar b$ about `r`.

    References:
        Cochran (1977), *Sampling Techniques*, 3rd ed., §6.
    """
    a, b = _seed_mean(values), _seed_mean(reference)
    paired = np.isfinite(a) & np.isfinite(b)
    if not paired.any() or b[paired].mean() == 0:
        return Estimate(np.nan, np.nan, np.nan, int((~np.isfinite(values)).sum()), values.size)
    ratio = a[paired].mean() / b[paired].mean()
    linearised = _of_trajectories(ratio + (a - ratio * b) / b[paired].mean(), values)
    return Estimate(
        float(ratio), linearised.low, linearised.high, linearised.num_broken, values.size
    )


def _of_trajectories(
    trajectories: Float[np.ndarray, " trajectory"], rollouts: Float[np.ndarray, "seed trajectory"]
) -> Estimate:
    finite = trajectories[np.isfinite(trajectories)]
    num_broken = int((~np.isfinite(rollouts)).sum())
    if finite.size == 0:
        return Estimate(np.nan, np.nan, np.nan, num_broken, rollouts.size)
    mean, low, high = mean_interval(finite)
    return Estimate(float(mean), float(low), float(high), num_broken, rollouts.size)


def _seed_mean(
    values: Float[np.ndarray, "seed trajectory"],
) -> Float[np.ndarray, " trajectory"]:
    """Mean over the seeds that stayed finite; NaN where none did."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0.0).sum(axis=0)
    number = finite.sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
