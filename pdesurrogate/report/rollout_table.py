"""What becomes of the rollouts at the finest grid, as a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from pdesurrogate.evaluation.rollout_statistics import (
    correlation_time,
    late_mean,
    spectral_distance,
    window_errors,
)
from pdesurrogate.report.estimates import estimate
from pdesurrogate.report.methods import Series, Study
from pdesurrogate.report.numbers import significant
from pdesurrogate.report.tables import Cell, Row, Table, blow_up_cell, error_cell

__all__ = ["CORRELATED", "RolloutTable", "rollout_table"]

CORRELATED = 0.8
"""Correlation down to which a forecast counts as following the truth."""


@dataclass(frozen=True)
class RolloutTable:
    """Statistics of rollouts, one row per series.

    Args:
        columns: What the columns say.
        table: The rows, in one group.
    """

    columns: tuple[str, ...]
    table: Table


def rollout_table(study: Study, field: str) -> RolloutTable:
    """Time of correlation, errors over windows, blow-ups and late statistics, at the finest grid.

    Args:
        study: The evaluations.
        field: Which field's.
    """
    finest = study.resolutions[-1]
    times, errors = correlation_time(study.table, CORRELATED), window_errors(study.table)
    late = (
        spectral_distance(study.table, _band(study)),
        late_mean(study.table, "distribution_distance"),
        late_mean(study.table, "increment_distance"),
    )
    rows = []
    for series in study.series(finest, field):
        if series.method.model == "truncation floor":
            continue
        cells = (
            _time_cell(study, times, series, field),
            *(_cell(study.statistic(window, series, finest, field)) for window in errors),
            blow_up_cell(study, series, finest),
            *(_cell(study.statistic(values, series, finest, field)) for values in late),
        )
        method = series.method
        rows.append(Row(method.name, series.protocol, method.is_baseline, method.look, cells))
    unit = f", {study.time_unit}" if study.time_unit else ""
    columns = (
        f"correlated{unit}",
        *(f"vRMSE, step{'s' * (':' in name)} {name}" for name in errors["window"].values),
        "blown up",
        "late spectrum in band, dB",
        "late values",
        "late increments",
    )
    return RolloutTable(columns, Table((("", tuple(rows)),)))


def _band(study: Study) -> float:
    """Nyquist wavenumber of the coarsest training grid.

    The first shell that is not complete at a resolution is at its Nyquist wavenumber, which is
    proportional to the resolution.
    """
    wavenumber = study.table["wavenumber"].values
    limit = float(2 * wavenumber[-1] - wavenumber[-2])
    trained = [m.training_resolution for m in study.models if m.training_resolution]
    return limit * min(trained, default=study.resolutions[-1]) / study.resolutions[-1]


def _time_cell(study: Study, times: xr.Dataset, series: Series, field: str) -> Cell:
    finest = study.resolutions[-1]
    scale = study.lead_times[-1] / float(study.table["lead_time"].values[-1])
    seconds = study.statistic(times["correlation_time"], series, finest, field) * scale
    censored = study.statistic(times["is_censored"], series, finest, field)
    value, number = estimate(seconds), int(censored.sum())
    if number == 0:
        return error_cell(value, False)
    note = "all" if number == censored.size else f"{number} of {censored.size}"
    return Cell(f"≥ {significant(value.mean)}", f"{note} to the end")


def _cell(values: Float[np.ndarray, "seed trajectory"]) -> Cell:
    return Cell("–") if np.isnan(values).any() else error_cell(estimate(values), False)
