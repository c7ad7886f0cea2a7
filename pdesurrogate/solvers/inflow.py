"""What enters a channel, and the walls that it goes with."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.operators.staggered import mirror_about_faces, mirror_about_nodes

__all__ = ["Inflow", "ParabolicInflow", "UniformInflow"]


@dataclass(frozen=True)
class Inflow(ABC):
    """A steady stream along x through the left edge, undisturbed by the walls beside it.

    Args:
        speed: Mean velocity over the section.

    Raises:
        ValueError: If the speed is not positive and finite.
    """

    speed: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.speed < math.inf:
            raise ValueError(f"the inflow's speed must be positive and finite, got {self.speed}")

    @abstractmethod
    def profile(self, grid: Grid) -> Float[Tensor, " y"]:
        """Velocity along x at the height of the cell centres, float64."""

    @abstractmethod
    def extend_along_walls(
        self, velocity_x: Float[Tensor, "b y x"], width: int
    ) -> Float[Tensor, "b m x"]:
        """The velocity along the walls with `width` more rows below and above, as they imply."""

    @abstractmethod
    def extend_through_walls(
        self, velocity_y: Float[Tensor, "b y x"], width: int
    ) -> Float[Tensor, "b m x"]:
        """The velocity through the walls, whose first and last rows lie on them, likewise."""


@dataclass(frozen=True)
class UniformInflow(Inflow):
    r"""The same speed everywhere, between walls that do not hold the fluid back (free slip).

    $$ u_x = U, \qquad \partial_y u_x = 0 \text{ at the walls} $$

    Args:
        speed: `U`.
    """

    def profile(self, grid: Grid) -> Float[Tensor, " y"]:
        """`U`."""
        return torch.full((grid.num_points[0],), self.speed, dtype=torch.float64)

    def extend_along_walls(
        self, velocity_x: Float[Tensor, "b y x"], width: int
    ) -> Float[Tensor, "b m x"]:
        """Even: no shear at the wall."""
        return mirror_about_faces(velocity_x, -2, width)

    def extend_through_walls(
        self, velocity_y: Float[Tensor, "b y x"], width: int
    ) -> Float[Tensor, "b m x"]:
        """Odd, as continuity wants beside a velocity along the wall that is even."""
        return mirror_about_nodes(velocity_y, -2, width, low=-1.0, high=-1.0)


@dataclass(frozen=True)
class ParabolicInflow(Inflow):
    r"""Poiseuille's profile between walls that hold the fluid (no slip).

    $$ u_x = 6 U \frac{y}{H} \left(1 - \frac{y}{H}\right), \qquad u_x = 0 \text{ at the walls} $$

    Args:
        speed: Mean velocity `U`; the largest one is `3 U / 2`.
    """

    def profile(self, grid: Grid) -> Float[Tensor, " y"]:
        """The parabola's values at the cell centres, whose mean is $U (1 + h^2 / 2 H^2)$."""
        y = torch.as_tensor(grid.y) / grid.domain_extent[0]
        return 6 * self.speed * y * (1 - y)

    def extend_along_walls(
        self, velocity_x: Float[Tensor, "b y x"], width: int
    ) -> Float[Tensor, "b m x"]:
        """On the parabola through zero at the wall and the two rows beside it."""
        rows = [velocity_x]
        for distance in (0.5 + i for i in range(width)):
            first, second = -2 * distance * (distance + 1.5), distance * (distance + 0.5) / 1.5
            below = first * velocity_x[:, :1] + second * velocity_x[:, 1:2]
            above = first * velocity_x[:, -1:] + second * velocity_x[:, -2:-1]
            rows = [below, *rows, above]
        return torch.cat(rows, dim=1)

    def extend_through_walls(
        self, velocity_y: Float[Tensor, "b y x"], width: int
    ) -> Float[Tensor, "b m x"]:
        """Even: by continuity it has no slope at the wall."""
        return mirror_about_nodes(velocity_y, -2, width)
