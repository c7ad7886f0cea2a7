"""Smooth random smoke in a still box, as PDEArena draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions.initial_condition import InitialCondition

__all__ = ["SmokeNoise"]

_LOWEST_WAVENUMBER_SQUARED = 0.1
"""Below it PhiFlow draws nothing, in the squared unit of `SmokeNoise`'s formula."""


@dataclass(frozen=True)
class SmokeNoise(InitialCondition):
    r"""The absolute value of a smooth random field of unit variance; velocities zero.

    $$ s(x, y) = \frac{1}{\sigma} \Big| \operatorname{Re} \sum_k
       (\xi_k + i \eta_k)\, \kappa^{-2 p}\, e^{2\pi i (k_x x / L_x + k_y y / L_y)} \Big|,
       \qquad \kappa = \ell \left| (k_x / L_x, k_y / L_y) \right| $$

    over the wavenumbers with $\kappa^2 > 0.1$, with $\xi, \eta$ independent standard normal and
    $\sigma$ the standard deviation over the box of what stands between the bars, from the
    coefficients themselves. The same function on every grid; PhiFlow draws other coefficients on
    every grid. In a box of 32 with the defaults, nearly all variance is in whole waves per box.

    Args:
        scale: Length $\ell$ of the fluctuations, in the recipe's unit of length.
        smoothness: $p$; larger is smoother.
        max_wavenumber: Highest wavenumber (whole waves per box, in either direction) drawn. With
            the defaults in a box of 32, modes beyond 16 are below $10^{-14}$ of the largest.

    Raises:
        ValueError: If a parameter is not positive and finite.

    References:
        Gupta & Brandstetter (2023), *Towards Multi-spatiotemporal-scale Generalized PDE Modeling*,
        TMLR; `Noise` of PhiFlow 2.1.
    """

    scale: float = 11.0
    smoothness: float = 6.0
    max_wavenumber: int = 16

    def __post_init__(self) -> None:
        for name in ("scale", "smoothness", "max_wavenumber"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the smoke; see `InitialCondition.sample`.

        Raises:
            ValueError: If the box is too small to hold a wave.
        """
        ly, lx = grid.domain_extent
        k = torch.arange(-self.max_wavenumber, self.max_wavenumber + 1, dtype=torch.float64)
        squared = (self.scale * k[:, None] / ly) ** 2 + (self.scale * k[None, :] / lx) ** 2
        drawn = squared > _LOWEST_WAVENUMBER_SQUARED
        if not drawn.any():
            raise ValueError(
                f"no wave up to max_wavenumber {self.max_wavenumber} is drawn in {grid}"
            )
        # Relative to the longest wave drawn, so that no exponent overflows.
        relative = squared / squared[drawn].min()
        amplitude = torch.where(drawn, relative.clamp(min=1.0) ** -self.smoothness, 0.0)
        coefficients = self._draw(rng) * amplitude
        real_part = (coefficients + coefficients.flip(0, 1).conj()) / 2
        deviation = real_part.abs().square().sum().sqrt()
        waves_y = torch.exp(2j * math.pi * torch.outer(torch.as_tensor(grid.y) / ly, k))
        waves_x = torch.exp(2j * math.pi * torch.outer(torch.as_tensor(grid.x) / lx, k))
        smoke = (waves_y @ (real_part / deviation) @ waves_x.T).real.abs()
        still = torch.zeros_like(smoke)
        return {"smoke": smoke, "velocity_x": still, "velocity_y": still.clone()}

    def _draw(self, rng: np.random.Generator) -> Complex[Tensor, "ky kx"]:
        """Shell by shell of the larger wavenumber, so that a higher one only adds small scales."""
        side = np.arange(-self.max_wavenumber, self.max_wavenumber + 1)
        ky, kx = (k.ravel() for k in np.meshgrid(side, side, indexing="ij"))
        order = np.lexsort((kx, ky, np.maximum(np.abs(ky), np.abs(kx))))
        normal = rng.standard_normal((order.size, 2))
        values = np.empty(order.size, dtype=np.complex128)
        values[order] = normal[:, 0] + 1j * normal[:, 1]
        return torch.from_numpy(values.reshape(side.size, side.size))
