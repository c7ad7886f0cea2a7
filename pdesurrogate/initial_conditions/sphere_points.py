"""Where the points of a grid lie on a sphere."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid

__all__ = ["angles", "on_sphere"]


def on_sphere(grid: Grid) -> GaussianSphere:
    """The grid, known to be a sphere's.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(grid, GaussianSphere):
        raise ValueError(f"a flow on a sphere needs a GaussianSphere, got {type(grid).__name__}")
    return grid


def angles(grid: Grid) -> tuple[Float[Tensor, "y 1"], Float[Tensor, "1 x"]]:
    """Latitudes and longitudes in radians.

    Raises:
        ValueError: If the grid is not on a sphere.
    """
    sphere = on_sphere(grid)
    latitude, longitude = torch.tensor(sphere.y).deg2rad(), torch.tensor(sphere.x).deg2rad()
    return latitude[:, None], longitude[None, :]
