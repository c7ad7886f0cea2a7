"""Means over trajectories, with an interval that says how far they are to be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pdesurrogate.intervals import Interval

__all__ = ["mean_interval"]

RESAMPLES = 2000
SEED = 20_240_229
"""Fixed, so that the same file always gives the same table."""


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean over trajectories with its bootstrap interval.

    Trajectories are independent of each other, so they are what is drawn with replacement;
    average over lead times first. The percentile bootstrap is used: it needs no assumption on the
    distribution, and it is somewhat narrow for fewer than about ten trajectories.

    A trajectory that broke has an infinite error and makes mean and interval infinite: it is never
    left out. A NaN says that something was not run, and makes everything NaN.

    Args:
        values: One number per trajectory.
        level: Coverage that is aimed at, between 0 and 1.

    Returns:
        Mean, lower and upper end. A single trajectory has no interval: both ends are NaN.

    Raises:
        ValueError: If `values` is not a list of at least one number, or `level` is not between
            0 and 1.

    References:
        Efron & Tibshirani (1993), *An Introduction to the Bootstrap*, ch. 13.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise ValueError(f"a mean needs one number per trajectory, got shape {sample.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    mean = float(sample.mean())
    if sample.size == 1 or np.isnan(mean):
        return Interval(mean, np.nan, np.nan)
    rng = np.random.default_rng(SEED)
    means = sample[rng.integers(sample.size, size=(RESAMPLES, sample.size))].mean(axis=1)
    ends = [(1 - level) / 2, (1 + level) / 2]
    # Without interpolation between resamples, which would make NaN of two infinities.
    low, high = np.quantile(means, ends, method="inverted_cdf")
    return Interval(mean, float(low), float(high))
