"""Equations and the solvers that step them. A recipe names an equation that stands here."""

from pdesurrogate.solvers.buoyant_smoke import BuoyantSmoke, BuoyantSmokeSolver
from pdesurrogate.solvers.equation import Equation, Solver
from pdesurrogate.solvers.forcing import (
    DiagonalForcing,
    Forcing,
    KolmogorovForcing,
    UnsteadyForcing,
)
from pdesurrogate.solvers.navier_stokes import PeriodicNavierStokes
from pdesurrogate.solvers.navier_stokes_solver import FlowState, PeriodicNavierStokesSolver
from pdesurrogate.solvers.semi_lagrangian_smoke import (
    SemiLagrangianSmoke,
    SemiLagrangianSmokeSolver,
)
from pdesurrogate.solvers.stochastic_forcing import StochasticForcing
from pdesurrogate.solvers.time_stepping import SemilinearEquation, etdrk4

__all__ = [
    "BuoyantSmoke",
    "BuoyantSmokeSolver",
    "DiagonalForcing",
    "Equation",
    "FlowState",
    "Forcing",
    "KolmogorovForcing",
    "PeriodicNavierStokes",
    "PeriodicNavierStokesSolver",
    "SemiLagrangianSmoke",
    "SemiLagrangianSmokeSolver",
    "SemilinearEquation",
    "Solver",
    "StochasticForcing",
    "UnsteadyForcing",
    "etdrk4",
]
