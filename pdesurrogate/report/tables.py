"""Labelled numbers as the rows of the page's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pdesurrogate.evaluation.statistics import paired_comparison
from pdesurrogate.report.estimates import Estimate, estimate, estimate_ratio
from pdesurrogate.report.looks import Look
from pdesurrogate.report.methods import Method, Series, Study
from pdesurrogate.report.moments import FIRST, LAST, moments
from pdesurrogate.report.numbers import count, duration, significant

__all__ = [
    "BLOCKS",
    "Block",
    "Cell",
    "Row",
    "Table",
    "blow_up_cell",
    "cost_table",
    "error_cell",
    "main_table",
    "transfer_gap",
]


@dataclass(frozen=True)
class Block:
    """A group of columns: one metric family at one lead time.

    Args:
        metric: Variable of the evaluation.
        heading: What the column says.
    """

    metric: str
    heading: str


BLOCKS = (
    Block("total_error", "total"),
    Block("in_band_error", "in band"),
    Block("out_of_band_error", "detail"),
)
"""The columns at each lead time."""


@dataclass(frozen=True)
class Cell:
    """What one cell of a table says.

    Args:
        text: The number.
        note: Its interval, or what had to be left out of it.
        is_best: Whether no other model is better beyond the uncertainty.
        is_warning: Whether a rollout broke or blew up here.
    """

    text: str
    note: str = ""
    is_best: bool = False
    is_warning: bool = False


@dataclass(frozen=True)
class Row:
    """A row: its label and its cells, in the order of the columns."""

    label: str
    protocol: str
    is_baseline: bool
    look: Look
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Rows in groups, each with a heading of its own."""

    groups: tuple[tuple[str, tuple[Row, ...]], ...]


def main_table(study: Study, field: str) -> Table:
    """Errors after the first and after a later step, transfer gap and blow-ups, by resolution.

    Args:
        study: The evaluations.
        field: Which field's errors.

    Returns:
        One group of rows per resolution; columns are the three `BLOCKS` at each of `moments`, the
        transfer gap after one step and the share of rollouts that blew up before the last.
    """
    return Table(
        tuple(
            (_grid_heading(study, resolution), tuple(_main_rows(study, resolution, field)))
            for resolution in study.resolutions
        )
    )


def transfer_gap(study: Study, series: Series, resolution: int, field: str) -> Estimate | None:
    """In-band error at a resolution over that at the training grid, after one step.

    None where there is nothing to compare: at the training grid itself, for a method that knows
    no grid or was not evaluated there, and for the truncation floor, whose band is exact.
    """
    n0 = study.trained_grid(series.method, field)
    if n0 is None or n0 == resolution:
        return None
    here = study.scores("in_band_error", series, resolution, field)[..., FIRST]
    home = study.scores("in_band_error", Series(series.method, "native"), n0, field)[..., FIRST]
    return estimate_ratio(here, home)


def cost_table(study: Study) -> Table:
    """What each method costs: parameters, operations, training, and seconds a step by grid.

    Returns:
        Columns are parameters, FLOPs of one step at the training grid, training time, then one
        per resolution.
    """
    rows = [
        _cost_row(study, method, protocols)
        for method in study.methods
        for protocols in ([study.protocols] if method.is_baseline else zip(study.protocols))
    ]
    return Table((("", tuple(row for row in rows if row is not None)),))


def _grid_heading(study: Study, resolution: int) -> str:
    size = study.size(resolution)
    trained = sorted({m.training_resolution for m in study.models if m.training_resolution})
    if len(trained) != 1:
        return size
    ratio = resolution / trained[0]
    return f"{size}: the training grid" if ratio == 1 else f"{size}: {ratio:g}× the training grid"


def _cost_row(study: Study, method: Method, protocols: Sequence[str]) -> Row | None:
    """Costs of a method under one protocol, or of a baseline under whichever it was run."""
    seconds = []
    for resolution in study.resolutions:
        run = [Series(method, p) for p in protocols if study.was_run(Series(method, p), resolution)]
        seconds.append(study.seconds_per_step(run[0], resolution) if run else np.nan)
    if np.isnan(seconds).all():
        return None
    trained = (
        ["–", "–", "–"]
        if method.is_baseline
        else [count(method.parameters), count(method.flops), duration(method.training_seconds)]
    )
    cells = tuple(Cell(text) for text in (*trained, *(duration(s) for s in seconds)))
    return Row(method.name, protocols[0], method.is_baseline, method.look, cells)


def _main_rows(study: Study, resolution: int, field: str) -> Iterator[Row]:
    rows = list(study.series(resolution, field))
    steps = [moment.step for moment in moments(study, field)]
    errors = {
        (series, block, step): study.scores(block.metric, series, resolution, field)[..., step]
        for series in rows
        for block in BLOCKS
        for step in steps
    }
    best = {
        (block, step): _best(rows, {s: errors[s, block, step] for s in rows})
        for block in BLOCKS
        for step in steps
    }
    for series in rows:
        scores = [
            error_cell(estimate(errors[series, block, step]), series in best[block, step])
            for step in steps
            for block in BLOCKS
        ]
        method = series.method
        yield Row(
            label=method.name,
            protocol=series.protocol,
            is_baseline=method.is_baseline,
            look=method.look,
            cells=(
                *scores,
                _gap_cell(study, series, resolution, field),
                blow_up_cell(study, series, resolution),
            ),
        )


def _best(rows: Sequence[Series], errors: dict[Series, np.ndarray]) -> set[Series]:
    """The model of least error, and those that are not worse beyond the uncertainty."""
    whole = {s: e for s, e in errors.items() if not s.method.is_baseline and np.isfinite(e).all()}
    if len(whole) < 2 or max(e.mean() for e in whole.values()) < 1e-5:
        return set()
    leader = min(whole, key=lambda s: float(whole[s].mean()))
    tied = {
        s
        for s, e in whole.items()
        if s != leader and paired_comparison(e, whole[leader]).verdict != "worse"
    }
    return {leader, *tied} if len(tied) + 1 < len(whole) else set()


def error_cell(value: Estimate, is_best: bool) -> Cell:
    """A mean with its interval, or how many rollouts broke."""
    if value.num_broken:
        held = value.num_rollouts - value.num_broken
        note = (
            f"{significant(value.mean)} over {held} of {value.num_rollouts}"
            if held
            else f"all {value.num_rollouts} broke"
        )
        return Cell("∞", note, is_warning=True)
    if value.mean < 1e-5:
        return Cell("0")
    note = "" if np.isnan(value.low) else f"{significant(value.low)}–{significant(value.high)}"
    return Cell(significant(value.mean), note, is_best)


def _gap_cell(study: Study, series: Series, resolution: int, field: str) -> Cell:
    gap = transfer_gap(study, series, resolution, field)
    if gap is None or np.isnan(gap.mean):
        return Cell("–")
    note = "" if np.isnan(gap.low) else f"{significant(gap.low)}–{significant(gap.high)}"
    return Cell(f"{significant(gap.mean)}×", note, is_warning=gap.num_broken > 0)


def blow_up_cell(study: Study, series: Series, resolution: int) -> Cell:
    """The share of rollouts that blew up before the last lead time."""
    blown = study.blow_ups(series, resolution)[..., LAST]
    number = int((blown == 1).sum())
    if not number:
        return Cell("0%")
    share = significant(100 * number / blown.size)
    return Cell(f"{share}%", f"{number} of {blown.size}", is_warning=True)
