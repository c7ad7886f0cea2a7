"""Training surrogates: one loop, objectives and losses to compose it with, exact resumption."""

from __future__ import annotations

from pdesurrogate.training.config import Precision, Stage, TrainingConfig
from pdesurrogate.training.extending import EXTENSION_DEFAULTS, extend
from pdesurrogate.training.loop import NonFiniteLossError
from pdesurrogate.training.losses import (
    H1,
    BandWeighted,
    Conservation,
    Criterion,
    Divergence,
    FrameLoss,
    LossSetting,
    MeanSquare,
    RelativeL2,
    WeightedSum,
)
from pdesurrogate.training.objectives import (
    Curriculum,
    CutGradients,
    Objective,
    OneStep,
    Pushforward,
    Unrolled,
)
from pdesurrogate.training.rate_finder import find_learning_rate
from pdesurrogate.training.schedule import WarmupCosine
from pdesurrogate.training.sweep import sweep
from pdesurrogate.training.trainer import train

__all__ = [
    "EXTENSION_DEFAULTS",
    "H1",
    "BandWeighted",
    "Conservation",
    "Criterion",
    "Curriculum",
    "CutGradients",
    "Divergence",
    "FrameLoss",
    "LossSetting",
    "MeanSquare",
    "NonFiniteLossError",
    "Objective",
    "OneStep",
    "Precision",
    "Pushforward",
    "RelativeL2",
    "Stage",
    "TrainingConfig",
    "Unrolled",
    "WarmupCosine",
    "WeightedSum",
    "extend",
    "find_learning_rate",
    "sweep",
    "train",
]
