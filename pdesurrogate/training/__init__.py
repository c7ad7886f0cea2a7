"""Training surrogates: one loop, objectives and losses to compose it with, exact resumption."""

from __future__ import annotations

from pdesurrogate.training.config import Precision, Stage, TrainingConfig
from pdesurrogate.training.losses import Criterion, FrameLoss, LossSetting, MeanSquare
from pdesurrogate.training.objectives import Objective, OneStep, Unrolled
from pdesurrogate.training.rate_finder import find_learning_rate
from pdesurrogate.training.schedule import WarmupCosine
from pdesurrogate.training.trainer import NonFiniteLossError, train

__all__ = [
    "Criterion",
    "FrameLoss",
    "LossSetting",
    "MeanSquare",
    "NonFiniteLossError",
    "Objective",
    "OneStep",
    "Precision",
    "Stage",
    "TrainingConfig",
    "Unrolled",
    "WarmupCosine",
    "find_learning_rate",
    "train",
]
