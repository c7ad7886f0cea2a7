"""Jets on a sphere that a small bump makes roll up."""

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
from pdesurrogate.initial_conditions.sphere_points import angles

__all__ = ["BarotropicJet", "RandomBarotropicJets"]


@dataclass(frozen=True)
class BarotropicJet(InitialCondition):
    r"""A balanced jet and a bump of the surface that makes it unstable.

    $$ u = \frac{U}{e_n} \exp \frac{1}{(\varphi - \varphi_0)(\varphi - \varphi_1)}
       \quad \text{for } \varphi_0 < \varphi < \varphi_1, \qquad
       e_n = \exp \frac{-4}{(\varphi_1 - \varphi_0)^2}, $$
    $$ g h = g h_0 - \int^{\varphi} a u \left(2 \Omega \sin\varphi'
       + \frac{\tan\varphi'}{a} u\right) d\varphi'
       + g \hat h \cos\varphi\, e^{-(\lambda - \lambda_2)^2/\alpha^2}
       e^{-(\varphi_2 - \varphi)^2/\beta^2}, $$

    with $\alpha = 1/3$, $\beta = 1/15$ and $\lambda - \lambda_2$ taken the shorter way around.
    $h_0$ makes the mean of the balanced depth the given one. The default is the published jet of
    the northern middle latitudes, its bump at 180° east. Nothing is random. Without the bump it is
    a steady solution of the equation without hyperdiffusion.

    Args:
        speed: `U`, the jet's largest, in metres per second.
        latitude: Of the jet's middle $(\varphi_0 + \varphi_1) / 2$, in degrees; negative in the
            south.
        width: $\varphi_1 - \varphi_0$ from edge to edge, in degrees. Where it blows at half its
            largest speed the published jet is 0.27 times as wide.
        bump: $\hat h$, in metres; 0 leaves the jet in balance.
        bump_latitude: $\varphi_2$, in degrees.
        bump_longitude: $\lambda_2$, in degrees east.
        mean_depth: Of the balanced fluid, in metres.
        gravity: Of the equation.
        rotation_rate: Of the equation.
        radius: Of the equation.

    Raises:
        ValueError: If the jet reaches a pole or has no width.

    References:
        Galewsky, Scott & Polvani (2004), *Tellus A* 56, eqs. 2–4.
    """

    speed: float = 80.0
    latitude: float = 45.0
    width: float = 270 / 7
    bump: float = 120.0
    bump_latitude: float = 45.0
    bump_longitude: float = 180.0
    mean_depth: float = 10000.0
    gravity: float = 9.80616
    rotation_rate: float = 7.292e-5
    radius: float = 6.37122e6

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise ValueError(f"width must be positive, got {self.width}")
        if not abs(self.latitude) + self.width / 2 < 90:
            raise ValueError(
                f"a jet at latitude {self.latitude:g} of width {self.width:g} degrees reaches a "
                "pole"
            )

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """The jet at the grid's points; see `InitialCondition.sample`."""
        latitude, longitude = angles(grid)
        across = (math.radians(self.bump_latitude) - latitude) * 15
        east = longitude - math.radians(self.bump_longitude)
        along = (torch.remainder(east + math.pi, 2 * math.pi) - math.pi) * 3
        bump = self.bump * latitude.cos() * torch.exp(-(along**2) - across**2)
        zeros = torch.zeros(grid.num_points, dtype=torch.float64)
        return {
            "height": torch.from_numpy(self._depth(latitude[:, 0].numpy()))[:, None] + bump,
            "velocity_x": torch.from_numpy(self._wind(latitude.numpy())) + zeros,
            "velocity_y": zeros,
        }

    @property
    def _edges(self) -> tuple[float, float]:
        south, north = self.latitude - self.width / 2, self.latitude + self.width / 2
        return math.radians(south), math.radians(north)

    def _wind(self, latitude: np.ndarray) -> np.ndarray:
        south, north = self._edges
        inside = (latitude > south) & (latitude < north)
        product = np.where(inside, (latitude - south) * (latitude - north), -1.0)
        peak = 4 / (north - south) ** 2
        return np.where(inside, self.speed * np.exp(peak + 1 / product), 0.0)

    def _depth(self, latitude: np.ndarray) -> np.ndarray:
        """In balance with the wind: falling polewards across the jet, constant on either side."""
        south, north = self._edges
        inside = _integral(lambda at: self._drop(at) * np.cos(at), south, np.array([north]))
        beyond = self._drop(np.array([north])) * (1 - math.sin(north))
        return np.asarray(self.mean_depth + 0.5 * (inside + beyond) - self._drop(latitude))

    def _drop(self, latitude: np.ndarray) -> np.ndarray:
        """How far the surface has fallen from south of the jet."""

        def slope(at: np.ndarray) -> np.ndarray:
            wind = self._wind(at)
            turn = 2 * self.rotation_rate * self.radius * np.sin(at) + np.tan(at) * wind
            return np.asarray(wind * turn / self.gravity)

        south, north = self._edges
        return _integral(slope, south, np.clip(latitude, south, north))


@dataclass(frozen=True)
class RandomBarotropicJets(InitialCondition):
    """Barotropic jets of random strength, place and width, with a bump at random beside them.

    Every quantity is uniform in its range; the jet lies in either hemisphere, and its bump at any
    longitude. See `BarotropicJet`, whose published case lies within the default ranges.

    Args:
        speed_range: The jet's largest speed, in metres per second.
        latitude_range: Distance of the jet's middle from the equator, in degrees.
        width_range: From edge to edge, in degrees.
        bump_range: Height of the bump, in metres.
        bump_offset_range: Latitude of the bump less that of the jet's middle, in degrees, towards
            the pole.
        mean_depth: Of the balanced fluid, in metres.
        gravity: Of the equation.
        rotation_rate: Of the equation.
        radius: Of the equation.

    Raises:
        ValueError: If a range is no range, or some jet would reach a pole.
    """

    speed_range: tuple[float, float] = (75.0, 95.0)
    latitude_range: tuple[float, float] = (40.0, 50.0)
    width_range: tuple[float, float] = (36.0, 42.0)
    bump_range: tuple[float, float] = (60.0, 180.0)
    bump_offset_range: tuple[float, float] = (-8.0, 8.0)
    mean_depth: float = 10000.0
    gravity: float = 9.80616
    rotation_rate: float = 7.292e-5
    radius: float = 6.37122e6

    def __post_init__(self) -> None:
        for name in ("speed", "latitude", "width", "bump", "bump_offset"):
            low, high = (float(bound) for bound in getattr(self, f"{name}_range"))
            if not -math.inf < low <= high < math.inf:
                raise ValueError(
                    f"{name}_range must be two finite, ordered numbers, got {low}, {high}"
                )
            object.__setattr__(self, f"{name}_range", (low, high))
        for latitude in self.latitude_range:
            for width in self.width_range:
                BarotropicJet(latitude=latitude, width=width)

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw the jet and its bump; see `InitialCondition.sample`."""
        ranges = (
            self.speed_range,
            self.latitude_range,
            self.width_range,
            self.bump_range,
            self.bump_offset_range,
        )
        speed, latitude, width, bump, offset = (float(rng.uniform(*bounds)) for bounds in ranges)
        longitude = float(rng.uniform(0, 360))
        hemisphere = 1.0 if rng.random() < 0.5 else -1.0
        jet = BarotropicJet(
            speed=speed,
            latitude=hemisphere * latitude,
            width=width,
            bump=bump,
            bump_latitude=hemisphere * (latitude + offset),
            bump_longitude=longitude,
            mean_depth=self.mean_depth,
            gravity=self.gravity,
            rotation_rate=self.rotation_rate,
            radius=self.radius,
        )
        return jet.sample(rng, grid)


def _integral(
    function: Callable[[np.ndarray], np.ndarray], low: float, high: np.ndarray
) -> np.ndarray:
    """By Gauss's quadrature with enough nodes for a jet's smooth edges."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    width = np.asarray(high - low)
    values = function(low + (nodes + 1) / 2 * width[..., None])
    return np.asarray((values * weights).sum(-1) * width / 2)
