"""How fast a plane turns, which may differ from place to place."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import PeriodicBox

__all__ = ["Coriolis", "EquatorialPlane", "UniformRotation"]


@dataclass(frozen=True)
class Coriolis(ABC):
    """The Coriolis parameter `f`, twice the local rate of rotation, as a function of y.

    Args:
        parameter: Its largest value, in radians per second; negative turns the other way.

    Raises:
        ValueError: If `parameter` is not finite.
    """

    parameter: float = 1e-4

    def __post_init__(self) -> None:
        if not math.isfinite(self.parameter):
            raise ValueError(f"parameter must be finite, got {self.parameter}")

    @property
    @abstractmethod
    def mean(self) -> float:
        """Mean over the box; what a solver integrates exactly."""

    @abstractmethod
    def on(self, grid: PeriodicBox) -> Float[Tensor, "y 1"]:
        """Values at the rows of a grid, float64."""


@dataclass(frozen=True)
class UniformRotation(Coriolis):
    """The f-plane: the same everywhere, $10^{-4}$ per second at 43 degrees on the Earth."""

    @property
    def mean(self) -> float:
        """The parameter itself."""
        return self.parameter

    def on(self, grid: PeriodicBox) -> Float[Tensor, "y 1"]:
        """A constant; see `Coriolis.on`."""
        return torch.full((grid.num_points[0], 1), self.parameter, dtype=torch.float64)


@dataclass(frozen=True)
class EquatorialPlane(Coriolis):
    r"""$f(y) = f_0 \sin(2\pi y / L_y)$: an equator at `y = 0`, and one turned about at $L_y / 2$.

    Periodic, unlike the beta-plane, which it follows near the equator with
    $\beta = 2\pi f_0 / L_y$. Kelvin waves keep their shape $e^{-\int f dy / c}$, since the mean
    of `f` vanishes.
    """

    @property
    def mean(self) -> float:
        """Zero."""
        return 0.0

    def on(self, grid: PeriodicBox) -> Float[Tensor, "y 1"]:
        """The sine; see `Coriolis.on`."""
        y = torch.as_tensor(grid.y)[:, None]
        return self.parameter * torch.sin(2 * math.pi * y / grid.domain_extent[0])
