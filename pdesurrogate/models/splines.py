"""Quadratic splines on the cells of a box, nested from grid to grid, with walls that they obey."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Padding
from pdesurrogate.models.walls import Wall

__all__ = ["SplineProduct", "SplineSpace"]


@dataclass(frozen=True)
class SplineSpace:
    r"""Functions with continuous first derivatives that are quadratic along each axis of a cell.

    $$ u(x, y) = \sum_{ij} c_{ij}\, B(y / h_y - i)\, B(x / h_x - j) $$

    with the quadratic B-spline $B$ that is centred at a cell and reaches over the next cell on
    either side: one coefficient a cell, and beyond a wall those that its condition says. The
    condition therefore holds on the whole wall, not at points. On a periodic axis, whose points are
    nodes, a cell is what lies around a point.

    A spline on `n` cells is one on `2 n` cells too, so that the spaces are nested.

    Args:
        wall: The condition on all walls.
        edges: How fields continue along y and x, from `Grid.padding`; `replicate` marks walls.

    References:
        De Boor (1978), *A Practical Guide to Splines*, ch. IX.
    """

    wall: Wall
    edges: tuple[Padding, Padding]

    def confine(self, c: Float[Tensor, "*lead y x"]) -> Float[Tensor, "*lead y x"]:
        """Coefficients of a function in this space, from any."""
        for axis, edge in zip((-2, -1), self.edges, strict=True):
            if edge != "circular":
                c = self.wall.confine(c, axis)
        return c

    def values(self, c: Float[Tensor, "*lead y x"]) -> Float[Tensor, "*lead y x"]:
        """The function at the cell centres."""
        return self._averaged(self._averaged(c, -2), -1)

    def slopes(self, c: Float[Tensor, "*lead y x"], axis: int) -> Float[Tensor, "*lead y x"]:
        """The derivative along an axis, -2 or -1, at the cell centres, per cell size."""
        before, _, after = self._neighbours(c, axis)
        return self._averaged(0.5 * (after - before), -3 - axis)

    def refined(self, c: Float[Tensor, "*lead y x"]) -> Float[Tensor, "*lead m n"]:
        r"""The coefficients of the same function on cells of half the size.

        $$ c'_{2i} = (c_{i-1} + 3 c_i)/4, \qquad c'_{2i+1} = (3 c_i + c_{i+1})/4 $$

        References:
            Chaikin (1974), *Computer Graphics and Image Processing* 3.
        """
        for axis in (-2, -1):
            before, here, after = self._neighbours(c, axis)
            behind = c.ndim + axis + 1  # right behind the axis, so that the halves alternate
            halves = torch.stack([before + 3 * here, 3 * here + after], dim=behind)
            c = 0.25 * halves.flatten(behind - 1, behind)
        return c

    def _averaged(self, c: Tensor, axis: int) -> Tensor:
        before, here, after = self._neighbours(c, axis)
        return 0.125 * (before + 6 * here + after)

    def _neighbours(self, c: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
        """Of each coefficient: the one before it along an axis, itself, the one after."""
        length = c.shape[axis]
        first, last = c.narrow(axis, 0, 1), c.narrow(axis, length - 1, 1)
        if self.edges[axis] == "circular":
            first, last = last, first
        else:
            first, last = self.wall.ghost_sign * first, self.wall.ghost_sign * last
        before = torch.cat([first, c.narrow(axis, 0, length - 1)], dim=axis)
        after = torch.cat([c.narrow(axis, 1, length - 1), last], dim=axis)
        return before, c, after


@dataclass(frozen=True)
class SplineProduct:
    """Several channels of splines, in groups that share a condition at the walls.

    Args:
        groups: Number of channels and space, in channel order.
    """

    groups: tuple[tuple[int, SplineSpace], ...]

    @property
    def channels(self) -> int:
        """Channels of coefficients."""
        return sum(count for count, _ in self.groups)

    def confine(self, c: Float[Tensor, "batch channel y x"]) -> Float[Tensor, "batch channel y x"]:
        """Coefficients of functions in the spaces, from any."""
        return self._each(SplineSpace.confine, c)

    def refined(self, c: Float[Tensor, "batch channel y x"]) -> Float[Tensor, "batch channel m n"]:
        """The coefficients of the same functions on cells of half the size."""
        return self._each(SplineSpace.refined, c)

    def _each(self, act: Callable[[SplineSpace, Tensor], Tensor], c: Tensor) -> Tensor:
        parts = c.split([count for count, _ in self.groups], dim=1)
        done = [act(space, part) for (_, space), part in zip(self.groups, parts, strict=True)]
        return torch.cat(done, dim=1)
