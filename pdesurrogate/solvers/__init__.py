"""Equations and the solvers that step them. A recipe names an equation that stands here."""

from pdesurrogate.solvers.bathymetry import Bathymetry, RandomHills
from pdesurrogate.solvers.buoyant_smoke import BuoyantSmoke, BuoyantSmokeSolver
from pdesurrogate.solvers.carrier import Carrier, FieldCarrier
from pdesurrogate.solvers.carrier_files import carrier_from_dict, carrier_to_dict
from pdesurrogate.solvers.channel_flow import ChannelFlow, ChannelFlowSolver, ChannelState
from pdesurrogate.solvers.coriolis import Coriolis, EquatorialPlane, UniformRotation
from pdesurrogate.solvers.earth_orography import EarthOrography
from pdesurrogate.solvers.equation import (
    Diagnosing,
    Equation,
    Solver,
    SubStepping,
    UnstableStepError,
)
from pdesurrogate.solvers.forced_spherical_shallow_water import (
    ForcedSphereState,
    ForcedSphericalShallowWater,
    ForcedSphericalShallowWaterSolver,
)
from pdesurrogate.solvers.forcing import (
    DiagonalForcing,
    Forcing,
    KolmogorovForcing,
    UnsteadyForcing,
)
from pdesurrogate.solvers.inflow import Inflow, ParabolicInflow, UniformInflow
from pdesurrogate.solvers.mass_source import MassSource, SeasonalDay
from pdesurrogate.solvers.navier_stokes import PeriodicNavierStokes
from pdesurrogate.solvers.navier_stokes_solver import FlowState, PeriodicNavierStokesSolver
from pdesurrogate.solvers.obstacles import Cylinder, Obstacle, RandomCylinders, Square
from pdesurrogate.solvers.orography import ConicalMountain, GaussianMountain, Orography
from pdesurrogate.solvers.rotating_shallow_water import RotatingShallowWater
from pdesurrogate.solvers.rotating_shallow_water_solver import RotatingShallowWaterSolver
from pdesurrogate.solvers.semi_lagrangian_smoke import (
    SemiLagrangianSmoke,
    SemiLagrangianSmokeSolver,
)
from pdesurrogate.solvers.shallow_water import (
    OpenShallowWater,
    PeriodicShallowWater,
    ShallowWater,
)
from pdesurrogate.solvers.shallow_water_solver import ShallowWaterSolver, ShallowWaterState
from pdesurrogate.solvers.spherical_advection import SphericalAdvection
from pdesurrogate.solvers.spherical_advection_solver import SphericalAdvectionSolver
from pdesurrogate.solvers.spherical_shallow_water import SphericalShallowWater
from pdesurrogate.solvers.spherical_shallow_water_solver import SphericalShallowWaterSolver
from pdesurrogate.solvers.stochastic_forcing import StochasticForcing
from pdesurrogate.solvers.time_stepping import SemilinearEquation, etdrk4

__all__ = [
    "Bathymetry",
    "BuoyantSmoke",
    "BuoyantSmokeSolver",
    "Carrier",
    "ChannelFlow",
    "ChannelFlowSolver",
    "ChannelState",
    "ConicalMountain",
    "Coriolis",
    "Cylinder",
    "Diagnosing",
    "DiagonalForcing",
    "EarthOrography",
    "Equation",
    "EquatorialPlane",
    "FieldCarrier",
    "FlowState",
    "ForcedSphereState",
    "ForcedSphericalShallowWater",
    "ForcedSphericalShallowWaterSolver",
    "Forcing",
    "GaussianMountain",
    "Inflow",
    "KolmogorovForcing",
    "MassSource",
    "Obstacle",
    "OpenShallowWater",
    "Orography",
    "ParabolicInflow",
    "PeriodicNavierStokes",
    "PeriodicNavierStokesSolver",
    "PeriodicShallowWater",
    "RandomCylinders",
    "RandomHills",
    "RotatingShallowWater",
    "RotatingShallowWaterSolver",
    "SeasonalDay",
    "SemiLagrangianSmoke",
    "SemiLagrangianSmokeSolver",
    "SemilinearEquation",
    "ShallowWater",
    "ShallowWaterSolver",
    "ShallowWaterState",
    "Solver",
    "SphericalAdvection",
    "SphericalAdvectionSolver",
    "SphericalShallowWater",
    "SphericalShallowWaterSolver",
    "Square",
    "StochasticForcing",
    "SubStepping",
    "UniformInflow",
    "UniformRotation",
    "UnstableStepError",
    "UnsteadyForcing",
    "carrier_from_dict",
    "carrier_to_dict",
    "etdrk4",
]
