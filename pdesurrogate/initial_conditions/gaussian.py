"""Gaussian random fields as functions: coefficients first, grids later."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
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


@dataclass(frozen=True)
class GaussianRandomField(_FourierSeries):
    r"""Vorticity drawn from $\mathcal N(0, \sigma^2 (-\nabla^2 + \tau^2)^{-\gamma})$, mean zero.

    The defaults, $7^{3/2} (-\nabla^2 + 49)^{-5/2}$ on the unit square, are those of Li et al.

    Args:
        max_wavenumber: Highest wavenumber drawn.
        scale: $\sigma$; the standard deviation of the coefficients of unit symbol.
        inverse_length: $\tau$, an angular wavenumber.
        smoothness: $\gamma > 1$; larger is smoother.

    References:
        Li et al. (2021), *Fourier Neural Operator*, ICLR, §5.3.
    """

    max_wavenumber: int = 64
    scale: float = 7**0.75
    inverse_length: float = 7.0
    smoothness: float = 2.5

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the vorticity; see `InitialCondition.sample`."""
        ly, lx = grid.domain_extent

        def amplitude(ky: Tensor, kx: Tensor) -> Tensor:
            k2 = (2 * math.pi * ky / ly) ** 2 + (2 * math.pi * kx / lx) ** 2
            return self.scale * (k2 + self.inverse_length**2) ** (-self.smoothness / 2)

        coefficients = _draw(rng, self.max_wavenumber, amplitude)
        return {"vorticity": _basis(self.max_wavenumber).synthesise(coefficients, grid.num_points)}


@dataclass(frozen=True)
class McWilliamsVorticity(_FourierSeries):
    r"""Random-phase vorticity with the energy spectrum $E(k) \propto k\,(1 + (k/k_0)^4)^{-1}$.

    Every draw is scaled to the stated kinetic energy $\frac12 \langle |u|^2 \rangle$.

    Args:
        max_wavenumber: Highest wavenumber drawn.
        peak_wavenumber: $k_0$, whole waves per domain.
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
        ky, kx = _basis(self.max_wavenumber).wavenumbers
        angular_k2 = (2 * math.pi * ky / ly) ** 2 + (2 * math.pi * kx / lx) ** 2

        def amplitude(ky: Tensor, kx: Tensor) -> Tensor:
            # ω = k² ψ and E(k) ~ k · k² |ψ|² in two dimensions: |ω|² = k² / (1 + (k/k0)^4).
            k2 = ky**2 + kx**2
            return (k2 / (1 + (k2 / self.peak_wavenumber**2) ** 2)).sqrt()

        coefficients = _draw(rng, self.max_wavenumber, amplitude)
        # Columns with kx > 0 stand for themselves and their mirror images.
        weight = torch.where(kx > 0, 2.0, 1.0) / angular_k2.clamp(min=1e-300)
        energy = 0.5 * (weight * coefficients.abs() ** 2).sum()
        coefficients = coefficients * (self.kinetic_energy / energy).sqrt()
        return {"vorticity": _basis(self.max_wavenumber).synthesise(coefficients, grid.num_points)}


def _basis(max_wavenumber: int) -> FourierBasis:
    return FourierBasis((max_wavenumber, max_wavenumber))


def _draw(
    rng: np.random.Generator, max_wavenumber: int, amplitude: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    r"""Coefficients $\hat u_k = a(k) (\xi + i\eta) / \sqrt 2$ with $\hat u_{-k} = \hat u_k^*$.

    Drawn shell by shell of $\max(|k_x|, |k_y|)$, so that raising `max_wavenumber` adds small
    scales and leaves the large ones as they were.
    """
    ky, kx = _basis(max_wavenumber).wavenumbers
    ky, kx = torch.broadcast_tensors(ky, kx)
    shell = torch.maximum(ky.abs(), kx).flatten().numpy()
    order = np.lexsort((ky.flatten().numpy(), kx.flatten().numpy(), shell))
    drawn = rng.standard_normal((order.size, 2))
    values = np.empty(order.size, dtype=np.complex128)
    values[order] = (drawn[:, 0] + 1j * drawn[:, 1]) / math.sqrt(2)
    noise = torch.from_numpy(values).reshape(ky.shape)
    # The column kx = 0 holds both k and -k: the first determines the second.
    upper = noise[1 : max_wavenumber + 1, 0]
    noise[max_wavenumber + 1 :, 0] = upper.flip(0).conj()
    noise[0, 0] = 0
    return noise * amplitude(ky, kx)
