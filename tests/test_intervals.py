from __future__ import annotations

import math

import numpy as np
import pytest

from pdesurrogate.intervals import student_interval


@pytest.mark.parametrize(
    ("size", "quantile"), [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262), (31, 2.042)]
)
def test_the_interval_is_the_one_in_the_tables(size: int, quantile: float) -> None:
    values = np.random.default_rng(size).normal(size=size)
    mean, low, high = student_interval(values)
    half = quantile * values.std(ddof=1) / math.sqrt(size)
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((mean - half, mean + half), rel=1e-3)


def test_three_numbers_are_covered_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    intervals = [student_interval(rng.normal(5.0, 2.0, size=3)) for _ in range(2000)]
    covered = np.mean([low <= 5.0 <= high for _, low, high in intervals])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_another_level_has_another_width() -> None:
    half = student_interval([1.0, 2.0, 3.0], level=0.5).high - 2.0
    assert half == pytest.approx(0.8165 / math.sqrt(3), rel=1e-3)


@pytest.mark.parametrize("values", [[0.3], [0.3, math.inf], [0.3, math.nan]])
def test_what_has_no_interval_has_none(values: list[float]) -> None:
    mean, low, high = student_interval(values)
    assert math.isnan(low)
    assert math.isnan(high)
    np.testing.assert_equal(mean, np.mean(values))


@pytest.mark.parametrize(
    ("values", "level", "sentence"),
    [([], 0.95, "at least one number"), ([[1.0]], 0.95, r"shape \(1, 1\)"), ([1.0], 1.0, "level")],
)
def test_what_is_no_sample_is_refused(values: list, level: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        student_interval(values, level)
