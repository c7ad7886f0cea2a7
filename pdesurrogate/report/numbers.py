"""Numbers as a reader wants them: three significant digits, the same way everywhere."""

from __future__ import annotations

import math

__all__ = ["count", "duration", "list_in_words", "significant", "times"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def significant(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits; an en dash for NaN, ∞ for infinity.

    Example:
        >>> significant(0.09318), significant(4.0), significant(1234.5), significant(2.1e-6)
        ('0.0932', '4.00', '1230', '2.10 × 10⁻⁶')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, exponent_text = f"{abs(value):.{digits - 1}e}".split("e")
    sign, exponent = "−" if value < 0 else "", int(exponent_text)
    if not -4 < exponent < 5:
        return f"{sign}{mantissa} × 10{str(exponent).translate(_SUPERSCRIPTS)}"
    rounded = float(f"{mantissa}e{exponent}")
    return f"{sign}{rounded:.{max(0, digits - 1 - exponent)}f}"


def times(ratio: float) -> str:
    """A ratio.

    Example:
        >>> times(5.1)
        '5.10×'
    """
    return f"{significant(ratio)}×"


def count(number: float | int) -> str:
    """A large count with a decimal prefix.

    Example:
        >>> count(511_234), count(2.1e8), count(0)
        ('511 k', '210 M', '0')
    """
    for size, prefix in _PREFIXES:
        if math.isfinite(number) and abs(number) >= size:
            return f"{significant(number / size)} {prefix}"
    return significant(number) if number % 1 or math.isnan(number) else f"{number:.0f}"


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    Example:
        >>> duration(0.0044), duration(65.0), duration(650.0), duration(9000.0)
        ('4.40 ms', '65.0 s', '10.8 min', '2.50 h')
    """
    if math.isnan(seconds):
        return "–"
    if seconds == 0:
        return "0 s"
    for limit, scale, unit in (
        (1e-3, 1e6, "µs"),
        (1.0, 1e3, "ms"),
        (120.0, 1.0, "s"),
        (7200.0, 1 / 60, "min"),
    ):
        if seconds < limit:
            return f"{significant(seconds * scale)} {unit}"
    return f"{significant(seconds / 3600)} h"


def list_in_words(items: list[str]) -> str:
    """Items as a sentence lists them.

    Example:
        >>> list_in_words(["a", "b", "c"])
        'a, b and c'
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
