"""The order at which an error falls along a ladder of grids, and how far it is to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from pdesurrogate.evaluation.statistics import RESAMPLES, SEED

__all__ = ["OrderFit", "observed_order"]

_ORDERS = np.linspace(-4.0, 12.0, 1601)
"""Orders that are tried before the best one is refined."""


@dataclass(frozen=True)
class OrderFit:
    r"""What was fitted to $c(n) = C\,(h_n^p - h_N^p)$.

    Args:
        order: $p$. Minus infinity where the errors do not fall along the ladder, infinity where
            they fall faster than any order up to 12, NaN where there is nothing to fit.
        low: Lower end of the bootstrap interval over trajectories; NaN for a single one.
        high: Upper end.
        residual: Root mean square of $\log c$ minus the fit; NaN for two rungs, through which
            some curve always goes.
        num_rungs: Rungs below the top one that the fit has seen.
    """

    order: float
    low: float
    high: float
    residual: float
    num_rungs: int


def observed_order(
    spacings: Sequence[float] | Float[np.ndarray, " rung"],
    errors: Float[np.ndarray, "trajectory rung"],
    top_spacing: float,
    *,
    last: int | None = None,
    floor: float = 0.0,
    level: float = 0.95,
) -> OrderFit:
    r"""Fit the order of errors that are distances to the top rung of a ladder.

    An operator $U_n$ of order $p$ differs from its limit by $C h_n^p$. The limit is not at hand: a
    commutation error compares with the top rung $N$, which is off by $C h_N^p$ in the same
    direction, so that

    $$ c(n) \approx C\, (h_n^p - h_N^p) . $$

    A straight line through $\log c$ over $\log h$ is therefore too steep, the more the closer its
    rungs are to the top: over $4h, 2h$ with the top at $h$ a method of order 1 looks like one of
    order $\log_2 3 \approx 1.58$. Fitted instead is $p$ in the formula above, by least squares in
    $\log c$, with the means over trajectories as $c$.

    For the interval trajectories are drawn with replacement, all rungs of one together, and the
    fit is done again. This percentile bootstrap is somewhat narrow: of 95% intervals over 25
    trajectories nine in ten cover.

    Args:
        spacings: Grid spacings $h_n$ of the rungs below the top, in any unit of length.
        errors: Errors of each trajectory at these rungs, not negative. One that is infinite says
            that something broke: then there is no order.
        top_spacing: $h_N$, in the same unit.
        last: Use only so many of the finest rungs; all by default.
        floor: Rungs whose mean error is not above it are left out, because it is rounding.
        level: Coverage that the interval aims at.

    Returns:
        The order with its interval. NaN where fewer than two rungs are left.

    Raises:
        ValueError: If there are fewer than two rungs, their spacings are not different and above
            the top one's, the shapes do not agree, or a number is out of range.

    References:
        Roache (1998), *Verification and Validation in Computational Science and Engineering*, §5,
        on the observed order. Efron & Tibshirani (1993), *An Introduction to the Bootstrap*,
        ch. 13.

    Example:
        >>> import numpy as np
        >>> h = np.array([0.4, 0.2, 0.1])
        >>> round(observed_order(h, (h**2 - 0.05**2)[None], 0.05).order, 6)
        2.0
    """
    h, errors = np.asarray(spacings, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    _check(h, errors, top_spacing, last, level)
    finest_last = np.argsort(-h)[-last if last else 0 :]
    h, errors = h[finest_last], errors[:, finest_last]
    mean = errors.mean(axis=0)
    if not np.isfinite(mean).all() or (mean > floor).sum() < 2:
        return OrderFit(np.nan, np.nan, np.nan, np.nan, 0)
    distances, errors = np.log(h / top_spacing)[mean > floor], errors[:, mean > floor]
    logs = np.log(errors.mean(axis=0))
    order = _refined(float(_orders(logs[None], distances)[0]), logs, distances)
    low, high = _interval(errors, distances, floor, level)
    residual = np.nan
    if len(distances) > 2 and np.isfinite(order):
        residual = float(np.sqrt(_square_sum(order, logs, distances) / len(logs)))
    return OrderFit(order, low, high, residual, len(distances))


def _check(
    h: np.ndarray, errors: np.ndarray, top_spacing: float, last: int | None, level: float
) -> None:
    if h.ndim != 1 or errors.ndim != 2 or errors.shape[1:] != h.shape or not errors.size:
        raise ValueError(
            "errors must be a table of trajectories by rungs with a column for each spacing, got "
            f"shape {errors.shape} for {h.size} spacings"
        )
    if h.size < 2:
        raise ValueError(f"an order needs at least two rungs below the top one, got {h.size}")
    if not (0 < top_spacing < h.min() and len(np.unique(h)) == len(h)):
        raise ValueError(
            f"spacings must differ and be above that of the top rung, {top_spacing:g}, which must "
            f"be positive; got {', '.join(f'{spacing:g}' for spacing in h)}"
        )
    if last is not None and not 2 <= last <= h.size:
        raise ValueError(f"last must lie between 2 and the number of rungs, {h.size}, got {last}")
    if np.isnan(errors).any() or (errors < 0).any():
        raise ValueError("errors must not be negative or NaN")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")


def _model(
    orders: Float[np.ndarray, " order"], distances: Float[np.ndarray, " rung"]
) -> Float[np.ndarray, "order rung"]:
    r"""$\log\,(h_n^p - h_N^p)$ up to a constant of each order, and less its mean over the rungs.

    As $\log\,((e^{p a} - 1) / p)$ with $a = \log\,(h_n / h_N)$, which is smooth through $p = 0$.
    """
    p = np.where(orders == 0, 1e-12, orders)[:, None]
    values = np.log(np.expm1(p * distances) / p)
    return values - values.mean(axis=1, keepdims=True)


def _orders(
    logs: Float[np.ndarray, "sample rung"], distances: Float[np.ndarray, " rung"]
) -> Float[np.ndarray, " sample"]:
    """The best order of each sample, to a fraction of the spacing of those that are tried."""
    table = _model(_ORDERS, distances)
    centred = logs - logs.mean(axis=1, keepdims=True)
    squares = (table**2).sum(axis=1) - 2 * centred @ table.T
    best = squares.argmin(axis=1)
    inner = np.clip(best, 1, len(_ORDERS) - 2)
    rows = np.arange(len(logs))
    before, at, after = (squares[rows, inner + shift] for shift in (-1, 0, 1))
    shift = 0.5 * (before - after) / (before - 2 * at + after)
    orders = _ORDERS[inner] + shift * (_ORDERS[1] - _ORDERS[0])
    orders[best == 0], orders[best == len(_ORDERS) - 1] = -np.inf, np.inf
    return orders


def _refined(order: float, logs: np.ndarray, distances: np.ndarray) -> float:
    if not np.isfinite(order):
        return order
    step = 2 * (_ORDERS[1] - _ORDERS[0])
    found = minimize_scalar(
        _square_sum,
        bounds=(order - step, order + step),
        args=(logs, distances),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(found.x)


def _square_sum(order: float, logs: np.ndarray, distances: np.ndarray) -> float:
    misfit = logs - logs.mean() - _model(np.array([order]), distances)[0]
    return float((misfit**2).sum())


def _interval(
    errors: Float[np.ndarray, "trajectory rung"],
    distances: Float[np.ndarray, " rung"],
    floor: float,
    level: float,
) -> tuple[float, float]:
    count = len(errors)
    if count == 1:
        return np.nan, np.nan
    drawn = np.random.default_rng(SEED).integers(count, size=(RESAMPLES, count))
    means = np.maximum(errors[drawn].mean(axis=1), max(floor, np.finfo(float).tiny))
    orders = _orders(np.log(means), distances)
    # Without interpolation between resamples, which would make NaN of two infinities.
    low, high = np.quantile(orders, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)
