from __future__ import annotations

import math

import numpy as np
import pytest

from pdesurrogate.evaluation import mean_interval


def test_interval_is_that_of_the_normal_theory_for_normal_values() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    mean, low, high = mean_interval(values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(mean - half, abs=0.1 * half)
    assert high == pytest.approx(mean + half, abs=0.1 * half)


def test_coverage_is_nominal() -> None:
    rng = np.random.default_rng(1)
    intervals = [mean_interval(rng.exponential(size=60)) for _ in range(300)]
    covered = np.mean([interval.low <= 1 <= interval.high for interval in intervals])
    assert 0.9 <= covered <= 0.98


def test_a_lower_level_is_narrower() -> None:
    values = np.random.default_rng(0).normal(size=50)
    wide, narrow = mean_interval(values), mean_interval(values, level=0.5)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_the_same_values_give_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert mean_interval(values) == mean_interval(values)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_a_broken_trajectory_is_never_left_out() -> None:
    mean, _, high = mean_interval([0.1, 0.2, math.inf])
    assert mean == high == math.inf


def test_what_was_not_run_has_no_mean() -> None:
    assert np.isnan(mean_interval([0.1, math.nan])).all()


def test_a_single_trajectory_has_no_interval() -> None:
    mean, low, high = mean_interval([0.1])
    assert mean == 0.1
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]]])
def test_only_one_number_per_trajectory(values: list[float]) -> None:
    with pytest.raises(ValueError, match="one number per trajectory"):
        mean_interval(values)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_the_level_is_a_probability(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([1.0, 2.0], level)
