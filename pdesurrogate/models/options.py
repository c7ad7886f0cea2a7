"""Checks of a model's or part's options, so that all refuse nonsense in the same words."""

from __future__ import annotations

from collections.abc import Sequence

from pdesurrogate.models.part import Part
from pdesurrogate.models.spec import ModelSpec

__all__ = ["require_at_least", "require_choice"]


def require_at_least(spec: ModelSpec | Part, **minima: int) -> None:
    """Refuse options below their minimum.

    Args:
        spec: The options.
        minima: Smallest allowed value by option.

    Raises:
        ValueError: Names the option, its value and its minimum.
    """
    for option, minimum in minima.items():
        value = getattr(spec, option)
        if value < minimum:
            raise ValueError(
                f"{type(spec).__name__}.{option} must be at least {minimum}, got {value}"
            )


def require_choice(spec: ModelSpec | Part, **choices: Sequence[str]) -> None:
    """Refuse options that are none of those on offer.

    Args:
        spec: The options.
        choices: Allowed values by option.

    Raises:
        ValueError: Names the option, its value and what is allowed.
    """
    for option, allowed in choices.items():
        value = getattr(spec, option)
        if value not in allowed:
            raise ValueError(
                f"{type(spec).__name__}.{option} must be one of {', '.join(allowed)}, got {value!r}"
            )
