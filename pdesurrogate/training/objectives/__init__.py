"""What a training minimises: which predictions are made in training, and which gradients flow.

What is exported here may be named on the command line.
"""

from __future__ import annotations

from pdesurrogate.training.objectives.base import Objective, Step, predicted_blocks
from pdesurrogate.training.objectives.curriculum import Curriculum
from pdesurrogate.training.objectives.cut_gradients import CutGradients
from pdesurrogate.training.objectives.one_step import OneStep
from pdesurrogate.training.objectives.pushforward import Pushforward
from pdesurrogate.training.objectives.unrolled import Unrolled

__all__ = [
    "Curriculum",
    "CutGradients",
    "Objective",
    "OneStep",
    "Pushforward",
    "Step",
    "Unrolled",
    "predicted_blocks",
]
