"""Equations and the solvers that step them. A recipe names an equation that stands here."""

from pdesurrogate.solvers.channel_flow import ChannelFlow, ChannelFlowSolver, ChannelState
from pdesurrogate.solvers.equation import Equation, Solver
from pdesurrogate.solvers.forcing import DiagonalForcing, Forcing, KolmogorovForcing
from pdesurrogate.solvers.inflow import Inflow, ParabolicInflow, UniformInflow
from pdesurrogate.solvers.navier_stokes import PeriodicNavierStokes, PeriodicNavierStokesSolver
from pdesurrogate.solvers.obstacles import Cylinder, Obstacle, RandomCylinders, Square
from pdesurrogate.solvers.time_stepping import SemilinearEquation, etdrk4

__all__ = [
    "ChannelFlow",
    "ChannelFlowSolver",
    "ChannelState",
    "Cylinder",
    "DiagonalForcing",
    "Equation",
    "Forcing",
    "Inflow",
    "KolmogorovForcing",
    "Obstacle",
    "ParabolicInflow",
    "PeriodicNavierStokes",
    "PeriodicNavierStokesSolver",
    "RandomCylinders",
    "SemilinearEquation",
    "Solver",
    "Square",
    "UniformInflow",
    "etdrk4",
]
