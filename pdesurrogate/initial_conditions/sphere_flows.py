"""Flows on a sphere that the literature tests shallow-water solvers with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions.initial_condition import InitialCondition
from pdesurrogate.initial_conditions.sphere_points import angles

__all__ = ["CosineBell", "RossbyHaurwitzWave", "SolidBodyRotation"]


@dataclass(frozen=True)
class CosineBell(InitialCondition):
    r"""A round hill of a tracer: Williamson's first case.

    $$ h = \frac{h_0}{2} \left(1 + \cos\frac{\pi \gamma}{R}\right)
       \quad \text{where } \gamma < R, \text{ and 0 elsewhere} $$

    with the angle $\gamma$ to its summit. Its slope is continuous, its curvature is not. Nothing is
    random.

    Args:
        peak: $h_0$, in metres.
        latitude: Of the summit, in degrees.
        longitude: Of the summit, in degrees east.
        angular_radius: `R`, in degrees; the published one is a third of a radian.

    Raises:
        ValueError: If the radius is not between 0 and 180 degrees.

    References:
        Williamson et al. (1992), *J. Comput. Phys.* 102, §3.1.
    """

    peak: float = 1000.0
    latitude: float = 0.0
    longitude: float = 270.0
    angular_radius: float = math.degrees(1 / 3)

    def __post_init__(self) -> None:
        if not 0 < self.angular_radius <= 180:
            raise ValueError(
                f"angular_radius must be above 0 and at most 180, got {self.angular_radius}"
            )

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """The hill at the grid's points; see `InitialCondition.sample`."""
        latitude, longitude = angles(grid)
        north, east = math.radians(self.latitude), math.radians(self.longitude)
        along, across = (latitude - north) / 2, (longitude - east) / 2
        half_sine2 = along.sin() ** 2 + math.cos(north) * latitude.cos() * across.sin() ** 2
        angle = 2 * half_sine2.clamp(0, 1).sqrt().asin()
        within = (angle / math.radians(self.angular_radius)).clamp(max=1)
        return {"height": self.peak / 2 * (1 + (math.pi * within).cos())}


@dataclass(frozen=True)
class SolidBodyRotation(InitialCondition):
    r"""The fluid turns as a solid body, in balance: Williamson's second and fifth case.

    $$ u = U (\cos\varphi \cos\alpha + \sin\varphi \cos\lambda \sin\alpha), \quad
       v = -U \sin\lambda \sin\alpha, \qquad
       g \eta = g h_0 - (a \Omega U + \tfrac12 U^2)\, s^2, $$

    with the elevation $\eta$ of the `surface`, which is the depth where the ground is flat, and
    $s = \sin\varphi \cos\alpha - \cos\varphi \cos\lambda \sin\alpha$, the sine of the latitude
    about the flow's own axis. Nothing is random. Over flat ground it is a steady solution if the
    equation has these parameters and the flow turns about the sphere's axis ($\alpha = 0$) or the
    sphere does not turn ($\Omega = 0$).

    Args:
        speed: `U`, in metres per second.
        equatorial_depth: $h_0$, elevation of the surface at the flow's equator, in metres.
        tilt: $\alpha$ between the flow's axis and the sphere's, in degrees.
        gravity: Of the equation.
        rotation_rate: Of the equation.
        radius: Of the equation.

    References:
        Williamson et al. (1992), *J. Comput. Phys.* 102, §§3.2, 3.5.
    """

    speed: float = 2 * math.pi * 6.37122e6 / (12 * 86400)
    equatorial_depth: float = 2.94e4 / 9.80616
    tilt: float = 0.0
    gravity: float = 9.80616
    rotation_rate: float = 7.292e-5
    radius: float = 6.37122e6

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """The flow at the grid's points; see `InitialCondition.sample`."""
        latitude, longitude = angles(grid)
        tilted, upright = math.sin(math.radians(self.tilt)), math.cos(math.radians(self.tilt))
        sine, cosine = latitude.sin(), latitude.cos()
        s = sine * upright - cosine * longitude.cos() * tilted
        drop = self.radius * self.rotation_rate * self.speed + 0.5 * self.speed**2
        return {
            "surface": self.equatorial_depth - drop / self.gravity * s**2,
            "velocity_x": self.speed * (cosine * upright + sine * longitude.cos() * tilted),
            "velocity_y": -self.speed * longitude.sin() * tilted + 0 * latitude,
        }


@dataclass(frozen=True)
class RossbyHaurwitzWave(InitialCondition):
    r"""A wave of few crests around the globe: Williamson's sixth case.

    $$ \psi = -a^2 \omega \sin\varphi + a^2 K \cos^R\varphi \sin\varphi \cos R\lambda $$

    The wind has this stream function and no divergence, the depth is balanced with it. In a flow
    without divergence the wave moves eastwards unchanged; here it nearly does for days. Nothing is
    random.

    Args:
        rate: $\omega = K$, in radians per second.
        wavenumber: `R`, crests around the globe, at least 1.
        polar_depth: $h_0$, in metres.
        gravity: Of the equation.
        rotation_rate: Of the equation.
        radius: Of the equation.

    Raises:
        ValueError: If the wavenumber is below 1.

    References:
        Williamson et al. (1992), *J. Comput. Phys.* 102, eqs. 141–149.
    """

    rate: float = 7.848e-6
    wavenumber: int = 4
    polar_depth: float = 8000.0
    gravity: float = 9.80616
    rotation_rate: float = 7.292e-5
    radius: float = 6.37122e6

    def __post_init__(self) -> None:
        if self.wavenumber < 1:
            raise ValueError(f"wavenumber must be at least 1, got {self.wavenumber}")

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """The wave at the grid's points; see `InitialCondition.sample`."""
        latitude, longitude = angles(grid)
        s, c = latitude.sin(), latitude.cos()
        r, w, k, omega = self.wavenumber, self.rate, self.rate, self.rotation_rate
        crest, double = (r * longitude).cos(), (2 * r * longitude).cos()
        a = 0.5 * w * (2 * omega + w) * c**2 + 0.25 * k**2 * (
            c ** (2 * r) * ((r + 1) * c**2 + (2 * r**2 - r - 2)) - 2 * r**2 * c ** (2 * r - 2)
        )
        b = 2 * (omega + w) * k * c**r / ((r + 1) * (r + 2))
        b = b * ((r**2 + 2 * r + 2) - (r + 1) ** 2 * c**2)
        d = 0.25 * k**2 * c ** (2 * r) * ((r + 1) * c**2 - (r + 2))
        east = w * c + k * c ** (r - 1) * (r * s**2 - c**2) * crest
        north = -k * r * c ** (r - 1) * s * (r * longitude).sin()
        depth = self.radius**2 / self.gravity * (a + b * crest + d * double)
        return {
            "height": self.polar_depth + depth,
            "velocity_x": self.radius * east,
            "velocity_y": self.radius * north,
        }
