"""What a surrogate is worth: on every grid of the ladder, against what costs nothing."""

from __future__ import annotations

from pdesurrogate.evaluation.parts import parts_beside, remove_parts
from pdesurrogate.evaluation.resolution_transfer import evaluate
from pdesurrogate.evaluation.rollout_statistics import (
    blow_up_rate,
    conserved_drift,
    correlation_time,
    late_mean,
    spectral_distance,
    window_errors,
)
from pdesurrogate.evaluation.scaling import (
    OrderFit,
    measure_scaling,
    observed_order,
    open_scaling,
    write_scaling,
)
from pdesurrogate.evaluation.statistics import (
    Comparison,
    mean_interval,
    nested_interval,
    paired_comparison,
    ratio_interval,
)
from pdesurrogate.evaluation.store import open_evaluation, write_evaluation
from pdesurrogate.intervals import Interval

__all__ = [
    "Comparison",
    "Interval",
    "OrderFit",
    "blow_up_rate",
    "conserved_drift",
    "correlation_time",
    "evaluate",
    "late_mean",
    "mean_interval",
    "measure_scaling",
    "nested_interval",
    "observed_order",
    "open_evaluation",
    "open_scaling",
    "paired_comparison",
    "parts_beside",
    "ratio_interval",
    "remove_parts",
    "spectral_distance",
    "window_errors",
    "write_evaluation",
    "write_scaling",
]
