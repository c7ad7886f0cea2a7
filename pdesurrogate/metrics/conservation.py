"""Integrals of a field: what a flow should keep, or lose at a known rate.

Their names depend on the field: the mean of the height is mass, the mean square of the vorticity
twice the enstrophy per area, the mean squares of the velocity components add up to twice the
kinetic energy per mass.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.metrics.weights import quadrature_weights

__all__ = ["mean_square", "spatial_mean"]


def spatial_mean(u: Float[Tensor, "*lead y x"], grid: Grid) -> Float[Tensor, "*lead"]:
    r"""Mean of a field over the domain, $\sum w\, u$ with quadrature weights $w$ of sum 1.

    Args:
        u: Field on `grid`, in any unit.
        grid: Where it is sampled.

    Returns:
        One number per leading index, in the unit of `u`.
    """
    return u.flatten(-2) @ quadrature_weights(grid, u.dtype, u.device).flatten()


def mean_square(u: Float[Tensor, "*lead y x"], grid: Grid) -> Float[Tensor, "*lead"]:
    r"""Mean square of a field over the domain, $\sum w\, u^2$ with weights $w$ of sum 1.

    Args:
        u: Field on `grid`, in any unit.
        grid: Where it is sampled.

    Returns:
        One number per leading index, in the square of the unit of `u`.
    """
    return spatial_mean(u.square(), grid)
