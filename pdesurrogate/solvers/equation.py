"""The contract between an equation, its discretisation and everybody who steps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid

__all__ = ["Equation", "Solver"]


@runtime_checkable
class Solver(Protocol):
    """An equation on a grid with a time step: `step` goes with `rollout`."""

    @property
    def grid(self) -> Grid:
        """Where the equation is solved."""
        ...

    @property
    def dt(self) -> float:
        """Time step, in the equation's unit of time."""
        ...

    def initialise(self, fields: Mapping[str, Float[Tensor, "batch y x"]]) -> Any:
        """The state that has these prognostic fields, given on the solver's grid or another of
        the same domain."""
        ...

    def step(self, state: Any) -> Any:
        """The state `dt` later."""
        ...

    def observe(self, state: Any, grid: Grid) -> dict[str, Float[Tensor, "batch m n"]]:
        """Every field of the equation, restricted to `grid`."""
        ...

    def courant_number(self, state: Any) -> Float[Tensor, " batch"]:
        """Largest number of cells that the flow crosses in one step."""
        ...


@dataclass(frozen=True)
class Equation(ABC):
    """The physics alone: a frozen dataclass of parameters, without grid or time step.

    A recipe names a subclass and sets its fields. `discretise` composes it with a grid and an
    integrator.
    """

    @property
    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """The fields that the solver can observe, prognostic ones first."""

    def check_resolved(self, grid: Grid) -> None:  # noqa: B027
        """Refuse a grid on which a reference simulation would miss part of the physics.

        Raises:
            ValueError: Says what is not resolved. Nothing is refused unless an equation says so.
        """

    @abstractmethod
    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> Solver:
        """The solver of this equation on `grid` with time step `dt`.

        Raises:
            ValueError: If the equation is not defined on this kind of grid.
        """
