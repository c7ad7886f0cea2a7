"""Error against cost: every forecast in one plane, with the front of those that none beats."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pdesurrogate.evaluation.cost_error import pareto_front
from pdesurrogate.intervals import Interval
from pdesurrogate.report.estimates import estimate
from pdesurrogate.report.figures import Panel
from pdesurrogate.report.images import figure_uri
from pdesurrogate.report.looks import Look
from pdesurrogate.report.methods import Series, Study
from pdesurrogate.report.moments import moments
from pdesurrogate.report.numbers import duration, significant
from pdesurrogate.report.plotting import panel, panels

__all__ = ["FILLINGS", "Mark", "cost_error_panels", "plot_cost_error"]

FILLINGS = {"native": "none", "projected": "full", "transported": "left", "extended": "top"}
"""How much of a marker is filled, by protocol; any other fills the lower half."""

_HOPELESS = 10.0
"""Axes end at ten times the truth's norm, as where errors are drawn over lead time."""

_FRONT = "#bbbbbb"
_SOLVER_MARKER = "*"
_MOST_NOTES = 12
"""Points up to which notes are written beside all of them, else beside those on the front."""


@dataclass(frozen=True)
class Mark:
    """A forecast in the plane of cost and error.

    Args:
        name: What a legend calls it.
        seconds: Time of one frame of one trajectory.
        error: Mean error and its interval.
        look: Colour and marker.
        filling: How much of the marker is filled, as Matplotlib's `fillstyle` says it.
        note: What is written beside it.
    """

    name: str
    seconds: float
    error: Interval
    look: Look
    filling: str = "full"
    note: str = ""


def cost_error_panels(study: Study, field: str) -> list[Panel]:
    """Total error against seconds per frame at the finest grid, at each of `moments`.

    Forecasts whose rollouts broke are left out, as are those that cost nothing: persistence is a
    line, and the truncation floor no forecast.
    """
    resolution = study.resolutions[-1]
    made = []
    for moment in moments(study, field):
        marks, free = _marks(study, resolution, field, moment.step)
        if not marks:
            continue
        with panel() as (figure, axes):
            front = _draw(axes, marks)
            if free is not None:
                axes.axhline(free, color="#a0a0a0", lw=1.0, dashes=(2.0, 2.0), zorder=1)
            axes.set_ylabel("total error")
            source = figure_uri(figure)
        title = f"{study.size(resolution)}, after {moment.after}"
        made.append(Panel(source, title, _described(title, marks, front)))
    return made


def plot_cost_error(planes: Mapping[str, Sequence[Mark]], out: str | os.PathLike[str]) -> Path:
    """Draw error against cost, one panel per title.

    Args:
        planes: Forecasts by the title of their panel.
        out: Picture to write; the ending says the format.

    Returns:
        The picture's path.

    Raises:
        ValueError: If there is nothing to draw.
    """
    if not any(planes.values()):
        raise ValueError("give at least one forecast")
    out = Path(out)
    with panels(len(planes)) as (figure, all_axes):
        for axes, (title, marks) in zip(all_axes, planes.items(), strict=True):
            _draw(axes, marks)
            axes.set_title(title)
        all_axes[0].set_ylabel("total error")
        handles, labels = all_axes[0].get_legend_handles_labels()
        by_label = dict(zip(labels, handles, strict=True))
        figure.legend(
            by_label.values(),
            by_label.keys(),
            loc="outside lower center",
            ncols=min(len(by_label), 4),
            frameon=False,
            fontsize=9,
        )
        figure.savefig(out)
    return out


def _marks(study: Study, resolution: int, field: str, step: int) -> tuple[list[Mark], float | None]:
    """What can be drawn, and the error of persistence."""
    marks, free = [], None
    for series in study.series(resolution, field):
        value = estimate(study.scores("total_error", series, resolution, field)[..., step])
        if value.num_broken or not value.mean > 0:
            continue
        if series.method.model == "persistence":
            free = value.mean
            continue
        seconds = study.seconds_per_step(series, resolution)
        if np.isfinite(seconds):
            error = Interval(value.mean, value.low, value.high)
            marks.append(_mark(study, series, seconds, error))
    return marks, free


def _mark(study: Study, series: Series, seconds: float, error: Interval) -> Mark:
    method = series.method
    if not method.is_baseline:
        filling = FILLINGS.get(series.protocol, "bottom")
        return Mark(series.name, seconds, error, method.look, filling)
    n = method.training_resolution
    return Mark(
        series.name, seconds, error, method.look, note="" if n is None else study.short_size(n)
    )


def _draw(axes: Axes, marks: Sequence[Mark]) -> np.ndarray:
    """Markers with their intervals and the front; returns which marks are on it."""
    seconds = np.array([mark.seconds for mark in marks])
    errors = np.array([mark.error.mean for mark in marks])
    front = pareto_front(seconds, errors)
    for mark, is_efficient in zip(marks, front, strict=True):
        _draw_mark(axes, mark, has_note=bool(is_efficient) or len(marks) <= _MOST_NOTES)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _draw_front(axes, seconds[front], errors[front])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{1e3 * s:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda e, _: f"{e:g}"))
    axes.tick_params("x", labelrotation=45)
    axes.set_xlabel("ms a frame of one trajectory")
    return front


def _draw_mark(axes: Axes, mark: Mark, has_note: bool) -> None:
    mean, low, high = mark.error
    if np.isfinite(high - low):
        axes.vlines(mark.seconds, low, high, color=mark.look.colour, lw=1.0, alpha=0.5, zorder=2)
    axes.plot(
        mark.seconds,
        mean,
        linestyle="none",
        color=mark.look.colour,
        marker=mark.look.marker or _SOLVER_MARKER,
        markersize=6.0,
        fillstyle=mark.filling,
        markerfacecoloralt="white",
        label=mark.name,
        zorder=3,
    )
    if has_note and mark.note:
        axes.annotate(
            mark.note,
            (mark.seconds, mean),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=8,
            color="#666666",
        )


def _draw_front(
    axes: Axes, seconds: Float[np.ndarray, " point"], errors: Float[np.ndarray, " point"]
) -> None:
    """A staircase: from a point on, nothing that costs more need err more."""
    order = np.argsort(seconds)
    right, top = axes.get_xlim()[1], min(axes.get_ylim()[1], _HOPELESS)
    x = np.concatenate([seconds[order][:1], seconds[order], [right]])
    y = np.concatenate([[top], errors[order], errors[order][-1:]])
    axes.step(x, y, where="post", color=_FRONT, lw=1.6, zorder=1)
    axes.set_xlim(right=right)
    axes.set_ylim(top=top)


def _described(title: str, marks: Sequence[Mark], front: np.ndarray) -> str:
    ordered = sorted(zip(marks, front, strict=True), key=lambda item: item[0].seconds)
    items = [
        f"{mark.name} {duration(mark.seconds)} {significant(mark.error.mean)}"
        for mark, is_efficient in ordered
        if is_efficient
    ]
    return (
        f"Scatter plot of the total error over the seconds of a frame at {title}. On the front, "
        f"from cheap to accurate: {'; '.join(items)}."
    )
