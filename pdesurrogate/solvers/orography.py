"""What stands on the ground below a shallow atmosphere."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere

__all__ = ["ConicalMountain", "GaussianMountain", "Orography"]


@dataclass(frozen=True)
class Orography(ABC):
    """The height of the ground, a function on the sphere that no grid enters."""

    @abstractmethod
    def height(
        self, latitude: Float[Tensor, "*#points"], longitude: Float[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """Height of the ground in metres.

        Args:
            latitude: In radians.
            longitude: In radians, from 0 to 2 pi.
        """

    def on(self, grid: GaussianSphere) -> Float[Tensor, "y x"]:
        """Height at the points of a grid, in metres, float64."""
        latitude = torch.deg2rad(torch.tensor(grid.y))[:, None]
        longitude = torch.deg2rad(torch.tensor(grid.x))[None, :]
        return self.height(latitude, longitude).expand(grid.num_points)


@dataclass(frozen=True)
class ConicalMountain(Orography):
    r"""A cone on the plane of latitude and longitude, as in Williamson's fifth case.

    $$ b = b_0 \left(1 - \frac{\min(R, r)}{R}\right), \qquad
       r^2 = (\lambda - \lambda_c)^2 + (\varphi - \varphi_c)^2 $$

    Its tip and its foot are kinks, so that its harmonics fall off slowly: where a solver truncates
    them the ground has ripples around the foot, also below sea level (Gibbs's phenomenon), which
    shrink as the truncation rises. `GaussianMountain` has none.

    Args:
        peak: $b_0$, in metres.
        latitude: $\varphi_c$, in degrees.
        longitude: $\lambda_c$, in degrees east.
        angular_radius: `R`, in degrees.

    Raises:
        ValueError: If a value is out of its range.

    References:
        Williamson et al. (1992), *J. Comput. Phys.* 102, §3.5.
    """

    peak: float = 2000.0
    latitude: float = 30.0
    longitude: float = 270.0
    angular_radius: float = 20.0

    def __post_init__(self) -> None:
        _check_mountain(self.peak, self.latitude, self.longitude, self.angular_radius)

    def height(
        self, latitude: Float[Tensor, "*#points"], longitude: Float[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """Height of the ground in metres; see `Orography.height`."""
        west = (longitude - math.radians(self.longitude)).abs()
        across = torch.minimum(west, 2 * math.pi - west)
        along = latitude - math.radians(self.latitude)
        radius = math.radians(self.angular_radius)
        distance = (across**2 + along**2).sqrt().clamp(max=radius)
        return self.peak * (1 - distance / radius)


@dataclass(frozen=True)
class GaussianMountain(Orography):
    r"""A round, smooth mountain, the same wherever it stands, poles included.

    $$ b = b_0 \exp \frac{\cos\gamma - 1}{1 - \cos R} $$

    with the angle $\gamma$ to its summit; near it a Gaussian $e^{-\gamma^2 / R^2}$. Its harmonics
    fall off like $e^{-l^2 R^2 / 4}$: a solver whose truncation is above some `6 / R`, `R` in
    radians, holds it to 4 digits, without ripples.

    Args:
        peak: $b_0$, in metres; negative for a basin.
        latitude: Of the summit, in degrees.
        longitude: Of the summit, in degrees east.
        angular_radius: `R`, in degrees, where the height is `1/e` of the peak; below 90.

    Raises:
        ValueError: If a value is out of its range.
    """

    peak: float = 2000.0
    latitude: float = 30.0
    longitude: float = 270.0
    angular_radius: float = 12.0

    def __post_init__(self) -> None:
        _check_mountain(self.peak, self.latitude, self.longitude, self.angular_radius)
        if self.angular_radius >= 90:
            raise ValueError(f"angular_radius must be below 90 degrees, got {self.angular_radius}")

    def height(
        self, latitude: Float[Tensor, "*#points"], longitude: Float[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """Height of the ground in metres; see `Orography.height`."""
        north, east = math.radians(self.latitude), math.radians(self.longitude)
        # Half the angle to the summit by the haversine formula, which does not cancel near it.
        across = torch.sin((longitude - east) / 2) ** 2
        along = torch.sin((latitude - north) / 2) ** 2
        half_sine2 = along + math.cos(north) * latitude.cos() * across
        return self.peak * torch.exp(
            -half_sine2 / math.sin(math.radians(self.angular_radius) / 2) ** 2
        )


def _check_mountain(peak: float, latitude: float, longitude: float, angular_radius: float) -> None:
    if not math.isfinite(peak):
        raise ValueError(f"peak must be finite, got {peak}")
    if not -90 <= latitude <= 90:
        raise ValueError(f"latitude must be from -90 to 90 degrees, got {latitude}")
    if not 0 <= longitude < 360:
        raise ValueError(f"longitude must be from 0 to below 360 degrees, got {longitude}")
    if not 0 < angular_radius < math.inf:
        raise ValueError(f"angular_radius must be finite and positive, got {angular_radius}")
