"""What stands on the ground below a shallow atmosphere."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere

__all__ = ["ConicalMountain", "Orography"]


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
        if not math.isfinite(self.peak):
            raise ValueError(f"peak must be finite, got {self.peak}")
        if not -90 <= self.latitude <= 90:
            raise ValueError(f"latitude must be from -90 to 90 degrees, got {self.latitude}")
        if not 0 <= self.longitude < 360:
            raise ValueError(f"longitude must be from 0 to below 360 degrees, got {self.longitude}")
        if not 0 < self.angular_radius < math.inf:
            raise ValueError(
                f"angular_radius must be finite and positive, got {self.angular_radius}"
            )

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
