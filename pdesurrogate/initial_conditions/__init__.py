"""Random initial states, defined as functions and observed on any grid."""

from pdesurrogate.initial_conditions.balanced import BalancedVortices, balanced_height
from pdesurrogate.initial_conditions.balanced_turbulence import BalancedTurbulence
from pdesurrogate.initial_conditions.barotropic_jets import BarotropicJet, RandomBarotropicJets
from pdesurrogate.initial_conditions.combined import CombinedInitialCondition
from pdesurrogate.initial_conditions.dams import RadialDam, RandomDams
from pdesurrogate.initial_conditions.fourier_series import random_coefficients
from pdesurrogate.initial_conditions.gaussian import GaussianRandomField, McWilliamsVorticity
from pdesurrogate.initial_conditions.harmonic_series import random_harmonics
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.initial_conditions.smoke_noise import SmokeNoise
from pdesurrogate.initial_conditions.sphere_flows import (
    CosineBell,
    RossbyHaurwitzWave,
    SolidBodyRotation,
)
from pdesurrogate.initial_conditions.stream import DisturbedStream
from pdesurrogate.initial_conditions.zonal_flows import RandomZonalFlow, ShuffledZonalFlow

__all__ = [
    "BalancedTurbulence",
    "BalancedVortices",
    "BarotropicJet",
    "CombinedInitialCondition",
    "CosineBell",
    "DisturbedStream",
    "GaussianRandomField",
    "InitialCondition",
    "McWilliamsVorticity",
    "RadialDam",
    "RandomBarotropicJets",
    "RandomDams",
    "RandomZonalFlow",
    "RossbyHaurwitzWave",
    "ShuffledZonalFlow",
    "SmokeNoise",
    "SolidBodyRotation",
    "balanced_height",
    "random_coefficients",
    "random_harmonics",
]
