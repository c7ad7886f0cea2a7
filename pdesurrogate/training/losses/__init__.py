"""How far predicted frames are from the true ones: what an objective sums up over a rollout.

What is exported here may be named on the command line.
"""

from __future__ import annotations

from pdesurrogate.training.losses.band_weighted import BandWeighted
from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting
from pdesurrogate.training.losses.conservation import Conservation
from pdesurrogate.training.losses.divergence import Divergence
from pdesurrogate.training.losses.h1 import H1
from pdesurrogate.training.losses.mean_square import MeanSquare
from pdesurrogate.training.losses.relative_l2 import RelativeL2
from pdesurrogate.training.losses.weighted_sum import WeightedSum

__all__ = [
    "H1",
    "BandWeighted",
    "Conservation",
    "Criterion",
    "Divergence",
    "FrameLoss",
    "LossSetting",
    "MeanSquare",
    "RelativeL2",
    "WeightedSum",
]
