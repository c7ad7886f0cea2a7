"""How each method looks: one colour and marker for a model, one dash for a protocol, throughout.

The hues are those of Okabe & Ito (2008), *Color Universal Design*, which remain distinct under
the common colour-vision deficiencies; black is kept for the truth, greys for baselines, yellow
left out because it vanishes on white. Marker and dash repeat what the colour says.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TRUTH_COLOUR", "Look", "baseline_look", "dash_of", "dash_of_protocol", "surrogate_look"]

TRUTH_COLOUR = "#111111"

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_BASELINE_COLOURS = {
    "persistence": "#a0a0a0",
    "truncation floor": "#707070",
    "coarse solver": "#2b2b2b",
    "solver at equal cost": "#4d4d4d",
}
_BASELINE_DASHES: dict[str, tuple[float, ...]] = {
    "persistence": (2.0, 2.0),
    "truncation floor": (6.0, 2.0, 1.5, 2.0),
    "coarse solver": (5.0, 2.0),
    "solver at equal cost": (3.0, 1.0),
}
_PROTOCOL_DASHES: dict[str, tuple[float, ...]] = {
    "native": (1.2, 1.6),
    "projected": (),
    "transported": (8.0, 2.0),
    "extended": (8.0, 2.0, 1.5, 2.0),
    "upsampled": (8.0, 2.0, 1.5, 2.0, 1.5, 2.0),
}


@dataclass(frozen=True)
class Look:
    """Colour and marker of a method.

    Args:
        colour: Hexadecimal RGB.
        marker: Matplotlib's letter for the marker; empty for none.
        dash: Ink and gap lengths in multiples of the line width, where the method fixes them
            (baselines); None where the protocol does.
    """

    colour: str
    marker: str = ""
    dash: tuple[float, ...] | None = None


def surrogate_look(index: int) -> Look:
    """The look of the `index`-th model; colour and marker together repeat after 42."""
    return Look(_COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)])


def baseline_look(model: str, marker: str = "") -> Look:
    """The look of a baseline: grey, dashed, without a marker unless it is to recall a model."""
    return Look(
        _BASELINE_COLOURS.get(model, "#555555"),
        marker,
        _BASELINE_DASHES.get(model, (4.0, 2.0)),
    )


def dash_of(look: Look, protocol: str) -> tuple[float, ...]:
    """The dash of a line: the method's own if it has one, else the protocol's."""
    return dash_of_protocol(protocol) if look.dash is None else look.dash


def dash_of_protocol(protocol: str) -> tuple[float, ...]:
    """Ink and gap lengths for a transfer protocol; empty for a solid line."""
    return _PROTOCOL_DASHES.get(protocol, (3.0, 1.5))
