"""Integrals of a field: what a flow should keep, or lose at a known rate.

Their names depend on the field: the mean of the height is mass, the mean square of the vorticity
twice the enstrophy per area, the mean squares of the velocity components add up to twice the
kinetic energy per mass.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid

__all__ = ["mean_square", "spatial_mean"]


def spatial_mean(u: Float[Tensor, "*lead y x"], grid: Grid) -> Float[Tensor, "*lead"]:
    r"""Mean of a field over the domain, $\sum w\, u$ with quadrature weights $w$ of sum 1.

    Args:
        u: Field on `grid`, in any unit.
        grid: Where it is sampled.

    Returns:
        One number per leading index, in the unit of `u`.
    """
    return (u * _weights(u, grid)).sum(dim=(-2, -1))


def mean_square(u: Float[Tensor, "*lead y x"], grid: Grid) -> Float[Tensor, "*lead"]:
    r"""Mean square of a field over the domain, $\sum w\, u^2$ with weights $w$ of sum 1.

    Args:
        u: Field on `grid`, in any unit.
        grid: Where it is sampled.

    Returns:
        One number per leading index, in the square of the unit of `u`.
    """
    return spatial_mean(u**2, grid)


def _weights(u: Tensor, grid: Grid) -> Float[Tensor, "y x"]:
    return torch.as_tensor(grid.quadrature_weights, dtype=u.dtype, device=u.device)
