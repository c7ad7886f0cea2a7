"""Means over trajectories and seeds, with intervals that say how far they are to be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from pdesurrogate.intervals import Interval

__all__ = [
    "RESAMPLES",
    "SEED",
    "Comparison",
    "Verdict",
    "mean_interval",
    "nested_interval",
    "paired_comparison",
    "ratio_interval",
]

RESAMPLES = 2000
SEED = 20_240_229
"""Fixed, so that the same file always gives the same table."""

_LARGEST_EXPONENT = 700.0
"""`exp` of it is just finite; an interval that wide says nothing anyway."""

Verdict = Literal["better", "worse", "can't tell"]
"""What a comparison of two errors comes to."""


@dataclass(frozen=True)
class Comparison:
    """One method's error against another's on the same trajectories.

    Args:
        difference: Mean error of ours minus mean error of theirs.
        ratio: Mean error of ours over mean error of theirs.
        verdict: `better` where the interval of the difference lies below zero, `worse` where it
            lies above, else `can't tell`.
    """

    difference: Interval
    ratio: Interval
    verdict: Verdict


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
    return _interval(float(sample.mean()), _trajectory_means(sample), level, sample.size)


def nested_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    r"""Mean error over seeds and trajectories, with an interval that counts the chance in both.

    Seeds and trajectories are crossed: every seed is scored on the same test trajectories. So both
    factors vary by themselves, and a trajectory is drawn for all seeds at once (Owen, 2007).
    Trajectories are many, and drawn with replacement. Seeds are few: of three, a bootstrap sees two
    thirds of the variance and none of what lies beyond the three. Their part is therefore
    Student's, on logarithms, as seeds change an error by a factor:

    $$ m^* = \frac1T \sum_t \bar v_{t^*} \; \exp\!\left(\frac{s}{\sqrt S}\, \tau_{S-1}\right) $$

    with $\bar v_t$ the mean over the $S$ seeds on trajectory $t$, $s$ the standard deviation of the
    logarithms of the seeds' means, and $\tau$ a draw from Student's distribution. The ends are
    percentiles of $m^*$. Two seeds give very wide intervals: two seeds tell very little. With one
    seed it is `mean_interval` and speaks of other trajectories only, not of other trainings.

    A rollout that broke has an infinite error and makes the mean and the upper end infinite. A NaN
    says that something was not run, and makes everything NaN.

    Args:
        values: Errors, none negative, of shape `(seed, trajectory)`.
        level: Coverage that is aimed at, between 0 and 1.

    Returns:
        Mean, lower and upper end. A single trajectory has no interval: both ends are NaN.

    Raises:
        ValueError: If `values` has another shape, nothing in it or a negative number, or `level` is
            not between 0 and 1.

    References:
        Owen (2007), *The pigeonhole bootstrap*, Annals of Applied Statistics 1(2).
        Student (1908), *The Probable Error of a Mean*.
    """
    errors = _errors(values)
    spread = _spread(_log_seed_means(errors))
    means = _trajectory_means(errors.mean(axis=0)) * _seed_factors(errors.shape[0], spread, 0)
    return _interval(float(errors.mean()), means, level, errors.shape[1])


def ratio_interval(values: ArrayLike, reference: ArrayLike, level: float = 0.95) -> Interval:
    r"""Ratio of two mean errors of the same runs on the same trajectories, $\bar a / \bar b$.

    For a training on two grids, say: what a seed or a trajectory has in common on both cancels.
    Trajectories are drawn for both errors at once; the seeds' part is Student's, on the logarithms
    of each seed's own ratio. See `nested_interval`.

    Args:
        values: Errors of shape `(seed, trajectory)`, none negative.
        reference: Errors of the same seeds on the same trajectories.
        level: Coverage that is aimed at, between 0 and 1.

    Returns:
        Ratio, lower and upper end; NaN where both means are infinite or both zero.

    Raises:
        ValueError: If the shapes differ or are not `(seed, trajectory)`, a number is negative, or
            `level` is not between 0 and 1.
    """
    ours, theirs = _errors(values), _errors(reference)
    if ours.shape != theirs.shape:
        raise ValueError(
            f"a ratio needs the same seeds and trajectories twice, got shapes {ours.shape} and "
            f"{theirs.shape}"
        )
    with np.errstate(invalid="ignore"):  # of two errors that vanish
        logarithms = _log_seed_means(ours) - _log_seed_means(theirs)
    factors = _seed_factors(ours.shape[0], _spread(logarithms), 0)
    a, b = ours.mean(axis=0), theirs.mean(axis=0)
    ratios = _quotient(_trajectory_means(a) * factors, _trajectory_means(b))
    ratio = float(_quotient(a.mean(), b.mean()))
    return _interval(ratio, ratios, level, ours.shape[1])


def paired_comparison(ours: ArrayLike, theirs: ArrayLike, level: float = 0.95) -> Comparison:
    """Whether one method's error is smaller than another's on the same trajectories.

    Trajectories are drawn for both methods at once, so that what is hard for both cancels; their
    seeds are independent. See `nested_interval` for how the seeds enter, and for what one or two of
    them can tell.

    A method of which a rollout broke is worse than one of which none did, whatever the others are;
    where both broke there is no telling. NaN says that something was not run: no telling either.

    Args:
        ours: Errors of shape `(seed, trajectory)`, none negative. A forecast without training has
            one seed.
        theirs: Errors of the other method: any number of seeds, the same trajectories.
        level: Coverage that is aimed at, between 0 and 1. A verdict on two equally good methods is
            wrong in about one minus it of all cases, more often for fewer than about ten
            trajectories; of many comparisons, some are.

    Raises:
        ValueError: If the numbers of trajectories differ, a shape is not `(seed, trajectory)`, a
            number is negative, or `level` is not between 0 and 1.
    """
    a, b = _errors(ours), _errors(theirs)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"a paired comparison needs the same trajectories, got {a.shape[1]} and {b.shape[1]}"
        )
    mean_a, mean_b = a.mean(), b.mean()
    if not np.isfinite(mean_a) and not np.isfinite(mean_b):
        nothing = Interval(np.nan, np.nan, np.nan)
        return Comparison(nothing, nothing, "can't tell")
    draws_a, draws_b = (
        _trajectory_means(errors.mean(axis=0))
        * _seed_factors(errors.shape[0], _spread(_log_seed_means(errors)), stream)
        for stream, errors in enumerate((a, b))
    )
    count = a.shape[1]
    difference = _interval(float(mean_a - mean_b), draws_a - draws_b, level, count)
    ratio = _interval(float(_quotient(mean_a, mean_b)), _quotient(draws_a, draws_b), level, count)
    return Comparison(difference, ratio, _verdict(difference))


def _verdict(difference: Interval) -> Verdict:
    """Of a difference of errors, an infinite one where one side broke."""
    if difference.low > 0 or difference.mean == np.inf:
        return "worse"
    if difference.high < 0 or difference.mean == -np.inf:
        return "better"
    return "can't tell"


def _errors(values: ArrayLike) -> Float[np.ndarray, "seed trajectory"]:
    errors = np.asarray(values, dtype=np.float64)
    if errors.ndim != 2 or errors.size == 0:
        raise ValueError(f"errors must have the shape (seed, trajectory), got {errors.shape}")
    if (errors < 0).any():
        raise ValueError(f"errors must not be negative, got {errors.min()}")
    return errors


def _interval(
    mean: float, resampled: Float[np.ndarray, " resample"], level: float, num_trajectories: int
) -> Interval:
    """Percentiles of the resampled means; NaN where there are none to speak of."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if num_trajectories == 1 or np.isnan(mean):
        return Interval(mean, np.nan, np.nan)
    ends = [(1 - level) / 2, (1 + level) / 2]
    # Without interpolation between resamples, which would make NaN of two infinities.
    low, high = np.quantile(resampled, ends, method="inverted_cdf")
    return Interval(mean, float(low), float(high))


def _trajectory_means(
    values: Float[np.ndarray, " trajectory"],
) -> Float[np.ndarray, " resample"]:
    """Means of trajectories drawn with replacement; the same draw for every method."""
    return values[_drawn(values.size)].mean(axis=1)


@lru_cache(maxsize=8)
def _drawn(num_trajectories: int) -> Int[np.ndarray, "resample trajectory"]:
    rng = np.random.default_rng(SEED)
    return rng.integers(num_trajectories, size=(RESAMPLES, num_trajectories))


def _log_seed_means(
    errors: Float[np.ndarray, "seed trajectory"],
) -> Float[np.ndarray, " seed"]:
    """Logarithm of each seed's mean over the trajectories on which no seed broke."""
    whole = np.isfinite(errors).all(axis=0)
    if not whole.any():
        return np.zeros(errors.shape[0])
    with np.errstate(divide="ignore"):
        return np.log(errors[:, whole].mean(axis=1))


def _spread(logarithms: Float[np.ndarray, " seed"]) -> float:
    """Standard error of the mean over seeds; none for one seed or for errors that all vanish."""
    if logarithms.size == 1 or not np.isfinite(logarithms).any():
        return 0.0
    if not np.isfinite(logarithms).all():
        return np.inf  # some vanish, some do not
    return float(logarithms.std(ddof=1)) / np.sqrt(logarithms.size)


def _seed_factors(num_seeds: int, spread: float, stream: int) -> Float[np.ndarray, " resample"]:
    """By how much the mean over other seeds may be larger, one factor per resample."""
    if spread == 0.0:
        return np.ones(RESAMPLES)
    exponents = spread * _student(num_seeds - 1, stream)
    return np.exp(exponents.clip(-_LARGEST_EXPONENT, _LARGEST_EXPONENT))


@lru_cache(maxsize=32)
def _student(freedom: int, stream: int) -> Float[np.ndarray, " resample"]:
    """Student's distribution at equally likely quantiles, in an order of the stream's own.

    Drawing quantiles without repetition keeps the heavy tails from adding noise of their own.
    """
    order = np.random.default_rng((SEED, stream + 1)).permutation(RESAMPLES)
    return np.asarray(stdtrit(freedom, (order + 0.5) / RESAMPLES))


def _quotient(
    numerator: Float[np.ndarray, "*some"] | float, denominator: Float[np.ndarray, "*some"] | float
) -> Float[np.ndarray, "*some"]:
    """A ratio; infinite over zero, NaN for zero over zero or infinity over infinity."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.divide(numerator, denominator))
