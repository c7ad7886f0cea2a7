"""Show a docstring's section `Example:` as code with its output, as griffe does `Examples:`."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

__all__ = ["ExampleSections"]


class ExampleSections(Extension):
    """Renames the section while the sources are read; no file is changed."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Look at one object's docstring; called by griffe."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE
            )
