"""How much of every cell a disc or a rectangle covers, exactly."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid

__all__ = ["disc_fraction", "rectangle_fraction"]


def disc_fraction(
    grid: Grid, centre: tuple[float, float], radius: float
) -> Float[Tensor, "cells_y cells_x"]:
    """The fraction of every cell that lies in a disc, exact to rounding.

    Args:
        grid: Whose cells.
        centre: Along y and x, in the grid's unit of length.
        radius: In the same unit, positive.
    """
    y, x = ((edges - c) / radius for edges, c in zip(_edges(grid), centre, strict=True))
    below = _disc_below(x[None, :], y[:, None]) * radius**2
    covered = below.diff(dim=0).diff(dim=1) / (grid.spacing[0] * grid.spacing[1])
    return covered.clamp(0, 1)  # beyond by rounding only


def rectangle_fraction(
    grid: Grid, low: tuple[float, float], high: tuple[float, float]
) -> Float[Tensor, "cells_y cells_x"]:
    """The fraction of every cell that lies in a rectangle with sides along the axes.

    Args:
        grid: Whose cells.
        low: Its lower corner along y and x.
        high: Its upper corner.
    """
    y, x = (
        edges.clamp(first, last).diff() / spacing
        for edges, first, last, spacing in zip(_edges(grid), low, high, grid.spacing, strict=True)
    )
    return y[:, None] * x[None, :]


def _edges(grid: Grid) -> tuple[Tensor, Tensor]:
    """Where cells begin and end along y and x."""
    y, x = (
        torch.cat([torch.as_tensor(p) - h / 2, torch.as_tensor(p[-1:]) + h / 2])
        for p, h in zip((grid.y, grid.x), grid.spacing, strict=True)
    )
    return y, x


def _disc_below(x: Float[Tensor, "*#points"], y: Float[Tensor, "*#points"]) -> Tensor:
    """Area of the part of the unit disc to the left of `x` and below `y`.

    Where the chord at `t` reaches above `y` it counts from the circle up to `y`, else wholly or,
    for negative `y`, not at all.
    """
    x, y = x.clamp(-1, 1), y.clamp(-1, 1)
    reach = (1 - y.square()).sqrt()
    inner = torch.minimum(torch.maximum(x, -reach), reach)
    cut = y * (inner + reach) + _half_chords(inner) - _half_chords(-reach)
    left = _half_chords(torch.minimum(x, -reach)) - _half_chords(-torch.ones_like(x))
    right = _half_chords(torch.maximum(x, reach)) - _half_chords(reach)
    return cut + torch.where(y > 0, 2 * (left + right), 0.0)


def _half_chords(t: Tensor) -> Tensor:
    """An antiderivative of the root of 1 - t²."""
    return (t * (1 - t.square()).clamp(min=0).sqrt() + torch.asin(t)) / 2
