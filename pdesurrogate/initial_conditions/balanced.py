"""Random vortices on a rotating sphere and the depth that holds them in balance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.initial_conditions.harmonic_series import random_harmonics
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.initial_conditions.sphere_points import on_sphere
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics

__all__ = ["BalancedVortices", "balanced_height"]


def balanced_height(
    vorticity: Complex[Tensor, "l m"],
    *,
    gravity: float,
    rotation_rate: float,
    radius: float,
) -> Complex[Tensor, "j n"]:
    r"""The surface over which a wind without divergence stays so at first.

    $$ g \nabla^2 \eta = k \cdot \nabla \times \big((\zeta + f)\, u\big) - \tfrac12 \nabla^2 |u|^2,
       \qquad \nabla \cdot u = 0, \quad k \cdot \nabla \times u = \zeta $$

    This is the nonlinear balance equation: the divergence's tendency is zero. Its right-hand side
    is formed on a grid that holds all of it; nothing is truncated.

    Args:
        vorticity: Harmonics of $\zeta$ up to degree `L`, per second, complex128.
        gravity: `g`, in metres per second squared.
        rotation_rate: $\Omega$ in $f = 2 \Omega \sin\varphi$, in radians per second.
        radius: Of the sphere, in metres.

    Returns:
        Harmonics of $\eta$ up to degree `2 L + 3`, of which those above `2 L` are zero unless they
        come from the rotation; its mean is zero.

    References:
        Charney (1955), *Tellus* 7, §3.
    """
    highest = vorticity.shape[-1] - 1
    grid = GaussianSphere((2 * (highest + 2), 4 * (highest + 2)))
    sht = spherical_harmonics(grid, linear_truncation(grid), torch.float64)
    spin = _to_degree(vorticity, sht.truncation)
    east, north = sht.velocity(spin * radius, torch.zeros_like(spin))
    coriolis = 2 * rotation_rate * torch.tensor(grid.sine_of_latitude)[:, None]
    absolute = sht.synthesise(spin) + coriolis
    curl, _ = sht.vorticity_and_divergence(absolute * east, absolute * north)
    energy = sht.analyse(0.5 * (east**2 + north**2))
    height = (sht.inverse_laplacian(curl * radius) - energy) / gravity
    height[0, 0] = 0
    return height


@dataclass(frozen=True)
class BalancedVortices(InitialCondition):
    r"""Random vortices, and jets if asked for, that set out without gravity waves.

    $$ E(l) \propto \frac{l^{\gamma/2}}{(l + l_0)^\gamma}, \qquad
       U(\varphi) = U_0\, \frac{\sin^2\varphi\, \cos^3\varphi}{\max \sin^2 \cos^3} $$

    The vortices' kinetic energy has this spectrum over the degree `l` of their harmonics, which
    peaks at $l_0$, with random phases and the same statistics everywhere on the sphere; every draw
    is scaled to the given root mean square of its wind. The jets, where asked for, are the same in
    every draw: two of them, strongest at 39.2° north and south. The wind has no divergence, and
    the height of the surface is that of `balanced_height` for the wind as a whole.

    Args:
        mean_depth: Mean height of the surface, in metres.
        wind: Root mean square of the vortices' wind over the sphere, in metres per second.
        peak_degree: $l_0$; vortices are some `20000 / peak_degree` kilometres across on Earth.
        sharpness: $\gamma$; the larger, the narrower the peak. Above the peak the energy falls as
            the degree to the power of $-\gamma/2$.
        max_degree: Highest degree drawn, a property of the function and not of a grid.
        jet_speed: $U_0$, in metres per second; negative for westward jets.
        gravity: Of the equation.
        rotation_rate: Of the equation.
        radius: Of the equation.

    Raises:
        ValueError: If a number is out of its range.

    References:
        Cho & Polvani (1996), *Phys. Fluids* 8, §II (the spectrum).
    """

    mean_depth: float = 10000.0
    wind: float = 20.0
    peak_degree: float = 8.0
    sharpness: float = 16.0
    max_degree: int = 31
    jet_speed: float = 0.0
    gravity: float = 9.80616
    rotation_rate: float = 7.292e-5
    radius: float = 6.37122e6

    def __post_init__(self) -> None:
        for name in ("mean_depth", "peak_degree", "sharpness", "gravity", "radius"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0 <= self.wind < math.inf:
            raise ValueError(f"wind must be finite and not negative, got {self.wind}")
        for name in ("jet_speed", "rotation_rate"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)}")
        if self.max_degree < 5:
            raise ValueError(
                f"max_degree must be at least 5, which the jets need, got {self.max_degree}"
            )

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the wind and the height of its surface, `surface`.

        See `InitialCondition.sample`. Over flat ground the surface's height is the depth.

        Raises:
            ValueError: If `grid` is not a `GaussianSphere`, or the surface would touch the ground:
                then the wind is too strong for the depth.
        """
        sphere = on_sphere(grid)
        vorticity = self._vortices(rng) + self._jets()
        height = balanced_height(
            vorticity,
            gravity=self.gravity,
            rotation_rate=self.rotation_rate,
            radius=self.radius,
        )
        sht = spherical_harmonics(sphere, linear_truncation(sphere), torch.float64)
        spin = _to_degree(vorticity, sht.truncation) * self.radius
        east, north = sht.velocity(spin, torch.zeros_like(spin))
        surface = self.mean_depth + sht.synthesise(_to_degree(height, sht.truncation))
        if not surface.min() > 0:
            raise ValueError(
                f"the balanced surface falls to {float(surface.min()):.0f} m; give a larger "
                f"mean_depth than {self.mean_depth:g} m or less wind"
            )
        return {"surface": surface, "velocity_x": east, "velocity_y": north}

    def _vortices(self, rng: np.random.Generator) -> Complex[Tensor, "l m"]:
        degree = torch.arange(self.max_degree + 1, dtype=torch.float64)[:, None]
        # Logarithms, for powers of this size overflow.
        logarithm = self.sharpness * (0.5 * degree.log() - (degree + self.peak_degree).log())
        spectrum = torch.exp(logarithm - logarithm.max())
        # E(l) = a² / (2 l (l+1)) (2 l + 1) |ζ_l|² for the variance |ζ_l|² of each coefficient.
        amplitude = (spectrum * 2 * degree * (degree + 1) / (2 * degree + 1)).sqrt()
        vorticity = amplitude * random_harmonics(rng, self.max_degree) / self.radius
        twice = torch.where(torch.arange(self.max_degree + 1) > 0, 2.0, 1.0).double()
        per_degree = (twice * vorticity.abs() ** 2).sum(-1)[1:] / (degree * (degree + 1))[1:, 0]
        wind = self.radius * (per_degree.sum() / (4 * math.pi)).sqrt()
        return vorticity * (self.wind / wind)

    def _jets(self) -> Complex[Tensor, "l m"]:
        grid = GaussianSphere((2 * self.max_degree + 2, 4 * self.max_degree + 4))
        sht = spherical_harmonics(grid, self.max_degree, torch.float64)
        sine2 = torch.tensor(grid.sine_of_latitude)[:, None].expand(grid.num_points) ** 2
        profile = sine2 * (1 - sine2) ** 1.5 / (0.4 * 0.6**1.5)
        curl, _ = sht.vorticity_and_divergence(self.jet_speed * profile, torch.zeros_like(profile))
        return curl / self.radius


def _to_degree(coefficients: Complex[Tensor, "l m"], degree: int) -> Complex[Tensor, "j n"]:
    """Truncated, or continued by zeros."""
    kept = coefficients[: degree + 1, : degree + 1]
    more = degree + 1 - len(kept)
    return torch.nn.functional.pad(kept, (0, more, 0, more))
