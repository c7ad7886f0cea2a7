"""Equations and the solvers that step them. A recipe names an equation that stands here."""

from pdesurrogate.solvers.equation import Equation, Solver
from pdesurrogate.solvers.forcing import (
    DiagonalForcing,
    Forcing,
    KolmogorovForcing,
    UnsteadyForcing,
)
from pdesurrogate.solvers.navier_stokes import PeriodicNavierStokes
from pdesurrogate.solvers.navier_stokes_solver import FlowState, PeriodicNavierStokesSolver
from pdesurrogate.solvers.stochastic_forcing import StochasticForcing
from pdesurrogate.solvers.time_stepping import SemilinearEquation, etdrk4

__all__ = [
    "DiagonalForcing",
    "Equation",
    "FlowState",
    "Forcing",
    "KolmogorovForcing",
    "PeriodicNavierStokes",
    "PeriodicNavierStokesSolver",
    "SemilinearEquation",
    "Solver",
    "StochasticForcing",
    "UnsteadyForcing",
    "etdrk4",
]
