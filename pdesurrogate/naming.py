"""One sentence for a name that does not exist, with the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["unknown_name"]


def unknown_name(kind: str, name: object, known: Iterable[object]) -> str:
    """The sentence for an unknown `name` of some `kind`.

    Example:
        >>> unknown_name("field", "vortcity", ["vorticity", "velocity_x"])
        "unknown field 'vortcity' (did you mean 'vorticity'?); known are vorticity, velocity_x"
    """
    names = [str(choice) for choice in known]
    nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    return f"unknown {kind} {str(name)!r}{hint}; known are {', '.join(names) or 'none'}"
