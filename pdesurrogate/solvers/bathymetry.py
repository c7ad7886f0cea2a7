"""The bed under shallow water, as a function of position."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid

__all__ = ["Bathymetry", "RandomHills"]


@dataclass(frozen=True)
class Bathymetry(ABC):
    """The elevation of the bed: a function of place, which no grid enters."""

    @abstractmethod
    def elevation(
        self,
        x: Float[Tensor, "*#points"],
        y: Float[Tensor, "*#points"],
        domain_extent: tuple[float, float],
    ) -> Float[Tensor, "*points"]:
        """Height of the bed in m.

        Args:
            x: Places along x.
            y: Places along y.
            domain_extent: Length of the domain along y and x.
        """

    @property
    @abstractmethod
    def narrowest_width(self) -> float:
        """Length over which the bed changes most, which a grid has to resolve."""

    def cell_averages(self, grid: Grid) -> Float[Tensor, "y x"]:
        """The mean elevation of every cell, float64, by Gauss's rule of 2 x 2 points.

        The error is of fourth order in the size of the cells.
        """
        (ny, nx), (hy, hx) = grid.num_points, grid.spacing
        offsets = torch.tensor([-0.5, 0.5], dtype=torch.float64) / math.sqrt(3)
        y = (torch.as_tensor(grid.y)[:, None] + offsets * hy).flatten()
        x = (torch.as_tensor(grid.x)[:, None] + offsets * hx).flatten()
        values = self.elevation(x[None, :], y[:, None], grid.domain_extent)
        return values.reshape(ny, 2, nx, 2).mean(dim=(1, 3))


@dataclass(frozen=True)
class RandomHills(Bathymetry):
    r"""A plain with Gaussian hills of random height, width and place.

    $$ b(x, y) = \sum_i a_i \exp\left(-\frac{(x - x_i)^2 + (y - y_i)^2}{2 w_i^2}\right) $$

    Heights, widths and centres are uniform, the centres over the whole domain. All of it is a
    function of `seed` and the other arguments.

    Args:
        count: Number of hills.
        height_range: Smallest and largest $a_i$ in m; negative ones are hollows.
        width_range: Smallest and largest $w_i$, in the unit of the domain.
        seed: Chooses the hills; a recipe draws one for every trajectory.

    Raises:
        ValueError: If a range is no range, a width is not positive, or `count` or `seed` is
            negative.
    """

    count: int = 6
    height_range: tuple[float, float] = (0.2, 1.0)
    width_range: tuple[float, float] = (0.5, 1.5)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("height_range", "width_range"):
            low, high = (float(bound) for bound in getattr(self, name))
            if not -math.inf < low <= high < math.inf:
                raise ValueError(f"{name} must be two finite, ordered numbers, got {low}, {high}")
            object.__setattr__(self, name, (low, high))
        if self.width_range[0] <= 0:
            raise ValueError(f"width_range must be positive, got {self.width_range}")
        for name in ("count", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    def elevation(
        self,
        x: Float[Tensor, "*#points"],
        y: Float[Tensor, "*#points"],
        domain_extent: tuple[float, float],
    ) -> Float[Tensor, "*points"]:
        """The sum of the hills."""
        ly, lx = domain_extent
        rng = np.random.default_rng(self.seed)
        total = torch.zeros(torch.broadcast_shapes(x.shape, y.shape), dtype=x.dtype)
        for _ in range(self.count):
            height, width = rng.uniform(*self.height_range), rng.uniform(*self.width_range)
            centre_y, centre_x = rng.uniform(0, ly), rng.uniform(0, lx)
            squared = (x - centre_x) ** 2 + (y - centre_y) ** 2
            total = total + height * torch.exp(-squared / (2 * width**2))
        return total

    @property
    def narrowest_width(self) -> float:
        """The smallest width that may be drawn."""
        return self.width_range[0]
