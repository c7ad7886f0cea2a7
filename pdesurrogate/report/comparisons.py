"""Which model is better than which: every pair at the finest grid, trajectory by trajectory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pdesurrogate.evaluation.statistics import Comparison, Verdict, paired_comparison
from pdesurrogate.report.methods import Series, Study
from pdesurrogate.report.moments import FIRST, moments
from pdesurrogate.report.numbers import significant, times
from pdesurrogate.report.tables import Cell, Row, Table

__all__ = ["Comparisons", "comparisons", "in_words"]

_MOST = 8
"""Models compared; of more, those of least error. A larger matrix is not read."""


@dataclass(frozen=True)
class Comparisons:
    """A matrix of comparisons per lead time.

    Args:
        columns: Whom the rows are compared with.
        table: One group of rows per lead time; a row's cells are in the order of `columns`.
        num_left_out: Models that there was no room for.
    """

    columns: tuple[str, ...]
    table: Table
    num_left_out: int = 0


def in_words(verdict: Verdict) -> str:
    """A verdict as a sentence has it."""
    return verdict.replace("'", "’")


def comparisons(study: Study, field: str) -> Comparisons | None:
    """Every model against every other and against the coarse solvers, at the finest grid.

    A model takes part under the protocol of its least total error after one step.

    Args:
        study: The evaluations.
        field: Which field's errors.

    Returns:
        Ratios of total errors with their intervals and verdicts at each of `moments`; None where
        there is nobody to compare a model with.
    """
    finest = study.resolutions[-1]
    models = _best_protocols(study, finest, field)
    solvers = [
        series for series in study.series(finest, field) if series.method.model == "coarse solver"
    ]
    rivals = [*models[:_MOST], *solvers]
    if not models or len(rivals) < 2:
        return None
    groups = []
    for moment in moments(study, field):
        errors = {
            s: study.scores("total_error", s, finest, field)[..., moment.step] for s in rivals
        }
        rows = tuple(_row(series, errors) for series in models[:_MOST])
        groups.append((f"after {moment.after}", rows))
    names = tuple(series.name for series in rivals)
    return Comparisons(names, Table(tuple(groups)), len(models[_MOST:]))


def _best_protocols(study: Study, resolution: int, field: str) -> list[Series]:
    """Each model under the protocol of its least error after one step, the best model first."""
    means = {
        series: float(study.scores("total_error", series, resolution, field)[..., FIRST].mean())
        for series in study.series(resolution, field)
        if not series.method.is_baseline
    }
    best: dict[str, Series] = {}
    for series in sorted(means, key=lambda s: means[s]):
        best.setdefault(series.method.name, series)
    return list(best.values())


def _row(series: Series, errors: dict[Series, np.ndarray]) -> Row:
    cells = tuple(
        Cell("–") if other == series else _cell(paired_comparison(errors[series], theirs))
        for other, theirs in errors.items()
    )
    return Row(series.method.name, series.protocol, False, series.method.look, cells)


def _cell(comparison: Comparison) -> Cell:
    ratio, verdict = comparison.ratio, in_words(comparison.verdict)
    if np.isnan(comparison.difference.mean):
        return Cell("–", f"both broke, {verdict}", is_warning=True)
    text = "–" if np.isnan(ratio.mean) else times(ratio.mean)
    if np.isnan(ratio.low) or np.isinf(comparison.difference.mean):
        return Cell(text, verdict, comparison.verdict == "better", bool(np.isinf(ratio.mean)))
    interval = f"{significant(ratio.low)}–{significant(ratio.high)}"
    return Cell(text, f"{interval}, {verdict}", comparison.verdict == "better")
