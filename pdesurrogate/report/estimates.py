"""Means with their uncertainty, as a table's cell or a curve's band shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from pdesurrogate.evaluation.statistics import (
    mean_interval,
    nested_interval,
    paired_comparison,
    ratio_interval,
)

__all__ = ["Estimate", "estimate", "estimate_ratio"]


@dataclass(frozen=True)
class Estimate:
    """A mean over trajectories and seeds with its 95% interval.

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
    """Mean over all rollouts, with an interval that counts trajectories and seeds.

    It says how the mean would vary with other trajectories and other trainings; with a single seed,
    or where rollouts broke, with other trajectories only.
    """
    finite = np.isfinite(values)
    num_broken = int((~finite).sum())
    if num_broken == 0:
        return Estimate(*nested_interval(values), 0, values.size)
    if num_broken == values.size:
        return Estimate(np.nan, np.nan, np.nan, num_broken, values.size)
    kept = _seed_mean(values)[finite.any(axis=0)]
    return Estimate(*mean_interval(kept), num_broken, values.size)


def estimate_ratio(
    values: Float[np.ndarray, "seed trajectory"],
    reference: Float[np.ndarray, "other trajectory"],
) -> Estimate:
    r"""Ratio of the mean errors of the same runs, $r = \bar a / \bar b$, on two grids, say.

    Where rollouts broke, it is that of the trajectories on which both have a seed that did not, and
    its interval speaks of trajectories only.
    """
    num_broken, num_rollouts = int((~np.isfinite(values)).sum()), values.size
    if not np.isfinite(values).all() or not np.isfinite(reference).all():
        whole = _survived(values) & _survived(reference)
        if not whole.any():
            return Estimate(np.nan, np.nan, np.nan, num_broken, num_rollouts)
        values, reference = (_seed_mean(v)[None, whole] for v in (values, reference))
    if len(values) == len(reference):
        ratio = ratio_interval(values, reference)
    else:  # some seed was not evaluated in both places
        ratio = paired_comparison(values, reference).ratio
    if not np.isfinite(ratio.mean):
        return Estimate(np.nan, np.nan, np.nan, num_broken, num_rollouts)
    return Estimate(*ratio, num_broken, num_rollouts)


def _survived(
    values: Float[np.ndarray, "seed trajectory"],
) -> Bool[np.ndarray, " trajectory"]:
    """Trajectories on which some seed stayed finite."""
    return np.isfinite(values).any(axis=0)


def _seed_mean(
    values: Float[np.ndarray, "seed trajectory"],
) -> Float[np.ndarray, " trajectory"]:
    """Mean over the seeds that stayed finite; NaN where none did."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0.0).sum(axis=0)
    number = finite.sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
