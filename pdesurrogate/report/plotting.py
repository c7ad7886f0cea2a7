"""How plots are drawn: one look for all axes, one way to draw a line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pdesurrogate.report.looks import dash_of
from pdesurrogate.report.methods import Series

__all__ = ["HEIGHT", "WIDTH", "draw_band", "draw_series", "panel", "panels", "plain_log_ticks"]

WIDTH, HEIGHT = 380, 320
"""Size of a panel in CSS pixels."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#222222",
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "pdesurrogate",
    "path.simplify_threshold": 0.5,
}


@contextmanager
def panel() -> Iterator[tuple[Figure, Axes]]:
    """An empty figure with one pair of axes. Draw it and save it inside the `with` block."""
    with panels(1) as (figure, (axes,)):
        yield figure, axes


@contextmanager
def panels(count: int) -> Iterator[tuple[Figure, list[Axes]]]:
    """As `panel`, with several pairs of axes side by side.

    Args:
        count: How many.
    """
    with mpl.rc_context(_SETTINGS):
        size = (count * WIDTH / 96, HEIGHT / 96)
        figure = Figure(figsize=size, dpi=96, layout="constrained")
        yield figure, [figure.add_subplot(1, count, i + 1) for i in range(count)]


def draw_band(
    axes: Axes,
    series: Series,
    x: Float[np.ndarray, " point"],
    low: Float[np.ndarray, " point"],
    high: Float[np.ndarray, " point"],
) -> None:
    """An interval as a pale band in the colour of its method."""
    axes.fill_between(x, low, high, color=series.method.look.colour, alpha=0.13, lw=0)


def draw_series(
    axes: Axes,
    series: Series,
    x: Float[np.ndarray, " point"],
    y: Float[np.ndarray, " point"],
    mark_every: int | None = None,
) -> None:
    """A line in the colour of its method and the dash of its protocol.

    Args:
        axes: Where to draw.
        series: What is drawn.
        x: Abscissae.
        y: Ordinates.
        mark_every: Points from one marker to the next; 0 for none, None for about six in all.
    """
    look = series.method.look
    dash = dash_of(look, series.protocol)
    spacing = max(1, len(x) // 6) if mark_every is None else mark_every
    (line,) = axes.plot(
        x,
        y,
        color=look.colour,
        lw=1.4 if series.method.is_baseline else 1.8,
        marker=(look.marker or None) if spacing else None,
        markevery=spacing or None,
        markersize=5.0,
        markerfacecolor="white" if series.protocol == "native" else look.colour,
        zorder=4 if series.method.model == "truncation floor" else 3,
    )
    if dash:
        line.set_dashes(dash)


def plain_log_ticks(axes: Axes, limits: tuple[float, float]) -> None:
    """Ticks at round numbers, written as decimals, the denser the fewer decades there are."""
    low, high = limits
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 3, 5, 7) if high < 10 * low else (1, 2, 5) if high < 1e3 * low else (1,)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
