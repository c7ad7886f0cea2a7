"""What adds fluid to a shallow layer on a sphere and takes it away."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["MassSource", "SeasonalDay"]


@dataclass(frozen=True)
class MassSource(ABC):
    """A rate at which the depth grows, a function of place and time that no grid enters."""

    @abstractmethod
    def rate(
        self,
        latitude: Float[Tensor, "*#points"],
        longitude: Float[Tensor, "*#points"],
        time: Float[Tensor, "*#points"],
    ) -> Float[Tensor, "*points"]:
        """Growth of the depth, in metres per second.

        Args:
            latitude: In radians.
            longitude: In radians.
            time: Since the trajectory's beginning, in seconds.
        """


@dataclass(frozen=True)
class SeasonalDay(MassSource):
    r"""A warm and a cold side that go around once a day, and north and south once a year.

    $$ F = F_0 \cos(\lambda - \lambda_c)\, e^{-(\varphi - \varphi_c)^2 / \sigma^2}, \qquad
       \lambda_c = \frac{2\pi t}{T_d}, \quad
       \varphi_c = \varphi_m \sin\frac{2\pi t}{T_y} $$

    for `t` from the time `start` on. What one side gains, the other loses: the mean depth stays. On
    both sides the extreme lies at the latitude $\varphi_c$, as in the source that this restates,
    and it moves eastwards, where the sun moves westwards. The default is that of *The Well*: 9 m an
    hour, days of 24 hours, years of 42 days. At the poles `F` depends on the direction from which
    they are approached; the solver truncates it.

    Args:
        amplitude: $F_0$, in metres per second.
        day: $T_d$, in seconds.
        year: $T_y$, in seconds.
        declination: $\varphi_m$, in radians.
        width: $\sigma$, in radians.
        start: Where in the day and the year a trajectory begins, in seconds.

    Raises:
        ValueError: If a number is out of its range.

    References:
        Ohana et al. (2024), *The Well*, NeurIPS, the set `planetswe` and its generator.
    """

    amplitude: float = 0.0025
    day: float = 86400.0
    year: float = 3628800.0
    declination: float = 0.4
    width: float = math.pi / 2
    start: float = 0.0

    def __post_init__(self) -> None:
        for name in ("day", "year", "width"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        for name in ("amplitude", "declination", "start"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)}")

    def rate(
        self,
        latitude: Float[Tensor, "*#points"],
        longitude: Float[Tensor, "*#points"],
        time: Float[Tensor, "*#points"],
    ) -> Float[Tensor, "*points"]:
        """Growth of the depth, in metres per second; see `MassSource.rate`."""
        now = time + self.start
        middle = self.declination * torch.sin(2 * math.pi * now / self.year)
        across = torch.exp(-(((latitude - middle) / self.width) ** 2))
        return self.amplitude * torch.cos(longitude - 2 * math.pi * now / self.day) * across
