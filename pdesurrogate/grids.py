"""Grids: where a field is sampled, what each sample weighs, and what lies beyond the edge."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeVar

import numpy as np

__all__ = [
    "Channel",
    "ClosedBox",
    "GaussianSphere",
    "Grid",
    "OpenBox",
    "Padding",
    "PeriodicBox",
    "grid_from_dict",
]

Padding = Literal["circular", "replicate", "polar"]
"""How a field continues beyond an edge.

`circular` and `replicate` are those of `torch.nn.functional.pad`. `polar` is for the rows of a
sphere, where the opposite meridian lies beyond a pole.
"""

_G = TypeVar("_G", bound="Grid")


@dataclass(frozen=True)
class Grid(ABC):
    """A regular grid on a rectangle, rows along y first.

    Args:
        num_points: Points along y and x.
        domain_extent: Length of the domain along y and x, in the recipe's unit of length.

    Raises:
        ValueError: If a number of points is below 2 or an extent is not positive.
    """

    num_points: tuple[int, int]
    domain_extent: tuple[float, float] = (2 * math.pi, 2 * math.pi)

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_points", tuple(int(n) for n in self.num_points))
        object.__setattr__(self, "domain_extent", tuple(float(e) for e in self.domain_extent))
        if len(self.num_points) != 2 or min(self.num_points) < 2:
            raise ValueError(f"num_points must be two numbers of at least 2, got {self.num_points}")
        if len(self.domain_extent) != 2 or min(self.domain_extent) <= 0:
            raise ValueError(
                f"domain_extent must be two positive lengths, got {self.domain_extent}"
            )

    @property
    @abstractmethod
    def padding(self) -> tuple[Padding, Padding]:
        """How fields continue beyond the edges along y and x."""

    @property
    @abstractmethod
    def sampling(self) -> str:
        """What the sample points are, in words."""

    @property
    def dimensions(self) -> tuple[str, str]:
        """What the rows and the columns are called in files and labelled arrays."""
        return ("y", "x")

    def coordinates(self, length_units: str) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
        """The sample points along both dimensions, as xarray takes coordinates.

        Args:
            length_units: UDUNITS string of the unit of length, for grids that are measured in it.

        Returns:
            By dimension its name, its points and their attributes as the CF conventions have them.
        """
        attributes = self._coordinate_attributes(length_units)
        points = zip(self.dimensions, (self.y, self.x), attributes, strict=True)
        return {name: (name, values, labels) for name, values, labels in points}

    @property
    def y(self) -> np.ndarray:
        """Sample points along y."""
        return self._points(0)

    @property
    def x(self) -> np.ndarray:
        """Sample points along x."""
        return self._points(1)

    @property
    def spacing(self) -> tuple[float, float]:
        """Distance between neighbouring points along y and x."""
        return (
            self.domain_extent[0] / self.num_points[0],
            self.domain_extent[1] / self.num_points[1],
        )

    @property
    def quadrature_weights(self) -> np.ndarray:
        """Weights `w` of shape `(y, x)` with sum 1: the mean of `f` is the sum of `w f`."""
        return np.full(self.num_points, 1.0 / math.prod(self.num_points))

    @property
    def resolution(self) -> int:
        """The rung's name: points along y."""
        return self.num_points[0]

    def at_resolution(self: _G, resolution: int) -> _G:
        """The same domain with `resolution` points along y and x in the same proportion.

        Raises:
            ValueError: If the proportion does not give a whole number of points along x.
        """
        columns, remainder = divmod(resolution * self.num_points[1], self.num_points[0])
        if remainder:
            raise ValueError(
                f"resolution {resolution} does not divide a {self.num_points[0]} x "
                f"{self.num_points[1]} grid evenly"
            )
        return replace(self, num_points=(resolution, columns))

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which `grid_from_dict` builds the grid again."""
        return {
            "type": type(self).__name__,
            "num_points": list(self.num_points),
            "domain_extent": list(self.domain_extent),
        }

    def _coordinate_attributes(self, length_units: str) -> tuple[dict[str, str], dict[str, str]]:
        """CF attributes of both coordinates."""
        along_y = {"units": length_units, "long_name": "distance along y", "axis": "Y"}
        along_x = {"units": length_units, "long_name": "distance along x", "axis": "X"}
        return along_y, along_x

    @abstractmethod
    def _points(self, axis: int) -> np.ndarray:
        """Sample points along an axis, 0 for y and 1 for x."""


@dataclass(frozen=True)
class PeriodicBox(Grid):
    """A box whose opposite edges are one: points at `i L / n`, left edge in, right edge out."""

    @property
    def padding(self) -> tuple[Padding, Padding]:
        """Circular in both directions."""
        return ("circular", "circular")

    @property
    def sampling(self) -> str:
        """Nodes."""
        return "point values at nodes, left edge included, right edge excluded"

    def _points(self, axis: int) -> np.ndarray:
        return np.arange(self.num_points[axis]) * self.spacing[axis]


@dataclass(frozen=True)
class _CellCentred(Grid):
    """A grid of cells: points at the cell centres `(i + 1/2) L / n`."""

    @property
    def padding(self) -> tuple[Padding, Padding]:
        """Even reflection at the edges, which for one ghost cell repeats the edge value."""
        return ("replicate", "replicate")

    @property
    def sampling(self) -> str:
        """Centres."""
        return "values at cell centres"

    def _points(self, axis: int) -> np.ndarray:
        return (np.arange(self.num_points[axis]) + 0.5) * self.spacing[axis]


class ClosedBox(_CellCentred):
    """A box with walls on every side: points at the cell centres `(i + 1/2) L / n`."""


class Channel(_CellCentred):
    """A channel along x, in at the left edge and out at the right, walls below and above.

    Points at the cell centres `(i + 1/2) L / n`.
    """


class OpenBox(_CellCentred):
    """A box that waves leave through every side: points at the cell centres `(i + 1/2) L / n`."""


@dataclass(frozen=True)
class GaussianSphere(Grid):
    r"""A sphere: Gauss–Legendre latitudes from south to north, equidistant longitudes from 0° east.

    y is the latitude $\varphi$ and x the longitude $\lambda$, both in degrees; the sines of the
    latitudes are the roots of the Legendre polynomial of degree `num_points[0]`. With these weights
    the mean of every polynomial of degree up to `2 * num_points[0] - 1` in $\sin\varphi$ is exact.
    The sphere's radius belongs to the equation.

    Args:
        num_points: Latitudes and longitudes, both even: every latitude has its mirror image, every
            longitude its opposite.
        domain_extent: 180 and 360 degrees.

    Raises:
        ValueError: If a number of points is odd or below 2, or the extent is another.

    References:
        Abramowitz & Stegun (1964), §25.4.29.
    """

    domain_extent: tuple[float, float] = (180.0, 360.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(n % 2 for n in self.num_points):
            raise ValueError(
                f"num_points of a GaussianSphere must be two even numbers, got {self.num_points}"
            )
        if self.domain_extent != (180.0, 360.0):
            raise ValueError(
                "domain_extent of a GaussianSphere must be (180.0, 360.0) degrees, "
                f"got {self.domain_extent}"
            )

    @property
    def padding(self) -> tuple[Padding, Padding]:
        """Across the poles along y, circular along x.

        Beyond a pole a scalar continues on the opposite meridian. So do the components of a vector,
        but with the other sign, since east and north turn around there; who pads them must know
        which channels they are.
        """
        return ("polar", "circular")

    @property
    def sampling(self) -> str:
        """Points of the product of both quadratures."""
        return (
            "point values at Gauss-Legendre latitudes, south to north, and equidistant longitudes "
            "from 0 degrees east"
        )

    @property
    def sine_of_latitude(self) -> np.ndarray:
        """The nodes of the quadrature, ascending, to full precision."""
        return _gauss_legendre(self.num_points[0])[0]

    @property
    def quadrature_weights(self) -> np.ndarray:
        """Gauss weights over the longitudes, with sum 1."""
        ny, nx = self.num_points
        weights = _gauss_legendre(ny)[1] / (2 * nx)
        return np.repeat(weights[:, None], nx, axis=1)

    @property
    def dimensions(self) -> tuple[str, str]:
        """Latitude, then longitude."""
        return ("latitude", "longitude")

    def _coordinate_attributes(self, length_units: str) -> tuple[dict[str, str], dict[str, str]]:
        north, east = (
            {"units": units, "long_name": name, "standard_name": name, "axis": axis}
            for units, name, axis in (
                ("degrees_north", "latitude", "Y"),
                ("degrees_east", "longitude", "X"),
            )
        )
        return north, east

    def _points(self, axis: int) -> np.ndarray:
        if axis == 0:
            return np.degrees(np.arcsin(self.sine_of_latitude))
        return np.arange(self.num_points[1]) * self.spacing[1]


@lru_cache(maxsize=32)
def _gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Nodes, ascending, and weights with sum 2 of even order `n`; not to be written to.

    $$ w = \frac{2 (1 - x^2)}{F(x)^2}, \qquad F = (1 - x^2) P_n' = n (P_{n-1} - x P_n) $$

    By Newton's iteration. At a node $F$ is stationary; for the other factor, which is small near
    the poles, the last correction is kept beyond the rounding of `x`, so that every weight is good
    to some $n$ roundings. `numpy.polynomial.legendre.leggauss` loses up to five digits there.
    """
    x = np.cos(np.pi * (np.arange(n // 2, 0, -1) - 0.25) / (n + 0.5))
    correction = np.zeros_like(x)
    for _ in range(6):
        x = x - correction
        before, value = np.ones_like(x), x
        for degree in range(2, n + 1):
            before, value = value, x * value + (1 - 1 / degree) * (x * value - before)
        F = n * (before - x * value)
        correction = value * (1 - x) * (1 + x) / F
    weights = 2 * ((1 - x) * (1 + x) + 2 * x * correction) / F**2
    nodes, weights = np.concatenate([-x[::-1], x]), np.concatenate([weights[::-1], weights])
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def grid_from_dict(description: dict[str, Any]) -> Grid:
    """Build the grid that `Grid.to_dict` described.

    Raises:
        ValueError: If the description names no known grid.
    """
    kinds: Sequence[type[Grid]] = (PeriodicBox, ClosedBox, OpenBox, Channel, GaussianSphere)
    for kind in kinds:
        if description.get("type") == kind.__name__:
            return kind(tuple(description["num_points"]), tuple(description["domain_extent"]))
    names = ", ".join(kind.__name__ for kind in kinds)
    raise ValueError(f"unknown grid {description.get('type')!r}; known are {names}")
