"""A mean with the interval that says how far it is to be trusted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

__all__ = ["Interval", "student_interval"]


class Interval(NamedTuple):
    """A mean and the interval around it."""

    mean: float
    low: float
    high: float


def student_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    r"""Mean of a few numbers, such as one per seed, with Student's interval.

    $$ \bar x \pm t_{n-1} \, \frac{s}{\sqrt n} $$

    Exact for normal values, however few; for means over trajectories, which are many and not
    normal, see `pdesurrogate.evaluation.mean_interval`.

    Args:
        values: Independent numbers, at least one.
        level: Coverage, between 0 and 1.

    Returns:
        Mean, lower and upper end. A single number has no interval, nor have numbers of which one is
        infinite or NaN: both ends are NaN.

    Raises:
        ValueError: If there is no number, or `level` is not between 0 and 1.

    References:
        Student (1908), *The Probable Error of a Mean*.

    Example:
        >>> [round(x, 3) for x in student_interval([1.0, 2.0, 3.0])]  # 2 ± 4.303 / sqrt(3)
        [2.0, -0.484, 4.484]
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise ValueError(f"a mean needs a list of at least one number, got shape {sample.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    mean = float(sample.mean())
    if sample.size == 1 or not np.isfinite(sample).all():
        return Interval(mean, np.nan, np.nan)
    error = float(sample.std(ddof=1)) / np.sqrt(sample.size)
    half = float(stdtrit(sample.size - 1, (1 + level) / 2) * error)
    return Interval(mean, mean - half, mean + half)
