"""Gaussian random fields as functions: coefficients first, grids later."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions.fourier_series import random_coefficients
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.operators.spectral import FourierBasis

__all__ = ["GaussianRandomField", "McWilliamsVorticity"]


@dataclass(frozen=True)
class _FourierSeries(InitialCondition):
    """A random function on a periodic box, given by its Fourier coefficients.

    Args:
        max_wavenumber: Highest wavenumber (whole waves per domain, in either direction) that the
            function holds. It is a property of the function, not of a grid.

    Raises:
        ValueError: If `max_wavenumber` is below 1.
    """

    max_wavenumber: int = 32

    def __post_init__(self) -> None:
        if self.max_wavenumber < 1:
            raise ValueError(f"max_wavenumber must be at least 1, got {self.max_wavenumber}")

    @property
    def _basis(self) -> FourierBasis:
        return FourierBasis((self.max_wavenumber, self.max_wavenumber))

    def _noise(self, rng: np.random.Generator) -> Tensor:
        return random_coefficients(rng, (self.max_wavenumber, self.max_wavenumber))


@dataclass(frozen=True)
class GaussianRandomField(_FourierSeries):
    r"""A field drawn from $\mathcal N(0, \sigma^2 (-\nabla^2 + \tau^2)^{-\gamma})$, mean zero.

    The defaults, $7^{3/2} (-\nabla^2 + 49)^{-5/2}$ on the unit square, are those of Li et al.

    Args:
        max_wavenumber: Highest wavenumber drawn.
        scale: $\sigma$; the standard deviation of the coefficients of unit symbol.
        inverse_length: $\tau$, an angular wavenumber.
        smoothness: $\gamma > 1$; larger is smoother.
        field: Which prognostic field it is.

    References:
        Li et al. (2021), *Fourier Neural Operator*, ICLR, §5.3.
    """

    max_wavenumber: int = 64
    scale: float = 7**0.75
    inverse_length: float = 7.0
    smoothness: float = 2.5
    field: str = "vorticity"

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the field; see `InitialCondition.sample`."""
        ly, lx = grid.domain_extent
        ky, kx = self._basis.wavenumbers
        k2 = (2 * math.pi * ky / ly) ** 2 + (2 * math.pi * kx / lx) ** 2
        amplitude = self.scale * (k2 + self.inverse_length**2) ** (-self.smoothness / 2)
        coefficients = amplitude * self._noise(rng)
        return {self.field: self._basis.synthesise(coefficients, grid.num_points)}


@dataclass(frozen=True)
class McWilliamsVorticity(_FourierSeries):
    r"""Random-phase vorticity with the energy spectrum $E(k) \propto k\,(1 + (k/k_0)^4)^{-1}$.

    Every draw is scaled to the stated kinetic energy $\frac12 \langle |u|^2 \rangle$. The spectrum
    is isotropic whatever the shape of the domain: `k` counts waves per domain height.

    Args:
        max_wavenumber: Highest wavenumber drawn.
        peak_wavenumber: $k_0$, waves per domain height.
        kinetic_energy: Mean kinetic energy per unit mass.

    References:
        McWilliams (1984), *J. Fluid Mech.* 146, §2.
    """

    max_wavenumber: int = 32
    peak_wavenumber: float = 6.0
    kinetic_energy: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("peak_wavenumber", "kinetic_energy"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the vorticity; see `InitialCondition.sample`."""
        ly, lx = grid.domain_extent
        ky, kx = self._basis.wavenumbers
        k2 = ky**2 + (kx * ly / lx) ** 2
        # ω = k² ψ and E(k) ~ k · k² |ψ|² in two dimensions: |ω|² = k² / (1 + (k/k0)^4).
        amplitude = (k2 / (1 + (k2 / self.peak_wavenumber**2) ** 2)).sqrt()
        coefficients = amplitude * self._noise(rng)
        # Columns with kx > 0 stand for themselves and their mirror images.
        weight = torch.where(kx > 0, 2.0, 1.0) / (k2 * (2 * math.pi / ly) ** 2).clamp(min=1e-300)
        energy = 0.5 * (weight * coefficients.abs() ** 2).sum()
        coefficients = coefficients * (self.kinetic_energy / energy).sqrt()
        return {"vorticity": self._basis.synthesise(coefficients, grid.num_points)}
