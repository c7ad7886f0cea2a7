from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pdesurrogate.evaluation import observed_order

SPACINGS = np.array([8.0, 4.0, 2.0])


def planted(order: float, trajectories: int = 12, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Errors that are distances to the top rung of spacing 1, of trajectories that differ."""
    rng = np.random.default_rng(seed)
    sizes = np.exp(0.3 * rng.standard_normal((trajectories, 1)))
    scatter = np.exp(noise * rng.standard_normal((trajectories, len(SPACINGS))))
    return sizes * scatter * (SPACINGS**order - 1.0) / order


@pytest.mark.parametrize("order", [-1.0, 0.5, 1.0, 2.0, 3.7, 6.0])
@pytest.mark.parametrize("rungs", [2, 3])
def test_a_planted_order_is_found(order: float, rungs: int) -> None:
    fit = observed_order(SPACINGS[-rungs:], planted(order)[:, -rungs:], 1.0)
    assert fit.order == pytest.approx(order, abs=1e-6)
    assert fit.num_rungs == rungs
    # All trajectories fall alike, so that resamples cannot differ.
    assert fit.low == pytest.approx(order, abs=1e-3)
    assert fit.high == pytest.approx(order, abs=1e-3)
    assert np.isnan(fit.residual) if rungs == 2 else fit.residual < 1e-6


def test_a_straight_line_would_be_too_steep() -> None:
    errors = planted(1.0)[:, 1:]
    slope = np.log2(errors[0, 0] / errors[0, 1])
    assert slope == pytest.approx(np.log2(3))
    assert observed_order(SPACINGS[1:], errors, 1.0).order == pytest.approx(1.0, abs=1e-6)


def test_units_and_the_order_of_rungs_do_not_matter() -> None:
    errors = planted(2.0, noise=0.2)
    fit = observed_order(SPACINGS, errors, 1.0)
    again = observed_order(3e-3 * SPACINGS[::-1], 7.0 * errors[:, ::-1], 3e-3)
    for one, other in zip(
        (fit.order, fit.low, fit.high, fit.residual),
        (again.order, again.low, again.high, again.residual),
        strict=True,
    ):
        assert one == pytest.approx(other, rel=1e-5)


def test_noise_stays_within_the_interval_and_shows_in_the_residual() -> None:
    fit = observed_order(SPACINGS, planted(2.0, trajectories=30, noise=0.2, seed=2), 1.0)
    assert fit.low < 2.0 < fit.high
    assert 0.0 < fit.high - fit.low < 0.5
    assert 0.001 < fit.residual < 0.2


def test_errors_that_do_not_fall_have_no_order() -> None:
    flat = np.ones((4, 3))
    fit = observed_order(SPACINGS, flat, 1.0)
    assert (fit.order, fit.low, fit.high) == (-np.inf, -np.inf, -np.inf)
    assert np.isnan(fit.residual)


def test_only_the_last_rungs_may_be_fitted() -> None:
    errors = planted(2.0)
    errors[:, 0] *= 3.0
    assert observed_order(SPACINGS, errors, 1.0).order > 2.2
    assert observed_order(SPACINGS, errors, 1.0, last=2).order == pytest.approx(2.0, abs=1e-6)


def test_rounding_is_left_out_and_what_broke_is_not() -> None:
    errors = planted(2.0)
    errors[:, 2] = 1e-8
    fit = observed_order(SPACINGS, errors, 1.0, floor=1e-6)
    assert fit.order == pytest.approx(2.0, abs=1e-6)
    assert fit.num_rungs == 2
    assert np.isnan(observed_order(SPACINGS, 0 * errors, 1.0, floor=1e-6).order)
    errors[3, 1] = np.inf
    assert np.isnan(observed_order(SPACINGS, errors, 1.0).order)


def test_one_trajectory_has_an_order_but_no_interval() -> None:
    fit = observed_order(SPACINGS, planted(2.0, trajectories=1), 1.0)
    assert fit.order == pytest.approx(2.0, abs=1e-6)
    assert np.isnan([fit.low, fit.high]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spacings": [2.0], "errors": np.ones((3, 1))}, "at least two rungs"),
        ({"top_spacing": 2.0}, "above that of the top rung"),
        ({"spacings": [4.0, 4.0, 2.0]}, "must differ"),
        ({"last": 4}, "last must lie between 2 and the number of rungs, 3, got 4"),
        ({"last": 1}, "got 1"),
        ({"errors": np.full((2, 3), np.nan)}, "not be negative or NaN"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
    ],
)
def test_nonsense_is_refused(change: dict[str, Any], message: str) -> None:
    wishes = {"spacings": SPACINGS, "errors": np.ones((3, 3)), "top_spacing": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        observed_order(**wishes)


@pytest.mark.slow
def test_the_interval_covers_the_order_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(300):
        # The mean of noise of this kind is the same factor on every rung: no bias of the order.
        fit = observed_order(SPACINGS, planted(2.0, trajectories=25, noise=0.3, seed=seed), 1.0)
        hits += fit.low <= 2.0 <= fit.high
    assert 0.87 < hits / 300 < 0.985
