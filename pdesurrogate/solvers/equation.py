"""The contract between an equation, its discretisation and everybody who steps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Diagnostic, Field
from pdesurrogate.grids import Grid
from pdesurrogate.solvers.carrier import Carrier, field_carrier

__all__ = [
    "Diagnosing",
    "Equation",
    "Solver",
    "SubStepping",
    "UnstableStepError",
    "check_batch",
    "check_time_step",
]


class UnstableStepError(ValueError):
    """A time step that is unstable whatever the flow.

    Args:
        message: What is wrong with it.
        largest: The largest stable step, in the equation's unit of time.
    """

    def __init__(self, message: str, largest: float) -> None:
        super().__init__(message)
        self.largest = largest


@runtime_checkable
class Solver(Protocol):
    """An equation on a grid with a time step: `step` goes with `rollout`."""

    @property
    def grid(self) -> Grid:
        """Where the equation is solved."""
        ...

    @property
    def dt(self) -> float:
        """Time by which `step` advances, in the equation's unit of time."""
        ...

    @property
    def courant_limit(self) -> float:
        """Largest Courant number at which the scheme is stable; infinite if there is none."""
        ...

    def initialise(
        self, fields: Mapping[str, Float[Tensor, "batch y x"]], time: float = 0.0
    ) -> Any:
        """The state that has these prognostic fields.

        Args:
            fields: On the solver's grid or another of the same domain.
            time: Time since the trajectory's beginning, for equations that depend on it.
        """
        ...

    def step(self, state: Any) -> Any:
        """The state `dt` later."""
        ...

    def observe(self, state: Any, grid: Grid) -> dict[str, Float[Tensor, "batch m n"]]:
        """Every field of the equation, static ones included, restricted to `grid`."""
        ...

    def courant_number(self, state: Any) -> Float[Tensor, " batch"]:
        """Largest number of cells that the flow crosses in one time step of the scheme; not finite
        if the state is not."""
        ...


@runtime_checkable
class SubStepping(Solver, Protocol):
    """A solver whose steps are made of sub-steps that it chooses itself."""

    substep_share: float
    """Sub-steps are this part of what its stability limits allow; a retry makes it smaller."""

    max_substeps: int
    """A step that asks for more is given up: the flow has blown up, or was never to be solved."""

    def substeps(self, state: Any) -> Tensor:
        """How many sub-steps each trajectory asks for in the next step, as far as can be seen."""
        ...


@runtime_checkable
class Diagnosing(Solver, Protocol):
    """A solver that knows the diagnostics of its equation."""

    def diagnose(self, state: Any) -> dict[str, Float[Tensor, " batch"]]:
        """Every diagnostic of the equation by name, from the solver's own grid or coefficients."""
        ...


_E = TypeVar("_E", bound="Equation")


@dataclass(frozen=True)
class Equation(ABC):
    """The physics alone: a frozen dataclass of parameters, without grid or time step.

    A recipe names a subclass and sets its fields. `discretise` composes it with a grid and an
    integrator.
    """

    grid_type: ClassVar[type[Grid]]
    """The kind of grid that it is defined on."""

    time_units: ClassVar[str] = "1"
    """UDUNITS string of the unit of time; `1` where quantities are dimensionless."""

    length_units: ClassVar[str] = "1"
    """UDUNITS string of the unit of length."""

    @property
    def parameter_units(self) -> Mapping[str, str]:
        """UDUNITS strings of its parameters by path, where quantities have dimensions.

        A class variable will do where no unit depends on another parameter.
        """
        return MappingProxyType({})

    @property
    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """The fields that the solver can observe, prognostic ones first, static ones last."""

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is recorded of every trajectory along time; the solver is then `Diagnosing`."""
        return ()

    def check_resolved(self, grid: Grid) -> None:  # noqa: B027
        """Refuse a grid on which a reference simulation would miss part of the physics.

        Raises:
            ValueError: Says what is not resolved. Nothing is refused unless an equation says so.
        """

    def check_stable(self, grid: Grid, dt: float) -> None:  # noqa: B027
        """Refuse a step that is unstable whatever the flow.

        Raises:
            UnstableStepError: Names the limit and the largest step that keeps it. Nothing is
                refused unless an equation says so.
        """

    def advised_step(self, grid: Grid, dt: float) -> float:
        """The longest step up to `dt` in which nothing grows that should not, slowly though it be.

        A longer one is not refused. It is `dt` unless an equation says otherwise.
        """
        return dt

    def carrier(
        self: _E, fields: Sequence[Field], *, variants: Sequence[_E] = ()
    ) -> Carrier | None:
        """How the flow carries some of its fields, over a step of any length.

        As the fields themselves say, unless an equation knows more.

        Args:
            fields: What is to be carried, in channel order.
            variants: One equation per trajectory, as for `discretise`.

        Returns:
            None if nothing is known of what carries them.
        """
        return field_carrier(fields)

    @abstractmethod
    def discretise(
        self: _E,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[_E] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> Solver:
        """The solver of this equation on `grid` with time step `dt`.

        Args:
            grid: Where to solve.
            dt: Time by which a step advances.
            variants: One equation per trajectory of the batch, of the same kind, where trajectories
                differ in their parameters; empty if all follow this one.
            dtype: float32 or float64.
            device: Where to compute.

        Raises:
            ValueError: If the equation is not defined on this kind of grid.
        """


def check_time_step(dt: float) -> None:
    """Refuse a time step that is not positive.

    Raises:
        ValueError: Naming it.
    """
    if not dt > 0:
        raise ValueError(f"the time step must be positive, got {dt}")


def check_batch(equations: Sequence[object], num_trajectories: int) -> None:
    """Refuse an initial state with another number of trajectories than a solver has equations.

    Args:
        equations: One per trajectory, or one for all.
        num_trajectories: Of the initial state.

    Raises:
        ValueError: Naming both numbers.
    """
    if len(equations) not in (1, num_trajectories):
        raise ValueError(
            f"the solver was given {len(equations)} variants of its equation, one per "
            f"trajectory, but the initial state has {num_trajectories} trajectories"
        )
