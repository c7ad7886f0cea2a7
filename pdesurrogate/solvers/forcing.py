"""Body forces, given as the vorticity that they feed in per unit of time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid

__all__ = ["DiagonalForcing", "Forcing", "KolmogorovForcing"]


@dataclass(frozen=True)
class Forcing(ABC):
    """A steady force as a function of position."""

    @property
    @abstractmethod
    def max_wavenumber(self) -> int:
        """The highest wavenumber (whole waves per domain, in either direction) that it holds."""

    @abstractmethod
    def vorticity_source(self, grid: Grid) -> Float[Tensor, "y x"]:
        r"""$\partial_x f_y - \partial_y f_x$ at the grid's points, float64."""


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

    @property
    def max_wavenumber(self) -> int:
        """`n`."""
        return self.wavenumber

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

    @property
    def max_wavenumber(self) -> int:
        """One wave along each axis."""
        return 1

    def vorticity_source(self, grid: Grid) -> Float[Tensor, "y x"]:
        """The source at the grid's points."""
        y = torch.as_tensor(grid.y)[:, None] / grid.domain_extent[0]
        x = torch.as_tensor(grid.x)[None, :] / grid.domain_extent[1]
        angle = 2 * math.pi * (x + y)
        return self.amplitude * (torch.sin(angle) + torch.cos(angle))


def _require_finite(amplitude: float) -> None:
    if not math.isfinite(amplitude):
        raise ValueError(f"the forcing's amplitude must be finite, got {amplitude}")
