"""Body forces, given as the vorticity that they feed in per unit of time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid

__all__ = ["DiagonalForcing", "Forcing", "KolmogorovForcing", "UnsteadyForcing"]


@dataclass(frozen=True)
class Forcing(ABC):
    """A steady force as a function of position."""

    @abstractmethod
    def highest_wavenumbers(self, domain_extent: tuple[float, float]) -> tuple[int, int]:
        """The highest wavenumbers along y and x that it holds, whole waves per domain."""

    @abstractmethod
    def vorticity_source(self, grid: Grid) -> Float[Tensor, "y x"]:
        r"""$\partial_x f_y - \partial_y f_x$ at the grid's points, float64."""


@dataclass(frozen=True)
class UnsteadyForcing(Forcing):
    r"""A force that changes in time: patterns in space with weights in time.

    $$ g(x, y, t) = \sum_j w_j(t)\, G_j(x, y) $$

    Only few patterns have a weight at any time, and neighbouring times share them.
    """

    @abstractmethod
    def weights(self, time: float) -> dict[int, float]:
        """$w_j$ by `j`, for the patterns that count at `time`."""

    @abstractmethod
    def pattern(self, index: int, grid: Grid) -> Float[Tensor, "y x"]:
        """$G_j$ at the grid's points, float64."""

    def vorticity_source(self, grid: Grid, time: float = 0.0) -> Float[Tensor, "y x"]:
        """$g$ at the grid's points at `time`, float64."""
        source = torch.zeros(grid.num_points, dtype=torch.float64)
        for index, weight in self.weights(time).items():
            source += weight * self.pattern(index, grid)
        return source


@dataclass(frozen=True)
class KolmogorovForcing(Forcing):
    r"""The shear force $f_x = A \sin(2\pi n y / L_y)$, $f_y = 0$.

    Args:
        amplitude: `A`, an acceleration.
        wavenumber: `n`, whole waves per domain height.

    References:
        Meshalkin & Sinai (1961), *J. Appl. Math. Mech.* 25; Kochkov et al. (2021), *PNAS* 118.
    """

    amplitude: float = 1.0
    wavenumber: int = 4

    def __post_init__(self) -> None:
        _require_finite(self.amplitude)
        if self.wavenumber < 1:
            raise ValueError(f"the forcing's wavenumber must be at least 1, got {self.wavenumber}")

    def highest_wavenumbers(self, domain_extent: tuple[float, float]) -> tuple[int, int]:
        """`n` along y, none along x."""
        return (self.wavenumber, 0)

    def vorticity_source(self, grid: Grid) -> Float[Tensor, "y x"]:
        r"""$-A k \cos(k y)$ with $k = 2\pi n / L_y$."""
        k = 2 * math.pi * self.wavenumber / grid.domain_extent[0]
        y = torch.as_tensor(grid.y)[:, None]
        return (-self.amplitude * k * torch.cos(k * y)).expand(grid.num_points).clone()


@dataclass(frozen=True)
class DiagonalForcing(Forcing):
    r"""The vorticity source $A\,[\sin\theta + \cos\theta]$, $\theta = 2\pi (x/L_x + y/L_y)$.

    Args:
        amplitude: `A`, a vorticity per unit of time.

    References:
        Li et al. (2021), *Fourier Neural Operator*, ICLR, §5.3.
    """

    amplitude: float = 0.1

    def __post_init__(self) -> None:
        _require_finite(self.amplitude)

    def highest_wavenumbers(self, domain_extent: tuple[float, float]) -> tuple[int, int]:
        """One wave along each axis."""
        return (1, 1)

    def vorticity_source(self, grid: Grid) -> Float[Tensor, "y x"]:
        """The source at the grid's points."""
        y = torch.as_tensor(grid.y)[:, None] / grid.domain_extent[0]
        x = torch.as_tensor(grid.x)[None, :] / grid.domain_extent[1]
        angle = 2 * math.pi * (x + y)
        return self.amplitude * (torch.sin(angle) + torch.cos(angle))


def _require_finite(amplitude: float) -> None:
    if not math.isfinite(amplitude):
        raise ValueError(f"the forcing's amplitude must be finite, got {amplitude}")
