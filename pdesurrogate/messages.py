"""Sentences for the user's mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["unknown_name"]


def unknown_name(kind: str, name: str, known: Iterable[str], where: str = "known are") -> str:
    """One sentence on a name that is not among the known ones, with the nearest of them.

    Example:
        >>> unknown_name("field", "vorticty", ["vorticity", "velocity_x"])
        "unknown field 'vorticty'; did you mean 'vorticity'? known are vorticity, velocity_x"
    """
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"unknown {kind} {name!r}; {hint}{where} {', '.join(known) or 'none'}"
