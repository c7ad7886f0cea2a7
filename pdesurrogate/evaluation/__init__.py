"""What a surrogate is worth: on every grid of the ladder, against what costs nothing."""

from __future__ import annotations

from pdesurrogate.evaluation.resolution_transfer import evaluate
from pdesurrogate.evaluation.scaling import (
    OrderFit,
    measure_scaling,
    observed_order,
    open_scaling,
    write_scaling,
)
from pdesurrogate.evaluation.statistics import mean_interval
from pdesurrogate.evaluation.store import open_evaluation, write_evaluation
from pdesurrogate.intervals import Interval

__all__ = [
    "Interval",
    "OrderFit",
    "evaluate",
    "mean_interval",
    "measure_scaling",
    "observed_order",
    "open_evaluation",
    "open_scaling",
    "write_evaluation",
    "write_scaling",
]
