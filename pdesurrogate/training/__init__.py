"""Training surrogates: one loop, objectives and schedules to compose it with, exact resumption."""

from __future__ import annotations

from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.objectives import Objective, OneStep, Unrolled
from pdesurrogate.training.schedule import WarmupCosine
from pdesurrogate.training.sweep import sweep
from pdesurrogate.training.trainer import NonFiniteLossError, train

__all__ = [
    "NonFiniteLossError",
    "Objective",
    "OneStep",
    "TrainingConfig",
    "Unrolled",
    "WarmupCosine",
    "sweep",
    "train",
]
