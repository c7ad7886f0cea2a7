"""Random initial states, defined as functions and observed on any grid."""

from pdesurrogate.initial_conditions.gaussian import GaussianRandomField, McWilliamsVorticity
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.initial_conditions.smoke_noise import SmokeNoise

__all__ = ["GaussianRandomField", "InitialCondition", "McWilliamsVorticity", "SmokeNoise"]
