from __future__ import annotations

import numpy as np
import pytest

from pdesurrogate.evaluation import mean_interval, nested_interval, ratio_interval
from pdesurrogate.report.estimates import estimate, estimate_ratio


def test_one_seed_is_the_mean_over_trajectories() -> None:
    values = np.array([[0.1, 0.2, 0.4, 0.7]])
    value = estimate(values)
    assert (value.mean, value.low, value.high) == tuple(mean_interval(values[0]))
    assert (value.num_broken, value.num_rollouts) == (0, 4)


def test_the_interval_counts_seeds_as_well() -> None:
    values = np.array([[0.1, 0.3, 0.2], [0.3, 0.5, 0.4]])
    value = estimate(values)
    assert (value.mean, value.low, value.high) == tuple(nested_interval(values))
    assert value.high > values.max()  # two seeds tell very little


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


def test_a_ratio_is_of_the_same_seeds() -> None:
    reference = np.array([[0.1, 0.2, 0.4], [0.3, 0.5, 0.9], [0.2, 0.2, 0.3]])
    values = reference * [[2.0], [2.1], [1.9]]
    ratio = estimate_ratio(values, reference)
    assert (ratio.mean, ratio.low, ratio.high) == tuple(ratio_interval(values, reference))
    assert ratio.high < 2.4  # though the errors of the seeds differ by a factor of two
    without = estimate_ratio(values[:2], reference)  # a seed that was not run on one of the grids
    assert without.mean == pytest.approx(values[:2].mean() / reference.mean())


def test_a_ratio_tells_what_broke() -> None:
    reference = np.array([[0.1, 0.2, 0.4], [0.3, 0.4, 0.9]])
    values = 2 * reference
    values[0, 1] = values[0, 2] = values[1, 2] = np.inf
    ratio = estimate_ratio(values, reference)
    assert (ratio.num_broken, ratio.num_rollouts) == (3, 6)
    assert ratio.mean == pytest.approx((0.4 + 0.8) / (0.2 + 0.3))
