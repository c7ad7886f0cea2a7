"""How far predicted frames are from the true ones: what an objective sums up over a rollout.

What is exported here may be named on the command line.
"""

from __future__ import annotations

from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting
from pdesurrogate.training.losses.mean_square import MeanSquare

__all__ = ["Criterion", "FrameLoss", "LossSetting", "MeanSquare"]
