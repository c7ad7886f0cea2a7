from __future__ import annotations

import math

import pytest

from pdesurrogate.report.numbers import count, duration, list_in_words, significant, times


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.09318, "0.0932"),
        (0.0999999, "0.100"),
        (0.5, "0.500"),
        (1.0, "1.00"),
        (9.999, "10.0"),
        (-2.5, "−2.50"),
        (123.4, "123"),
        (99999.0, "1.00 × 10⁵"),
        (12345.0, "12300"),
        (0.0, "0"),
        (0.0001234, "1.23 × 10⁻⁴"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_counts_carry_a_prefix() -> None:
    assert [count(n) for n in (0, 999, 1000, 511_234, 2.1e8, 3.4e12)] == [
        "0",
        "999",
        "1.00 k",
        "511 k",
        "210 M",
        "3.40 T",
    ]
    assert count(math.nan) == "–"


def test_durations_choose_their_unit() -> None:
    assert [duration(s) for s in (0.0, 2e-5, 0.0044, 65.0, 650.0, 9000.0)] == [
        "0 s",
        "20.0 µs",
        "4.40 ms",
        "65.0 s",
        "10.8 min",
        "2.50 h",
    ]
    assert duration(math.nan) == "–"


def test_ratios_and_lists() -> None:
    assert times(5.1) == "5.10×"
    assert [list_in_words(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
