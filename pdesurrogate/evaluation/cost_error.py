r"""Forecasts in the plane of cost and error: which are worth having, and when a training pays.

A forecast is *efficient* if no other is both cheaper and better; the efficient ones are the Pareto
front. A surrogate that is not on it is not worth running. One that is has cost its training, which
pays off after so many rollouts as it takes to save as much time against the cheapest solver that
errs no more.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["break_even", "pareto_front"]


def pareto_front(
    seconds: Float[np.ndarray, " forecast"], errors: Float[np.ndarray, " forecast"]
) -> Bool[np.ndarray, " forecast"]:
    """Which forecasts no other one beats.

    One beats another if it is at least as cheap and at least as good, and not equal in both. What
    has no cost or no finite error is on no front.

    Args:
        seconds: What each costs.
        errors: How far each errs.

    Example:
        >>> pareto_front(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.6, 0.1])).tolist()
        [True, False, True]
    """
    is_there = np.isfinite(seconds) & np.isfinite(errors)
    is_efficient = np.zeros(len(seconds), dtype=bool)
    for i in np.flatnonzero(is_there):
        no_worse = (seconds <= seconds[i]) & (errors <= errors[i])
        better = (seconds < seconds[i]) | (errors < errors[i])
        is_efficient[i] = not (is_there & no_worse & better).any()
    return is_efficient


def break_even(
    training_seconds: float,
    seconds: float,
    error: float,
    solver_seconds: Float[np.ndarray, " solver"],
    solver_errors: Float[np.ndarray, " solver"],
) -> float:
    r"""After how many rollouts a surrogate has saved the time that its training took.

    $$ N = \frac{t_\text{training}}{t_\text{solver} - t_\text{surrogate}} $$

    where the solver is the cheapest one that errs no more than the surrogate.

    Args:
        training_seconds: What the training took.
        seconds: What a rollout of the surrogate takes.
        error: How far it errs.
        solver_seconds: What a rollout of each solver takes.
        solver_errors: How far each errs.

    Returns:
        Infinity if that solver is not slower; NaN if no solver errs as little, or the surrogate
        broke, so that there is nothing to compare with.

    Example:
        >>> solver_seconds, solver_errors = np.array([1.0, 4.0]), np.array([0.3, 0.01])
        >>> break_even(60.0, 1.0, 0.1, solver_seconds, solver_errors)
        20.0
    """
    as_good = solver_seconds[solver_errors <= error]
    if as_good.size == 0 or not math.isfinite(error):
        return math.nan
    saved = float(as_good.min()) - seconds
    return training_seconds / saved if saved > 0 else math.inf
