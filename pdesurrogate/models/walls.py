"""What a field does at a wall, as a choice within a model."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pdesurrogate.models.part import Part

__all__ = ["Clamped", "Dirichlet", "Neumann", "Wall"]


@dataclass(frozen=True)
class Wall(Part, ABC):
    """What quadratic splines satisfy at every wall: how their coefficients continue beyond it.

    With a coefficient per cell, the value at a wall is the mean of the first coefficient and the
    one beyond the wall, and the normal derivative is their difference over the cell size.
    """

    ghost_sign: ClassVar[float]
    """The coefficient beyond a wall is this times the first one."""

    least_cells: ClassVar[int] = 1
    """How many cells there must be between two walls."""

    def confine(self, c: Float[Tensor, "*lead y x"], axis: int) -> Float[Tensor, "*lead y x"]:
        """Coefficients that belong to the space, from any; both walls across `axis`, -2 or -1."""
        return c


class Neumann(Wall):
    r"""$\partial_n u = 0$: coefficients continue evenly."""

    ghost_sign: ClassVar[float] = 1.0


class Dirichlet(Wall):
    r"""$u = 0$: coefficients continue oddly."""

    ghost_sign: ClassVar[float] = -1.0


class Clamped(Wall):
    r"""$u = 0$ and $\partial_n u = 0$: the first coefficient is zero, and so is the one beyond."""

    ghost_sign: ClassVar[float] = 0.0
    least_cells: ClassVar[int] = 2

    def confine(self, c: Float[Tensor, "*lead y x"], axis: int) -> Float[Tensor, "*lead y x"]:
        """Replace the coefficients beside the walls by zero.

        Raises:
            ValueError: If there is one cell only.
        """
        if c.shape[axis] < self.least_cells:
            raise ValueError(
                f"Clamped needs at least {self.least_cells} cells between two walls, "
                f"got {c.shape[axis]}"
            )
        inner = c.narrow(axis, 1, c.shape[axis] - 2)
        return F.pad(inner, (0, 0, 1, 1) if axis == -2 else (1, 1))
