"""Random initial states, defined as functions and observed on any grid."""

from pdesurrogate.initial_conditions.balanced_turbulence import BalancedTurbulence
from pdesurrogate.initial_conditions.combined import CombinedInitialCondition
from pdesurrogate.initial_conditions.dams import RadialDam, RandomDams
from pdesurrogate.initial_conditions.fourier_series import random_coefficients
from pdesurrogate.initial_conditions.gaussian import GaussianRandomField, McWilliamsVorticity
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.initial_conditions.smoke_noise import SmokeNoise
from pdesurrogate.initial_conditions.sphere_flows import (
    BarotropicJet,
    RossbyHaurwitzWave,
    SolidBodyRotation,
)
from pdesurrogate.initial_conditions.stream import DisturbedStream

__all__ = [
    "BalancedTurbulence",
    "BarotropicJet",
    "CombinedInitialCondition",
    "DisturbedStream",
    "GaussianRandomField",
    "InitialCondition",
    "McWilliamsVorticity",
    "RadialDam",
    "RandomDams",
    "RossbyHaurwitzWave",
    "SmokeNoise",
    "SolidBodyRotation",
    "random_coefficients",
]
