"""The scaling limit in numbers, as rows of the page's table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pdesurrogate.report.estimates import Estimate, estimate
from pdesurrogate.report.numbers import significant
from pdesurrogate.report.scaling_study import ScalingMethod, ScalingStudy
from pdesurrogate.report.tables import Cell, Row, Table

__all__ = ["SCALING_COLUMNS", "scaling_table"]

SCALING_COLUMNS = (
    "order",
    "c, coarsest",
    "of the change",
    "interpolation, top",
    "extrapolation, top",
    "new detail, top",
    "solver’s",
)
"""What the columns say."""


def scaling_table(study: ScalingStudy, field: str) -> Table:
    """Order, commutation error on the coarsest rung, and one-step errors at the top.

    Args:
        study: What was measured.
        field: Which field's numbers.

    Returns:
        One group, a row per method; columns as `SCALING_COLUMNS`.
    """
    return Table((("", tuple(_row(method, field) for method in study.showing(field))),))


def _row(method: ScalingMethod, field: str) -> Row:
    coarsest, top = method.resolutions[0], method.resolutions[-1]
    places = (
        ("commutation_error", coarsest),
        ("commutation_error_of_change", coarsest),
        ("interpolation_error", top),
        ("extrapolation_error", top),
        ("out_of_band_change", top),
        ("solver_out_of_band_change", top),
    )
    cells = [_cell(estimate(method.at(name, field, n))) for name, n in places]
    return Row(
        label=method.name,
        protocol="",
        is_baseline=not method.is_trained,
        look=method.look if method.kind == "baseline" else replace(method.look, dash=()),
        cells=(_order_cell(method, field), *cells),
    )


def _order_cell(method: ScalingMethod, field: str) -> Cell:
    fit = method.order(field)
    if fit is None or np.isnan(fit.order):
        return Cell("–")
    note = "" if np.isnan(fit.low) else f"{significant(fit.low)} to {significant(fit.high)}"
    return Cell(significant(fit.order), note)


def _cell(value: Estimate) -> Cell:
    if np.isnan(value.mean):
        return Cell("–")
    if value.num_broken:
        held = value.num_rollouts - value.num_broken
        note = f"{significant(value.mean)} over {held} of {value.num_rollouts}"
        return Cell("∞", note, is_warning=True)
    note = "" if np.isnan(value.low) else f"{significant(value.low)}–{significant(value.high)}"
    return Cell(significant(value.mean), note)
