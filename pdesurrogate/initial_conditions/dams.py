"""Water behind dams that are gone at time zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.initial_conditions.shapes import disc_fraction, rectangle_fraction

__all__ = ["RadialDam", "RandomDams"]


@dataclass(frozen=True)
class RadialDam(InitialCondition):
    """A round column of still water of random radius amid shallower water.

    Cells that the dam crosses hold the mean of both depths by area. The defaults are those of
    PDEBench.

    Args:
        radius_range: Smallest and largest radius, uniform, in the unit of the domain.
        inner_height: Depth of the column in m.
        outer_height: Depth around it in m; zero for dry land.
        centre: Along y and x, as fractions of the domain.

    Raises:
        ValueError: If a value is out of its range.

    References:
        Takamoto et al. (2022), *PDEBench*, NeurIPS, appendix D (shallow-water equations).
    """

    radius_range: tuple[float, float] = (0.3, 0.7)
    inner_height: float = 2.0
    outer_height: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)

    def __post_init__(self) -> None:
        _check_range(self, "radius_range")
        if self.radius_range[0] <= 0:
            raise ValueError(f"radius_range must be positive, got {self.radius_range}")
        for name in ("inner_height", "outer_height"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be finite and not negative, got {getattr(self, name)}"
                )
        if not all(0 <= c <= 1 for c in self.centre):
            raise ValueError(f"centre must be two fractions of the domain, got {self.centre}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the radius; see `InitialCondition.sample`."""
        radius = rng.uniform(*self.radius_range)
        y, x = (c * extent for c, extent in zip(self.centre, grid.domain_extent, strict=True))
        inside = disc_fraction(grid, (y, x), radius)
        height = self.outer_height + (self.inner_height - self.outer_height) * inside
        return {"height": height, **_still(height)}


@dataclass(frozen=True)
class RandomDams(InitialCondition):
    """Basins of still water behind dams, discs and rectangles at random, over any bed.

    It gives the elevation of the `surface`; where that lies below the bed it is dry. One level is
    drawn for the surroundings and one for each basin. Where basins overlap, the later one counts.
    Cells that a dam crosses hold the mean of both levels by area.

    Args:
        max_count: The number of basins is uniform from 1 to this.
        size_range: Smallest and largest radius of a disc, and half side of a rectangle, in the unit
            of the domain.
        level_range: Lowest and highest surface of a basin in m.
        surrounding_range: Lowest and highest surface outside; below the bed's lowest point it is
            dry.

    Raises:
        ValueError: If a range is no range, a size is not positive, or `max_count` is below 1.
    """

    max_count: int = 4
    size_range: tuple[float, float] = (0.5, 2.0)
    level_range: tuple[float, float] = (1.0, 2.0)
    surrounding_range: tuple[float, float] = (-0.3, 0.7)

    def __post_init__(self) -> None:
        for name in ("size_range", "level_range", "surrounding_range"):
            _check_range(self, name)
        if self.size_range[0] <= 0:
            raise ValueError(f"size_range must be positive, got {self.size_range}")
        if self.max_count < 1:
            raise ValueError(f"max_count must be at least 1, got {self.max_count}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw levels, sizes, places and shapes; see `InitialCondition.sample`."""
        surrounding = rng.uniform(*self.surrounding_range)
        surface = torch.full(grid.num_points, surrounding, dtype=torch.float64)
        for _ in range(rng.integers(1, self.max_count, endpoint=True)):
            level = rng.uniform(*self.level_range)
            inside = self._basin(rng, grid)
            surface = surface + (level - surface) * inside
        return {"surface": surface, **_still(surface)}

    def _basin(self, rng: np.random.Generator, grid: Grid) -> Tensor:
        """The fraction of every cell that lies in one."""
        is_disc = rng.random() < 0.5
        y, x = (rng.uniform(0, extent) for extent in grid.domain_extent)
        half_y, half_x = rng.uniform(*self.size_range, size=2)
        if is_disc:
            return disc_fraction(grid, (y, x), half_y)
        return rectangle_fraction(grid, (y - half_y, x - half_x), (y + half_y, x + half_x))


def _still(height: Tensor) -> dict[str, Tensor]:
    return {name: torch.zeros_like(height) for name in ("velocity_x", "velocity_y")}


def _check_range(state: Any, name: str) -> None:
    low, high = (float(bound) for bound in getattr(state, name))
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"{name} must be two finite, ordered numbers, got {low}, {high}")
    object.__setattr__(state, name, (low, high))
