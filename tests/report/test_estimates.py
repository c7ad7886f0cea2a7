from __future__ import annotations

import numpy as np
import pytest

from pdesurrogate.evaluation import mean_interval
from pdesurrogate.report.estimates import estimate, estimate_difference, estimate_ratio


def test_one_seed_is_the_mean_over_trajectories() -> None:
    values = np.array([[0.1, 0.2, 0.4, 0.7]])
    value = estimate(values)
    assert (value.mean, value.low, value.high) == tuple(mean_interval(values[0]))
    assert (value.num_broken, value.num_rollouts) == (0, 4)


def test_seeds_are_averaged_before_trajectories_are_drawn() -> None:
    values = np.array([[0.1, 0.3], [0.3, 0.5]])
    value = estimate(values)
    assert value.mean == pytest.approx(0.3)
    assert (value.low, value.high) == pytest.approx((0.2, 0.4))


def test_broken_rollouts_are_counted_and_not_averaged() -> None:
    value = estimate(np.array([[0.2, np.inf], [0.4, 0.6]]))
    assert value.mean == pytest.approx((0.3 + 0.6) / 2)
    assert (value.num_broken, value.num_rollouts) == (1, 4)
    everything = estimate(np.full((1, 3), np.inf))
    assert np.isnan(everything.mean)
    assert everything.num_broken == 3


def test_ratio_of_means_with_an_interval_about_it() -> None:
    rng = np.random.default_rng(0)
    reference = 1 + 0.2 * rng.random((1, 200))
    noise = 0.01 * rng.standard_normal((1, 200))
    value = estimate_ratio(3 * reference + noise, reference)
    assert value.mean == pytest.approx((3 * reference + noise).mean() / reference.mean())
    assert value.low < value.mean < value.high
    # The two are paired, so that what varies with the trajectory cancels.
    assert value.high - value.low == pytest.approx(4 * 0.01 / np.sqrt(200) / 1.1, rel=0.15)


def test_ratio_to_nothing_is_not_a_number() -> None:
    assert np.isnan(estimate_ratio(np.ones((1, 2)), np.zeros((1, 2))).mean)


def test_paired_difference_is_sharper_than_its_parts() -> None:
    reference = np.linspace(0, 1, 20)[None]
    value = estimate_difference(reference + 0.1, reference)
    assert (value.mean, value.low, value.high) == pytest.approx((0.1, 0.1, 0.1))
