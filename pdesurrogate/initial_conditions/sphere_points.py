"""Where the points of a grid lie on a sphere."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid

__all__ = ["angles"]


def angles(grid: Grid) -> tuple[Float[Tensor, "y 1"], Float[Tensor, "1 x"]]:
    """Latitudes and longitudes in radians.

    Raises:
        ValueError: If the grid is not on a sphere.
    """
    if not isinstance(grid, GaussianSphere):
        raise ValueError(f"a flow on a sphere needs a GaussianSphere, got {type(grid).__name__}")
    latitude, longitude = torch.tensor(grid.y).deg2rad(), torch.tensor(grid.x).deg2rad()
    return latitude[:, None], longitude[None, :]
