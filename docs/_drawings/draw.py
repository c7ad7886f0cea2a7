"""Draw the pictures of docs/concepts.md: `python docs/_drawings/draw.py` writes docs/assets/*.svg.

The squares are not ornaments: one random vorticity field, drawn once, observed on three grids by
the package's own restriction.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.initial_conditions import GaussianRandomField
from pdesurrogate.transfer import prolong, restrict

__all__ = ["main"]

ASSETS = Path(__file__).parent.parent / "assets"
FINE = PeriodicBox((48, 48))
RUNGS = (12, 24, 48)
LABELS = ("32", "64", "128")
COLOURS = [
    "#2166ac",
    "#4393c3",
    "#92c5de",
    "#d1e5f0",
    "#f7f7f7",
    "#fddbc7",
    "#f4a582",
    "#d6604d",
    "#b2182b",
]
INK, GREY, ACCENT = "#1b1f24", "#6a737d", "#3949ab"
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
    'aria-labelledby="title" font-family="system-ui, sans-serif" font-size="15">\n'
    '<title id="title">{title}</title>\n'
    '<rect width="{width}" height="{height}" rx="8" fill="white"/>\n'
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
    'markerHeight="8" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="{ink}"/>'
    "</marker></defs>\n"
)


def field() -> torch.Tensor:
    """The vorticity on the finest of the drawn grids."""
    condition = GaussianRandomField(max_wavenumber=23, inverse_length=3.0, smoothness=2.4)
    return condition.sample(np.random.default_rng(4), FINE)["vorticity"]


def square(values: torch.Tensor, x: float, y: float, side: float, scale: float) -> str:
    """A field as coloured cells, one path per colour."""
    cell = side / values.shape[-1]
    level = ((values / scale).clamp(-1, 1) + 1) / 2 * (len(COLOURS) - 1)
    paths = dict.fromkeys(COLOURS, "")
    for row, levels in enumerate(level.round().long().flip(0).tolist()):  # y points up
        column = 0
        for i, run in groupby(levels):
            length = len(list(run))
            paths[COLOURS[i]] += f"M{column} {row}h{length}v1h-{length}z"
            column += length
    cells = "".join(f'<path fill="{colour}" d="{d}"/>' for colour, d in paths.items() if d)
    return (
        f'<g transform="translate({x:g} {y:g}) scale({cell:g})" shape-rendering="crispEdges">'
        f"{cells}</g>\n"
        f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" fill="none" '
        f'stroke="{INK}"/>\n'
    )


def text(x: float, y: float, words: str, *, bold: bool = False, colour: str = INK) -> str:
    """A centred line of text."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle" fill="{colour}"{weight}>{words}</text>\n'
    )


def arrow(points: str, *, colour: str = INK) -> str:
    """A line with a head at its end."""
    return (
        f'<path d="{points}" fill="none" stroke="{colour}" stroke-width="1.6" '
        'marker-end="url(#tip)"/>\n'
    )


def ladder() -> str:
    """One reference simulation, observed on every rung."""
    fine, side = field(), 170.0
    scale = float(fine.abs().max()) * 0.8
    out = HEAD.format(
        width=860,
        height=400,
        ink=INK,
        title="One reference simulation observed on three grids; the coarsest is trained on",
    )
    out += '<rect x="250" y="20" width="360" height="46" rx="23" fill="#eef0fb"/>\n'
    out += text(430, 48, "one reference simulation, 256 × 256", bold=True)
    for i, (n, label) in enumerate(zip(RUNGS, LABELS, strict=True)):
        x = 45 + i * 300
        centre = x + side / 2
        rung = restrict(fine, FINE, FINE.at_resolution(n))
        out += arrow(f"M{430 + (i - 1) * 90} 66 L{centre:g} 118")
        out += square(rung, x, 122, side, scale)
        out += text(centre, 122 + side + 24, f"rung {label} × {label}", bold=True)
    out += text(205, 92, "restrict R", colour=GREY)
    out += text(282, 196, "prolong Q", colour=GREY) + arrow("M224 206 H340")
    out += text(282, 240, "restrict R", colour=GREY) + arrow("M340 224 H224")
    out += text(582, 196, "Q", colour=GREY) + arrow("M524 206 H640")
    out += text(582, 240, "R", colour=GREY) + arrow("M640 224 H524")
    out += text(130, 345, "a model is trained here", colour=ACCENT)
    out += text(580, 345, "and asked here what it is worth", colour=ACCENT)
    out += (
        f'<path d="M345 362 V368 H815 V362" fill="none" stroke="{ACCENT}"/>\n'
        f'<path d="M45 362 V368 H215 V362" fill="none" stroke="{ACCENT}"/>\n'
    )
    return out + "</svg>\n"


def network(x: float, y: float) -> str:
    """The box that stands for the trained model."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="84" height="44" rx="6" fill="{ACCENT}"/>\n'
        f'<text x="{x + 42:g}" y="{y + 28:g}" text-anchor="middle" fill="white" '
        'font-weight="600">model</text>\n'
    )


def protocols() -> str:
    """The two ways to use a coarse model on a fine grid."""
    fine, side = field(), 110.0
    scale = float(fine.abs().max()) * 0.8
    coarse_grid = FINE.at_resolution(RUNGS[0])
    coarse = restrict(fine, FINE, coarse_grid)
    back = prolong(coarse, coarse_grid, FINE)
    out = HEAD.format(
        width=860,
        height=390,
        ink=INK,
        title="Protocol native applies the model to the fine grid; protocol projected restricts, "
        "predicts on the training grid and prolongs",
    )
    out += text(75, 92, "native", bold=True) + text(75, 280, "projected", bold=True)
    out += square(fine, 160, 30, side, scale) + text(215, 160, "128 × 128", colour=GREY)
    out += arrow("M274 85 H382") + network(386, 63) + arrow("M470 85 H690")
    out += f'<rect x="694" y="30" width="{side:g}" height="{side:g}" fill="#f6f8fa" '
    out += f'stroke="{INK}" stroke-dasharray="5 4"/>\n'
    out += text(749, 90, "?", colour=GREY) + text(749, 160, "128 × 128", colour=GREY)
    out += '<path d="M30 190 H830" stroke="#d0d7de"/>\n'
    out += square(fine, 160, 218, side, scale) + text(215, 348, "128 × 128", colour=GREY)
    out += arrow("M274 273 H312") + text(293, 262, "R", bold=True)
    out += square(coarse, 316, 241, 64, scale) + text(348, 330, "32 × 32", colour=GREY)
    out += arrow("M384 273 H420") + network(424, 251) + arrow("M508 273 H544")
    out += '<rect x="548" y="241" width="64" height="64" fill="#f6f8fa" '
    out += f'stroke="{INK}" stroke-dasharray="5 4"/>\n'
    out += text(580, 330, "32 × 32", colour=GREY)
    out += arrow("M616 273 H690") + text(652, 262, "Q", bold=True)
    out += square(back, 694, 218, side, scale) + text(749, 348, "no detail above 32", colour=GREY)
    return out + "</svg>\n"


def main() -> None:
    """Write both pictures."""
    ASSETS.mkdir(exist_ok=True)
    (ASSETS / "ladder.svg").write_text(ladder(), encoding="utf-8")
    (ASSETS / "protocols.svg").write_text(protocols(), encoding="utf-8")


if __name__ == "__main__":
    main()
