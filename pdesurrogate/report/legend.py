"""The key to all plots and tables, drawn in the page so that panels need none of their own."""

from __future__ import annotations

from dataclasses import dataclass

from pdesurrogate.report.looks import TRUTH_COLOUR, Look, dash_of_protocol
from pdesurrogate.report.methods import Study

__all__ = ["Legend", "LegendEntry", "legend", "marker_path", "svg_dash"]

_MARKER_PATHS = {
    "o": "M3 0A3 3 0 1 1-3 0A3 3 0 1 1 3 0Z",
    "s": "M-2.8-2.8H2.8V2.8H-2.8Z",
    "^": "M0-3.4L3.4 2.8H-3.4Z",
    "D": "M0-3.8L3.8 0L0 3.8L-3.8 0Z",
    "v": "M0 3.4L3.4-2.8H-3.4Z",
    "P": "M-1.2-3.5H1.2V-1.2H3.5V1.2H1.2V3.5H-1.2V1.2H-3.5V-1.2H-1.2Z",
    "X": "M0-1.5L2-3.5L3.5-2L1.5 0L3.5 2L2 3.5L0 1.5L-2 3.5L-3.5 2L-1.5 0L-3.5-2L-2-3.5Z",
}


@dataclass(frozen=True)
class LegendEntry:
    """One swatch and what it stands for.

    Args:
        name: The words beside the swatch.
        colour: Hexadecimal RGB.
        dash: SVG's `stroke-dasharray`; empty for a solid line.
        marker: SVG path of the marker about the origin; empty for none.
    """

    name: str
    colour: str
    dash: str = ""
    marker: str = ""


@dataclass(frozen=True)
class Legend:
    """Swatches by what they distinguish: colours are models, dashes are protocols."""

    models: tuple[LegendEntry, ...]
    protocols: tuple[LegendEntry, ...]
    baselines: tuple[LegendEntry, ...]
    truth: LegendEntry = LegendEntry("truth", TRUTH_COLOUR)


def legend(study: Study) -> Legend:
    """The legend of a study."""
    return Legend(
        models=tuple(_entry(m.name, m.look) for m in study.models),
        protocols=tuple(
            LegendEntry(p, "#555555", svg_dash(dash_of_protocol(p))) for p in study.protocols
        ),
        baselines=tuple(_entry(m.name, m.look) for m in study.baselines),
    )


def marker_path(marker: str) -> str:
    """The SVG path of one of Matplotlib's markers; empty for no marker."""
    return _MARKER_PATHS.get(marker, "")


def svg_dash(dash: tuple[float, ...]) -> str:
    """Matplotlib's dash, in line widths, as SVG's `stroke-dasharray` for lines 2 wide."""
    return " ".join(f"{2 * length:g}" for length in dash)


def _entry(name: str, look: Look) -> LegendEntry:
    return LegendEntry(name, look.colour, svg_dash(look.dash or ()), marker_path(look.marker))
