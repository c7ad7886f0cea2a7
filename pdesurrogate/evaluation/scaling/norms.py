"""Ratios of norms, in double precision, in which what broke stays seen."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.metrics import mean_square

__all__ = ["relative_norm"]


def relative_norm(
    u: Float[Tensor, "*lead y x"],
    grid: Grid,
    scale: Float[Tensor, "*lead m n"],
    scale_grid: Grid,
) -> Float[Tensor, "*lead"]:
    r"""$\lVert u \rVert / \lVert s \rVert$ with each grid's quadrature weights.

    0 where `u` is exactly zero, whatever the scale; infinity where `u` is not finite.

    Args:
        u: A difference.
        grid: Where it is sampled.
        scale: What it is compared with, in the same unit.
        scale_grid: Where that is sampled.
    """
    square = mean_square(u.double(), grid)
    ratio = (square / mean_square(scale.double(), scale_grid)).sqrt()
    ratio = torch.where(square == 0, torch.zeros_like(ratio), ratio)
    return torch.where(square.isfinite(), ratio, torch.full_like(ratio, torch.inf))
