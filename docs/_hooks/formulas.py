"""Turn the formulas of a page into MathML while the site is built.

Browsers lay out MathML themselves, so a page needs no script, no font and no network for its
formulas, and a screen reader can read them.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

__all__ = ["on_page_content"]

_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def _mathml(formula: re.Match[str]) -> str:
    is_block = formula["tag"] == "div"
    mathml = convert(
        html.unescape(formula["latex"]).strip(), display="block" if is_block else "inline"
    )
    return f'<div class="formula">{mathml}</div>' if is_block else mathml


def on_page_content(content: str, **_: Any) -> str:
    r"""Replace every `\(...\)` and `\[...\]` that Arithmatex marked; called by MkDocs.

    Raises:
        latex2mathml.exceptions.NoAvailableTokensError: If a formula is empty or breaks off.
    """
    return _FORMULA.sub(_mathml, content)
