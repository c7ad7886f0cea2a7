"""Pictures of the scaling limit: commutation errors, the two tasks, and new detail."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pdesurrogate.evaluation import OrderFit
from pdesurrogate.report.figures import Panel
from pdesurrogate.report.images import figure_uri
from pdesurrogate.report.looks import TRUTH_COLOUR, Look, baseline_look
from pdesurrogate.report.numbers import significant
from pdesurrogate.report.plotting import HEIGHT, panel, panels
from pdesurrogate.report.scaling_study import ScalingMethod, ScalingStudy

__all__ = ["order_in_words", "plot_scaling", "scaling_panels"]

_COMMUTATION = {
    "commutation_error": "Commutation error",
    "commutation_error_of_change": "The same over the change of a step",
}
_TASKS = {
    "extrapolation_error": "input u, target y",
    "interpolation_error": "input QRu, target QRy",
}
_DETAIL: dict[str, tuple[str, Look | None, str]] = {
    "out_of_band_change": ("", None, "-"),
    "solver_out_of_band_change": ("solver", baseline_look("coarse solver"), "--"),
    "true_out_of_band_change": ("truth, from the whole field", Look(TRUTH_COLOUR), ":"),
}
"""What is drawn of new detail: its name, its look if not the network's own, and its line."""

_LINE = 17
"""Height of a line of the legend in CSS pixels."""


@dataclass(frozen=True)
class _Line:
    """A line over the ladder, in words and numbers."""

    name: str
    look: Look
    style: str
    resolutions: tuple[int, ...]
    values: Float[np.ndarray, " rung"]


def plot_scaling(
    scaling: xr.Dataset, out: str | os.PathLike[str], *, field: str | None = None
) -> Path:
    """Draw commutation errors over the ladder, in two units, with orders in the legend.

    Trained networks are solid, networks with initial weights thin, the solver dashed.

    Args:
        scaling: Result of `pdesurrogate.evaluation.measure_scaling`.
        out: Picture to write; the ending says the format.
        field: Which field's errors; the first by default.

    Returns:
        The picture's path.

    Raises:
        ValueError: If nothing was measured of the field.
    """
    out, field = Path(out), field or str(scaling["field"].values[0])
    study = ScalingStudy.of(scaling)
    if not study.showing(field):
        raise ValueError(f"no commutation error of {field!r} was measured")
    with panels(len(_COMMUTATION)) as (figure, all_axes):
        for axes, (variable, title) in zip(all_axes, _COMMUTATION.items(), strict=True):
            _draw_commutation(axes, study, variable, field)
            axes.set_title(title)
        _legend_below(figure, all_axes[0], columns=2)
        figure.savefig(out)
    return out


def scaling_panels(study: ScalingStudy, field: str) -> list[Panel]:
    """Commutation errors in two units, the errors of the two tasks, and new detail.

    Args:
        study: What was measured.
        field: Which field's numbers.
    """
    made = [_commutation_panel(study, v, title, field) for v, title in _COMMUTATION.items()]
    trained = [method for method in study.showing(field) if method.is_trained]
    if tasks := _task_lines(trained, field):
        made.append(_lines_panel("The two tasks, one step", "error", tasks))
    if detail := _detail_lines(trained, field):
        title = "Detail made of a field without"
        made.append(_lines_panel(title, "share of the change", detail))
    return made


def order_in_words(fit: OrderFit | None) -> str:
    """An order with its interval; empty where there is none.

    Example:
        >>> order_in_words(OrderFit(1.98, 1.9, 2.1, 0.01, 3))
        'order 1.98 (1.90 to 2.10)'
    """
    if fit is None or np.isnan(fit.order):
        return ""
    if np.isneginf(fit.order):
        return "does not fall"
    ends = "" if np.isnan(fit.low) else f" ({significant(fit.low)} to {significant(fit.high)})"
    return f"order {significant(fit.order)}{ends}"


def _commutation_panel(study: ScalingStudy, variable: str, title: str, field: str) -> Panel:
    with panel() as (figure, axes):
        _draw_commutation(axes, study, variable, field)
        height = _legend_below(figure, axes)
        source = figure_uri(figure)
    items = [
        f"{method.name} {significant(method.line(variable, field)[0])} at {method.resolutions[0]} "
        f"to {significant(method.line(variable, field)[-2])} at {method.resolutions[-2]}"
        for method in study.showing(field)
    ]
    alt = f"Line plot on two logarithmic axes. {title}: {'; '.join(items)}."
    return Panel(source, title, alt, height=height)


def _lines_panel(title: str, unit: str, lines: Sequence[_Line]) -> Panel:
    """Lines over the whole ladder, the top included."""
    items = []
    with panel() as (figure, axes):
        for line in lines:
            seen = np.isfinite(line.values)
            items.append(f"{line.name} {significant(line.values[seen][-1])} at the top")
            axes.plot(
                line.resolutions,
                line.values,
                color=line.look.colour,
                marker=line.look.marker or None,
                ls=line.style,
                lw=1.8,
                ms=5.0,
                label=line.name,
            )
        _ladder_axis(axes, sorted({n for line in lines for n in line.resolutions}))
        axes.set_ylim(0, None)
        axes.set_ylabel(unit)
        height = _legend_below(figure, axes)
        source = figure_uri(figure)
    alt = f"Line plot over the resolution. {title}: {'; '.join(items)}."
    return Panel(source, title, alt, height=height)


def _task_lines(methods: Sequence[ScalingMethod], field: str) -> list[_Line]:
    return [
        _Line(f"{method.name}, {label}", method.look, style, method.resolutions, values)
        for method in methods
        for (variable, label), style in zip(_TASKS.items(), ("-", "--"), strict=True)
        if np.isfinite(values := method.line(variable, field)).any()
    ]


def _detail_lines(methods: Sequence[ScalingMethod], field: str) -> list[_Line]:
    """Networks, and once for each training grid the solver and the truth."""
    own: list[_Line] = []
    others: dict[str, _Line] = {}
    for method in methods:
        grid = int(method.table["training_resolution"].values[0])
        for variable, (label, look, style) in _DETAIL.items():
            values = method.line(variable, field)
            if not np.isfinite(values).any():
                continue
            if look is None:
                own.append(_Line(method.name, method.look, style, method.resolutions, values))
            else:
                name = f"{label}, beyond {grid}"
                others.setdefault(name, _Line(name, look, style, method.resolutions, values))
    return [*own, *others.values()]


def _draw_commutation(axes: Axes, study: ScalingStudy, variable: str, field: str) -> None:
    methods = study.showing(field)
    for method in methods:
        label = ": ".join(filter(None, (method.name, order_in_words(method.order(field)))))
        points, look = method.resolutions[:-1], method.look
        lines = method.lines(variable, field)[:, :-1]
        if method.is_untrained:
            for line in lines:
                axes.plot(points, line, color=look.colour, lw=0.7, alpha=0.7, label=label)
                label = "_"
            continue
        axes.plot(
            points,
            lines.mean(axis=0),
            color=look.colour,
            marker=look.marker or None,
            ls="-" if method.is_trained else "--",
            lw=1.8 if method.is_trained else 1.4,
            ms=5.0,
            label=label,
        )
    _ladder_axis(axes, sorted({n for method in methods for n in method.resolutions[:-1]}))
    axes.set_yscale("log")
    axes.set_ylabel("c(n)")


def _ladder_axis(axes: Axes, rungs: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(rungs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("points along y, n")


def _legend_below(figure: Figure, axes: Axes, columns: int = 1) -> int:
    """A legend under the axes, for which the figure grows; returns its height in CSS pixels."""
    handles, labels = axes.get_legend_handles_labels()
    height = HEIGHT + _LINE * -(-len(labels) // columns)
    figure.set_size_inches(figure.get_figwidth(), height / 96)
    figure.legend(
        handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=8
    )
    return height
