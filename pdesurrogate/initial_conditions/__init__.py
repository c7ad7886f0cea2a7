"""Random initial states, defined as functions and observed on any grid."""

from pdesurrogate.initial_conditions.gaussian import (
    GaussianRandomField,
    InitialCondition,
    McWilliamsVorticity,
)

__all__ = ["GaussianRandomField", "InitialCondition", "McWilliamsVorticity"]
