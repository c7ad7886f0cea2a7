"""A stream along a channel with a smooth random disturbance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions.initial_condition import InitialCondition

__all__ = ["DisturbedStream"]


@dataclass(frozen=True)
class DisturbedStream(InitialCondition):
    r"""A uniform stream along x and a weak random flow that crosses no edge.

    $$ u = (U + \partial_y \psi,\; -\partial_x \psi), \qquad
       \psi = \sum_{m, n \le M} \frac{a_{mn}}{k_{mn}^2}
              \sin\frac{\pi m y}{L_y} \sin\frac{\pi n x}{L_x}, \quad
       k_{mn}^2 = \left(\frac{\pi m}{L_y}\right)^2 + \left(\frac{\pi n}{L_x}\right)^2, $$

    with normal $a_{mn}$, scaled to the stated strength. It knows neither the inflow's profile nor
    the body: a channel's solver imposes both when it starts. What the disturbance does is to break
    the symmetry, so that each trajectory sheds its vortices at a time of its own.

    Args:
        mean_speed: `U`; that of the inflow, or the flow starts with a jolt.
        disturbance: Root mean square of the disturbance's velocity over the domain.
        max_wavenumber: `M`, half waves per domain in either direction.

    Raises:
        ValueError: If a value is out of its range.
    """

    mean_speed: float = 1.0
    disturbance: float = 0.1
    max_wavenumber: int = 16

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean_speed):
            raise ValueError(f"mean_speed must be finite, got {self.mean_speed}")
        if not 0 <= self.disturbance < math.inf:
            raise ValueError(f"disturbance must be finite and not negative, got {self.disturbance}")
        if self.max_wavenumber < 1:
            raise ValueError(f"max_wavenumber must be at least 1, got {self.max_wavenumber}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the velocity at the grid's points; see `InitialCondition.sample`."""
        (ly, lx), (ny, nx) = grid.domain_extent, grid.num_points
        whole = torch.arange(1, self.max_wavenumber + 1, dtype=torch.float64)
        ky, kx = (math.pi * whole / ly)[:, None], (math.pi * whole / lx)[None, :]
        k2 = ky**2 + kx**2
        psi = self._draw(rng) / k2
        # Sines and cosines squared have the mean 1/2 each: <|u|^2> = sum of k^2 psi^2 / 4.
        psi = psi * (self.disturbance / (0.25 * (k2 * psi**2).sum()).sqrt())
        psi = psi * (whole <= ny)[:, None] * (whole <= nx)[None, :]
        y, x = torch.as_tensor(grid.y)[:, None] * ky.T, kx.T * torch.as_tensor(grid.x)[None, :]
        along = torch.cos(y) @ (ky * psi) @ torch.sin(x)
        across = -torch.sin(y) @ (kx * psi) @ torch.cos(x)
        return {"velocity_x": self.mean_speed + along, "velocity_y": across}

    def _draw(self, rng: np.random.Generator) -> Float[Tensor, "m n"]:
        """Shell by shell of the larger wavenumber, so that a higher limit adds small scales."""
        m, n = np.indices((self.max_wavenumber, self.max_wavenumber)).reshape(2, -1)
        order = np.lexsort((m, n, np.maximum(m, n)))
        values = np.empty(order.size)
        values[order] = rng.standard_normal(order.size)
        return torch.from_numpy(values.reshape(self.max_wavenumber, self.max_wavenumber))
