"""Solid bodies in a flow, as functions of position."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid

__all__ = ["Cylinder", "Obstacle", "RandomCylinders", "Square"]

_SAMPLES = 8
"""Sub-samples of a cell along each axis."""


@dataclass(frozen=True)
class Obstacle(ABC):
    """A rigid body at rest, described by the signed distance to its surface.

    Everything else follows from the distance, which no grid enters.
    """

    @abstractmethod
    def signed_distance(
        self, x: Float[Tensor, "*#points"], y: Float[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """Distance to the surface, negative inside, positive outside."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest rectangle around the body: lowest x, highest x, lowest y, highest y."""

    @property
    @abstractmethod
    def narrowest_width(self) -> float:
        """Thickness of its thinnest part, which a grid has to resolve."""

    def solid_fraction(self, grid: Grid) -> Float[Tensor, "y x"]:
        r"""The fraction of every cell that lies inside the body, float64.

        $$ \chi_{ij} = \frac{1}{s^2} \sum_{a, b < s}
           \min(\max(\tfrac12 - d(x_{ja}, y_{ib}) / h_s,\; 0),\; 1), \qquad s = 8 $$

        `d` is the signed distance at the centre of a sub-cell and $h_s$ its size. Exact for faces
        along the axes; of second order in $h_s$ otherwise.
        """
        (ny, nx), (hy, hx) = grid.num_points, grid.spacing
        x, y = (
            (torch.arange(n * _SAMPLES, dtype=torch.float64) + 0.5) * (h / _SAMPLES)
            for n, h in ((nx, hx), (ny, hy))
        )
        distance = self.signed_distance(x[None, :], y[:, None])
        covered = (0.5 - distance * (_SAMPLES / min(hy, hx))).clamp(0, 1)
        return covered.reshape(ny, _SAMPLES, nx, _SAMPLES).mean(dim=(1, 3))

    def check_inside(self, grid: Grid) -> None:
        """Refuse a channel that the body does not fit into.

        Raises:
            ValueError: If the body touches the boundary.
        """
        ly, lx = grid.domain_extent
        x_low, x_high, y_low, y_high = self.bounds
        if not (x_low > 0 and x_high < lx and y_low > 0 and y_high < ly):
            raise ValueError(
                f"the obstacle covers x from {x_low:g} to {x_high:g} and y from {y_low:g} to "
                f"{y_high:g}; it must lie inside the channel, 0 < x < {lx:g} and 0 < y < {ly:g}"
            )


@dataclass(frozen=True)
class Cylinder(Obstacle):
    """A circular cylinder across the flow.

    Args:
        x: Centre along the channel.
        y: Centre across it.
        diameter: Diameter.

    Raises:
        ValueError: If the diameter is not positive or a number is not finite.
    """

    x: float
    y: float
    diameter: float = 1.0

    def __post_init__(self) -> None:
        _require_finite(self, "x", "y")
        _require_positive(self, "diameter")

    def signed_distance(
        self, x: Float[Tensor, "*#points"], y: Float[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """Distance to the centre less the radius."""
        return torch.hypot(x - self.x, y - self.y) - 0.5 * self.diameter

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The square around the circle."""
        return _around(self.x, self.y, self.diameter)

    @property
    def narrowest_width(self) -> float:
        """The diameter."""
        return self.diameter


@dataclass(frozen=True)
class Square(Obstacle):
    """A square cylinder with its faces along and across the flow.

    Args:
        x: Centre along the channel.
        y: Centre across it.
        side: Length of a side.

    Raises:
        ValueError: If the side is not positive or a number is not finite.
    """

    x: float
    y: float
    side: float = 1.0

    def __post_init__(self) -> None:
        _require_finite(self, "x", "y")
        _require_positive(self, "side")

    def signed_distance(
        self, x: Float[Tensor, "*#points"], y: Float[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """Distance to the nearest face or corner."""
        across = (x - self.x).abs() - 0.5 * self.side
        above = (y - self.y).abs() - 0.5 * self.side
        outside = torch.hypot(across.clamp(min=0), above.clamp(min=0))
        return outside + torch.maximum(across, above).clamp(max=0)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The square itself."""
        return _around(self.x, self.y, self.side)

    @property
    def narrowest_width(self) -> float:
        """The side."""
        return self.side


@dataclass(frozen=True)
class RandomCylinders(Obstacle):
    """Circular cylinders of random number, size and place, none touching another.

    The number is uniform from 1 to `max_count`, the diameters and the centres are uniform, the
    latter among the places where the body keeps its distance from those before it. All of it is a
    function of `seed` and the other arguments.

    Args:
        max_count: Largest number of cylinders.
        diameter_range: Smallest and largest diameter.
        x_range: Where their surfaces may lie along the channel, lowest and highest.
        y_range: The same across the channel; what is left of it is their distance to the walls.
        gap: Smallest distance between the surfaces of two of them.
        seed: Chooses the arrangement; a recipe draws one for every trajectory.

    Raises:
        ValueError: If a range is empty, or too narrow for `max_count` cylinders of the largest
            diameter to be placed at random.
    """

    max_count: int = 4
    diameter_range: tuple[float, float] = (0.6, 1.2)
    x_range: tuple[float, float] = (1.5, 6.0)
    y_range: tuple[float, float] = (0.5, 5.5)
    gap: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("diameter_range", "x_range", "y_range"):
            low, high = (float(bound) for bound in getattr(self, name))
            if not -math.inf < low <= high < math.inf:
                raise ValueError(f"{name} must be two finite, ordered numbers, got {low}, {high}")
            object.__setattr__(self, name, (low, high))
        if self.diameter_range[0] <= 0:
            raise ValueError(f"diameter_range must be positive, got {self.diameter_range}")
        if self.max_count < 1:
            raise ValueError(f"max_count must be at least 1, got {self.max_count}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if not 0 <= self.gap < math.inf:
            raise ValueError(f"gap must be finite and not negative, got {self.gap}")
        # Dropped at random, discs of equal size jam at 0.547 of the area (Feder 1980); well below
        # it an arrangement is found quickly. Each disc is widened by half a gap.
        widest = self.diameter_range[1]
        room = math.prod(high - low + self.gap for low, high in (self.x_range, self.y_range))
        needed = self.max_count * math.pi / 4 * (widest + self.gap) ** 2
        sides = [high - low for low, high in (self.x_range, self.y_range)]
        if needed > 0.4 * room or min(sides) < widest:
            raise ValueError(
                f"x_range {self.x_range} and y_range {self.y_range} are too small for max_count = "
                f"{self.max_count} cylinders of diameter {widest:g} with a gap of {self.gap:g}"
            )

    @cached_property
    def cylinders(self) -> tuple[Cylinder, ...]:
        """The arrangement."""
        rng = np.random.default_rng(self.seed)
        count = int(rng.integers(1, self.max_count, endpoint=True))
        while True:
            placed = self._place(count, rng)
            if placed is not None:
                return placed

    def _place(self, count: int, rng: np.random.Generator) -> tuple[Cylinder, ...] | None:
        """One after the other, each where it keeps its distance; None if one finds no place."""
        placed: list[Cylinder] = []
        for diameter in rng.uniform(*self.diameter_range, size=count).tolist():
            for _ in range(200):
                x, y = (
                    float(rng.uniform(low + diameter / 2, high - diameter / 2))
                    for low, high in (self.x_range, self.y_range)
                )
                if all(
                    math.hypot(x - c.x, y - c.y) >= (diameter + c.diameter) / 2 + self.gap
                    for c in placed
                ):
                    placed.append(Cylinder(x, y, diameter))
                    break
            else:
                return None
        return tuple(placed)

    def signed_distance(
        self, x: Float[Tensor, "*#points"], y: Float[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """Distance to the nearest cylinder's surface."""
        distance = self.cylinders[0].signed_distance(x, y)
        for cylinder in self.cylinders[1:]:
            distance = torch.minimum(distance, cylinder.signed_distance(x, y))
        return distance

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Where cylinders may lie, so that a recipe is refused whatever its seeds."""
        return (*self.x_range, *self.y_range)

    @property
    def narrowest_width(self) -> float:
        """The smallest diameter that may be drawn."""
        return self.diameter_range[0]


def _around(x: float, y: float, width: float) -> tuple[float, float, float, float]:
    return (x - width / 2, x + width / 2, y - width / 2, y + width / 2)


def _require_finite(obstacle: Obstacle, *names: str) -> None:
    for name in names:
        if not math.isfinite(getattr(obstacle, name)):
            raise ValueError(f"{name} must be finite, got {getattr(obstacle, name)}")


def _require_positive(obstacle: Obstacle, name: str) -> None:
    if not 0 < getattr(obstacle, name) < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {getattr(obstacle, name)}")
