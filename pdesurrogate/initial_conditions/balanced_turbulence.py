"""Random flow on a rotating plane, in balance with the depth of the fluid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.initial_conditions.fourier_series import random_coefficients
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.operators.spectral import FourierBasis

__all__ = ["BalancedTurbulence"]


@dataclass(frozen=True)
class BalancedTurbulence(InitialCondition):
    r"""A random stream function and the depth at which its flow does not begin to diverge.

    $$ u = -\partial_y \psi, \quad v = \partial_x \psi, \qquad
       E(k) \propto \left(\frac{k k_0}{(k + k_0)^2}\right)^s, \qquad
       \mathrm{Ro} = \frac{\langle (\nabla^2 \psi)^2 \rangle^{1/2}}{|f|} $$
    $$ g \nabla^2 h = f \nabla^2 \psi + 2 \left(\partial_{xx} \psi\, \partial_{yy} \psi
       - (\partial_{xy} \psi)^2\right), \qquad \langle h \rangle = H $$

    The nonlinear balance equation is solved without error: `h` holds the wavenumbers up to twice
    those of $\psi$. The phases are random, the kinetic-energy spectrum `E` has its peak at $k_0$
    and is isotropic whatever the shape of the domain: `k` counts waves per domain height.

    `gravity`, `mean_depth` and `coriolis` are those of the equation, which has to rotate uniformly.
    The Burger number is $g H (2\pi k_0 / L_y)^2 / f^2$; the depth varies by about the Rossby
    number divided by it, and must not reach zero.

    Args:
        max_wavenumber: Highest wavenumber of $\psi$, whole waves per domain in either direction.
        peak_wavenumber: $k_0$, waves per domain height.
        steepness: `s`; the spectrum rises as $k^s$ and falls as $k^{-s}$.
        rossby_range: Smallest and largest Rossby number Ro; every draw has its own, uniformly.
        gravity: `g`, in metres per second squared.
        mean_depth: `H`, in metres.
        coriolis: `f`, in radians per second.

    Raises:
        ValueError: If a value is out of its range.

    References:
        Charney (1955), *Tellus* 7 (the balance equation).
        Polvani et al. (1994), *Chaos* 4 (turbulence that decays from balanced states).
    """

    max_wavenumber: int = 32
    peak_wavenumber: float = 6.0
    steepness: float = 12.0
    rossby_range: tuple[float, float] = (0.1, 0.3)
    gravity: float = 9.81
    mean_depth: float = 250.0
    coriolis: float = 1e-4

    def __post_init__(self) -> None:
        if self.max_wavenumber < 1:
            raise ValueError(f"max_wavenumber must be at least 1, got {self.max_wavenumber}")
        for name in ("peak_wavenumber", "steepness", "gravity", "mean_depth"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0 < abs(self.coriolis) < math.inf:
            raise ValueError(f"coriolis must be finite and not zero, got {self.coriolis}")
        low, high = (float(bound) for bound in self.rossby_range)
        if not 0 < low <= high < math.inf:
            raise ValueError(
                f"rossby_range must be two positive, ordered numbers, got {low}, {high}"
            )
        object.__setattr__(self, "rossby_range", (low, high))

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the state; see `InitialCondition.sample`.

        Raises:
            ValueError: If `grid` is not a `PeriodicBox`, or the fluid would not cover the ground.
        """
        if not isinstance(grid, PeriodicBox):
            raise ValueError(f"BalancedTurbulence needs a PeriodicBox, got {type(grid).__name__}")
        basis = FourierBasis((self.max_wavenumber, self.max_wavenumber))
        psi = self._stream_function(rng, basis, grid.domain_extent)
        ky, kx = _angular_wavenumbers(basis, grid.domain_extent)
        velocity = basis.synthesise(torch.stack([-1j * ky * psi, 1j * kx * psi]), grid.num_points)
        height = self._balanced_height(psi, basis, grid)
        return {"height": height, "velocity_x": velocity[0], "velocity_y": velocity[1]}

    def _stream_function(
        self, rng: np.random.Generator, basis: FourierBasis, extent: tuple[float, float]
    ) -> Complex[Tensor, "ky kx"]:
        """Coefficients, scaled to the Rossby number."""
        rossby_number = rng.uniform(*self.rossby_range)
        noise = random_coefficients(rng, basis.max_wavenumber)
        ky, kx = _angular_wavenumbers(basis, extent)
        k2 = ky**2 + kx**2
        k = torch.where(k2 > 0, k2.sqrt() * extent[0] / (2 * math.pi), 1.0)  # the mean is not drawn
        energy = (k * self.peak_wavenumber / (k + self.peak_wavenumber) ** 2) ** self.steepness
        # E(k) ~ k · k² |ψ|² in two dimensions.
        psi = (energy / k**3).sqrt() * noise
        # Columns with kx > 0 stand for themselves and their mirror images.
        weight = torch.where(kx > 0, 2.0, 1.0)
        vorticity = (weight * (k2 * psi).abs() ** 2).sum().sqrt()
        return psi * (rossby_number * abs(self.coriolis) / vorticity)

    def _balanced_height(
        self, psi: Tensor, basis: FourierBasis, grid: PeriodicBox
    ) -> Float[Tensor, "y x"]:
        """The depth at the grid's points."""
        ky, kx = _angular_wavenumbers(basis, grid.domain_extent)
        k = self.max_wavenumber
        twice = FourierBasis((2 * k, 2 * k))
        # Enough points for the products of second derivatives to be free of aliasing.
        seconds = torch.stack([-(kx**2) * psi, -(ky**2) * psi, -kx * ky * psi])
        xx, yy, xy = basis.synthesise(seconds, (4 * k + 2, 4 * k + 2))
        forces = twice.analyse(self.coriolis * (xx + yy) + 2 * (xx * yy - xy**2))
        ky, kx = _angular_wavenumbers(twice, grid.domain_extent)
        k2 = ky**2 + kx**2
        anomaly = torch.where(k2 > 0, -forces / (self.gravity * k2.clamp(min=1e-300)), 0.0)
        lowest = twice.synthesise(anomaly, (8 * k, 8 * k)).min()
        if not self.mean_depth + lowest > 0:
            raise ValueError(
                f"a flow of Rossby number {self.rossby_range[1]:g} needs a mean_depth above "
                f"{-float(lowest):.4g} m, got {self.mean_depth:g}"
            )
        return self.mean_depth + twice.synthesise(anomaly, grid.num_points)


def _angular_wavenumbers(
    basis: FourierBasis, extent: tuple[float, float]
) -> tuple[Float[Tensor, "ky 1"], Float[Tensor, "1 kx"]]:
    ky, kx = basis.wavenumbers
    return ky * (2 * math.pi / extent[0]), kx * (2 * math.pi / extent[1])
