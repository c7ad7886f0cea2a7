"""Random zonal flows with waves on them, out of balance: those of PDEArena's shallow-water data."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.initial_conditions.sphere_points import angles, on_sphere
from pdesurrogate.operators.spherical_harmonics import (
    SphericalHarmonics,
    linear_truncation,
    spherical_harmonics,
)

__all__ = ["RandomZonalFlow", "ShuffledZonalFlow"]

_GRID = GaussianSphere((96, 192))
_TRUNCATION = 62
"""Where their states are made; another grid sees the same function."""


@dataclass(frozen=True)
class _DisturbedFlow(InitialCondition):
    r"""A wind without divergence below a level surface, not in balance with it.

    $$ \zeta = \zeta_0 + 5 \cdot 10^{-5}\, \cos 6\lambda\, \cos\varphi\,
       e^{-((\varphi - 45°)/10°)^2} + 5 \cdot 10^{-6} \sum_{m=0}^{13} \xi_m Y_{14, m} $$

    per second, with complex normal $\xi_m$ of unit variance and $\zeta_0$ of the subclass.
    Truncated to harmonics of degree 62.

    Args:
        mean_depth: Height of the surface, in metres.
        radius: Of the equation.

    Raises:
        ValueError: If a number is not positive.
    """

    mean_depth: float = 10000.0
    radius: float = 6.371e6

    def __post_init__(self) -> None:
        for name in ("mean_depth", "radius"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")

    @abstractmethod
    def _basic_vorticity(
        self, rng: np.random.Generator, sht: SphericalHarmonics
    ) -> Complex[Tensor, "l m"]:
        r"""Harmonics of $a \zeta_0$, in metres per second."""

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the wind; the surface, `surface`, is level. See `InitialCondition.sample`.

        Raises:
            ValueError: If `grid` is not a `GaussianSphere`.
        """
        sphere = on_sphere(grid)
        sht = spherical_harmonics(_GRID, _TRUNCATION, torch.float64)
        vorticity = self._basic_vorticity(rng, sht) + self.radius * _waves(sht)
        noise = rng.standard_normal((14, 2)) / math.sqrt(2)
        noise[0, 1] = 0  # A real field has no imaginary part at order 0.
        vorticity[14, :14] += self.radius * 5e-6 * torch.from_numpy(noise[:, 0] + 1j * noise[:, 1])
        held = min(linear_truncation(sphere), _TRUNCATION)
        vorticity = vorticity[: held + 1, : held + 1]
        there = spherical_harmonics(sphere, held, torch.float64)
        east, north = there.velocity(vorticity, torch.zeros_like(vorticity))
        surface = torch.full(sphere.num_points, self.mean_depth, dtype=torch.float64)
        return {"surface": surface, "velocity_x": east, "velocity_y": north}


@dataclass(frozen=True)
class RandomZonalFlow(_DisturbedFlow):
    r"""The random wind along the latitudes that PDEArena's shallow-water data were meant to have.

    $$ u = c_1 \xi \cos\varphi - c_2 \cos^2\varphi + c_3 \sin\varphi \cos\varphi, \qquad v = 0 $$

    in metres per second, with whole numbers $c_1$ from −20 to 30, $c_2$ and $c_3$ from −20 to 40,
    and one $\xi$ from 0 to 1, all equally likely; $\zeta_0$ is its curl. On it lie the waves that
    theirs have, see `ShuffledZonalFlow`. Their $\xi$ is another one at every point of the grid, and
    they add 80 to 120 m/s everywhere; neither is a wind on a sphere, and both are left out.

    Args:
        mean_depth: Height of the level surface, in metres.
        radius: Of the equation.

    References:
        Gupta & Brandstetter (2023), *TMLR*, and the generator in their repository.
    """

    def _basic_vorticity(
        self, rng: np.random.Generator, sht: SphericalHarmonics
    ) -> Complex[Tensor, "l m"]:
        c1, c2, c3 = _coefficients(rng)
        sine = torch.tensor(_GRID.sine_of_latitude)[:, None].expand(_GRID.num_points)
        cosine = (1 - sine**2).sqrt()
        wind = c1 * rng.random() * cosine - c2 * cosine**2 + c3 * sine * cosine
        return sht.vorticity_and_divergence(wind, torch.zeros_like(wind))[0]


@dataclass(frozen=True)
class ShuffledZonalFlow(_DisturbedFlow):
    r"""The random wind that PDEArena's shallow-water data do have.

    The profile of `RandomZonalFlow` is laid out on 96 x 192 points along the wrong axis: from
    longitude 0° to 180° it runs through the latitudes from north to south, and again from 180° to
    360°, the same on every latitude but for the noise

    $$ u = c_1 \xi \cos\varphi' - c_2 \cos^2\varphi' + c_3 \sin\varphi' \cos\varphi', \qquad
       \zeta_0 = -\frac{\cos\varphi}{a} \frac{\partial u}{\partial\varphi} $$

    with another $\xi$ from 0 to 1 at every point and the latitude $\varphi'$ that is meant. Of the
    basic flow there remain the noise, and what the truncation to degree 62 makes of a jump at the
    poles. Constants $c_1$, $c_2$, $c_3$ as in `RandomZonalFlow`; a constant of 80 to 120 m/s, which
    theirs adds, has no gradient.

    Args:
        mean_depth: Height of the level surface, in metres.
        radius: Of the equation.

    References:
        Gupta & Brandstetter (2023), *TMLR*, and the generator in their repository.
    """

    def _basic_vorticity(
        self, rng: np.random.Generator, sht: SphericalHarmonics
    ) -> Complex[Tensor, "l m"]:
        coefficients = sht.analyse(self._wind(rng))
        _, slope = sht.gradient(coefficients)
        sine = torch.tensor(_GRID.sine_of_latitude)[:, None]
        return sht.analyse(-((1 - sine**2).sqrt()) * slope)

    def _wind(self, rng: np.random.Generator) -> Float[Tensor, "y x"]:
        c1, c2, c3 = _coefficients(rng)
        latitudes, longitudes = _GRID.num_points
        meant = torch.tensor(_GRID.sine_of_latitude).flip(0).repeat(longitudes // latitudes)
        cosine = (1 - meant**2).sqrt()
        noise = torch.from_numpy(rng.random((latitudes, longitudes)))
        return c1 * noise * cosine - c2 * cosine**2 + c3 * meant * cosine


def _coefficients(rng: np.random.Generator) -> tuple[int, int, int]:
    return int(rng.integers(-20, 31)), int(rng.integers(-20, 41)), int(rng.integers(-20, 41))


def _waves(sht: SphericalHarmonics) -> Complex[Tensor, "l m"]:
    """Six crests around the northern middle latitudes."""
    latitude, longitude = angles(_GRID)
    along = (6 * longitude).cos()
    across = latitude.cos() * torch.exp(-(((latitude.rad2deg() - 45) / 10) ** 2))
    return sht.analyse(5e-5 * along * across)
