"""Line plots: errors over lead time and over resolution, and power spectra.

Every panel is a picture of its own, so that the page can lay them side by side on a screen, below
each other on a phone, and say in an alternative text what each one shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from pdesurrogate.report.estimates import estimate
from pdesurrogate.report.images import figure_uri
from pdesurrogate.report.looks import TRUTH_COLOUR
from pdesurrogate.report.methods import SOLVERS, Series, Study
from pdesurrogate.report.moments import FIRST, LAST, moments
from pdesurrogate.report.numbers import significant
from pdesurrogate.report.plotting import (
    HEIGHT,
    WIDTH,
    draw_band,
    draw_series,
    panel,
    plain_log_ticks,
)

__all__ = ["Panel", "error_over_lead_time", "error_over_resolution", "spectra"]

_HOPELESS = 10.0
"""Axes end at ten times the truth's norm: how large errors are beyond that says nothing."""

_NOTHING = 1e-5
"""Errors that are rounding: the floor's in the resolved band, every detail at the training grid."""

_ROUNDING = 1e-9
"""Power below this share of the largest is rounding in float32 fields and is not drawn."""

_BANDS = {"Resolved band": "in_band_error", "Detail beyond it": "out_of_band_error"}
_MOST_DESCRIBED = 8
_MOST_BANDS = 24
"""Lines up to which intervals are drawn: more bands than that hide each other."""


@dataclass(frozen=True)
class Panel:
    """A picture with its caption and its alternative text.

    Args:
        source: A `data:` URI.
        title: What is above the picture.
        alt: What is seen, in words and numbers.
        width: Width in CSS pixels.
        height: Height in CSS pixels.
    """

    source: str
    title: str
    alt: str
    width: int = WIDTH
    height: int = HEIGHT


def error_over_lead_time(study: Study, field: str) -> list[Panel]:
    """Total error against lead time, one panel per resolution, all on the same axes."""
    curves = {
        resolution: {
            series: _curve(study.scores("total_error", series, resolution, field))
            for series in study.series(resolution, field)
        }
        for resolution in study.resolutions
    }
    limits = _log_limits(c[0] for by_series in curves.values() for c in by_series.values())
    return [
        _lead_time_panel(study, resolution, curves[resolution], limits)
        for resolution in study.resolutions
    ]


def error_over_resolution(study: Study, field: str) -> list[Panel]:
    """In-band and out-of-band error against resolution, after the first and after a later step."""
    panels = []
    for moment in moments(study, field):
        bands = {
            name: _resolution_curves(study, metric, field, moment.step)
            for name, metric in _BANDS.items()
        }
        top = max(
            (
                float(np.nanmax(curve[:, 1:]))
                for curves in bands.values()
                for curve in curves.values()
                if np.isfinite(curve[:, 1:]).any()
            ),
            default=1.0,
        )
        panels += [
            _resolution_panel(
                study, f"{name}, after {moment.after}", curves, min(1.05 * top, _HOPELESS)
            )
            for name, curves in bands.items()
        ]
    return panels


def spectra(study: Study, field: str, lead_index: int) -> list[Panel]:
    """Power per wavenumber shell of the truth and every prediction, one panel per resolution."""
    truth = {n: study.true_spectra(n, field)[lead_index] for n in study.resolutions}
    finite = np.concatenate([t[np.isfinite(t) & (t > 0)] for t in truth.values()])
    if finite.size == 0:
        return []
    # The last shells of a dealiased truth hold next to nothing: they must not set the scale.
    low, high = float(np.quantile(finite, 0.1)) / 10, float(finite.max())
    limits = (max(low, _ROUNDING * high), 30 * high)
    return [
        _spectrum_panel(study, field, lead_index, resolution, truth[resolution], limits)
        for resolution in study.resolutions
    ]


def _curve(
    scores: Float[np.ndarray, "seed trajectory lead_time"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and interval at every lead time, up to the first at which a rollout has broken."""
    mean, low, high = np.full((3, scores.shape[-1]), np.nan)
    for step in range(scores.shape[-1]):
        value = estimate(scores[..., step])
        if value.num_broken:
            break
        mean[step], low[step], high[step] = value.mean, value.low, value.high
    return mean, low, high


def _log_limits(means: Iterator[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([mean[np.isfinite(mean) & (mean > _NOTHING)] for mean in means] or [[]])
    if values.size == 0:
        return 0.1, 1.0
    return float(values.min()) / 1.3, min(float(values.max()) * 1.3, _HOPELESS)


def _lead_time_panel(
    study: Study,
    resolution: int,
    curves: dict[Series, tuple[np.ndarray, np.ndarray, np.ndarray]],
    limits: tuple[float, float],
) -> Panel:
    with panel() as (figure, axes):
        for series, (mean, low, high) in curves.items():
            if len(curves) <= _MOST_BANDS:
                draw_band(axes, series, study.lead_times, low, high)
            draw_series(axes, series, study.lead_times, mean)
        axes.set_yscale("log")
        axes.set_ylim(*limits)
        plain_log_ticks(axes, limits)
        axes.set_xlim(0, study.lead_times[-1] * 1.02)
        axes.set_xlabel(f"lead time [{study.time_unit}]" if study.time_unit else "lead time")
        axes.set_ylabel("total error")
        source = figure_uri(figure)
    items = [
        f"{series.name} {significant(mean[FIRST])} to {significant(mean[LAST])}"
        for series, (mean, _, _) in curves.items()
    ]
    alt = (
        f"Line plot of the total error over lead time at {study.size(resolution)}, from the "
        f"first to the last step: {_described(items)}."
    )
    return Panel(source, study.size(resolution), alt)


def _resolution_curves(
    study: Study, metric: str, field: str, step: int
) -> dict[Series, Float[np.ndarray, "resolution value"]]:
    """Rows of resolution, mean, low and high for every series.

    On its training grid a model is the same under every protocol, so that each line starts there.
    """
    curves: dict[Series, np.ndarray] = {}
    for method in study.methods:
        for protocol in study.protocols:
            series, rows = Series(method, protocol), []
            for resolution in study.resolutions:
                at_home = resolution == method.training_resolution
                source = Series(method, "native") if at_home else series
                if not study.predicts(source, resolution, field):
                    continue
                value = estimate(study.scores(metric, source, resolution, field)[..., step])
                if value.num_broken == 0:
                    rows.append((resolution, value.mean, value.low, value.high))
            was_run = any(study.predicts(series, n, field) for n in study.resolutions)
            if was_run and any(mean > _NOTHING for _, mean, _, _ in rows):
                curves[series] = np.array(rows)
    return _one_line_per_baseline(curves)


def _one_line_per_baseline(curves: dict[Series, np.ndarray]) -> dict[Series, np.ndarray]:
    longest: dict[Series, np.ndarray] = {}
    for series, curve in curves.items():
        same = [s for s in longest if s.method == series.method and s.method.is_baseline]
        if same and len(longest[same[0]]) >= len(curve):
            continue
        for other in same:
            del longest[other]
        longest[series] = curve
    return longest


def _resolution_panel(
    study: Study, title: str, curves: dict[Series, np.ndarray], top: float
) -> Panel:
    with panel() as (figure, axes):
        for series, curve in curves.items():
            n, mean, low, high = curve.T
            draw_band(axes, series, n, low, high)
            draw_series(axes, series, n, mean, mark_every=1)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(list(study.resolutions)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: study.short_size(int(n))))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(-0.01 * top, top)
        axes.set_xlabel("evaluation grid")
        axes.set_ylabel("error")
        source = figure_uri(figure)
    items = [
        f"{series.name} "
        + ", ".join(
            f"{significant(mean)} at {n:.0f}" for n, mean in curve[:, :2] if mean > _NOTHING
        )
        for series, curve in curves.items()
    ]
    alt = f"Line plot of the error over resolution. {title}: {_described(items)}."
    return Panel(source, title, alt)


def _spectrum_panel(
    study: Study,
    field: str,
    lead_index: int,
    resolution: int,
    truth: Float[np.ndarray, " wavenumber"],
    limits: tuple[float, float],
) -> Panel:
    wavenumber = study.table["wavenumber"].values.astype(float)
    drawn = (wavenumber > 0) & np.isfinite(truth) & (truth > 0)
    excess = []
    with panel() as (figure, axes):
        axes.plot(wavenumber[drawn], truth[drawn], color=TRUTH_COLOUR, lw=2.6, zorder=2)
        for series in study.series(resolution, field):
            power = study.spectra(series, resolution, field)[lead_index]
            if series.method.is_baseline and series.method.model not in SOLVERS:
                continue
            shown = drawn & np.isfinite(power)
            seen = np.clip(power[shown], limits[0] / 10, limits[1] * 10)
            draw_series(axes, series, wavenumber[shown], seen, mark_every=0)
            last = np.flatnonzero(drawn)[-1]
            ratio = power[last] / truth[last]
            if np.isfinite(ratio):
                excess.append(f"{series.name} {significant(float(ratio))}")
        _mark_nyquist(axes, study, resolution, wavenumber[drawn])
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(*limits)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        is_degree = "degree" in str(study.table["wavenumber"].attrs.get("long_name", ""))
        axes.set_xlabel("degree of the spherical harmonics" if is_degree else "wavenumber")
        axes.set_ylabel("power per shell")
        source = figure_uri(figure)
    alt = (
        f"Power spectrum of the {study.field_label(field)} at {study.size(resolution)}, truth "
        f"against predictions. Power over the true power in the finest shell: {_described(excess)}."
    )
    return Panel(source, study.size(resolution), alt)


def _mark_nyquist(
    axes: Axes, study: Study, resolution: int, wavenumber: Float[np.ndarray, " shell"]
) -> None:
    """A line where a training grid ends: the first shell that is not complete at a resolution is
    at its Nyquist wavenumber, which is proportional to the resolution."""
    limit = 2 * wavenumber[-1] - wavenumber[-2]
    trained = {m.training_resolution for m in study.methods if not m.cost_of}
    for n0 in sorted(n for n in trained if n):
        nyquist = limit * n0 / resolution
        if nyquist > limit * 1.001:
            continue
        axes.axvline(nyquist, color="#888888", lw=1.0, zorder=1)
        if nyquist < limit:
            axes.axvspan(nyquist, limit, color="#000000", alpha=0.035, lw=0)
        axes.annotate(
            study.short_size(n0),
            (nyquist, 1.01),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=8,
            color="#666666",
        )


def _described(items: Sequence[str]) -> str:
    shown = "; ".join(items[:_MOST_DESCRIBED])
    hidden = len(items) - _MOST_DESCRIBED
    return f"{shown}; and {hidden} more in the table" if hidden > 0 else shown or "nothing"
