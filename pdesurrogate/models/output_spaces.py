"""Spaces of functions that a network's output belongs to, whatever its weights are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import ClosedBox, Grid, PeriodicBox
from pdesurrogate.models.part import Part
from pdesurrogate.models.splines import SplineProduct, SplineSpace
from pdesurrogate.models.walls import Clamped, Neumann, Wall

__all__ = ["IncompressibleFlow", "OutputSpace", "Scalars"]

_EDDY = 16
"""A stream function of one per eddy of this fraction of the box's shorter side has velocity one."""


@dataclass(frozen=True)
class OutputSpace(Part, ABC):
    """Which splines stand for an output, and how its fields are read off them.

    What is guaranteed of an output holds for it as the network gives it, which is normalised. It
    holds in physical units too

    - if the network predicts the change of a frame (`predicts_change`, the default): what is added
      to the frame satisfies the condition, so that whatever values, fluxes and divergence the given
      frame has at the walls and inside stay as they are, zero if they were;
    - else, for a condition on values, only if the field's mean over the training split is zero.

    `check_fields` refuses what would break it.
    """

    @abstractmethod
    def splines(self, out_channels: int, grid: Grid) -> SplineProduct:
        """The space that the decoders of all levels work in.

        Args:
            out_channels: Fields of the output.
            grid: Only its kind and its extent matter.

        Raises:
            ValueError: If the conditions have no meaning on such a grid.
        """

    @abstractmethod
    def read_out(self, out_channels: int, grid: Grid) -> nn.Module:
        """From coefficients to fields at the cell centres; it ignores further channels."""

    @abstractmethod
    def check_fields(
        self,
        fields: Sequence[Field],
        statistics: FieldStatistics,
        predicts_change: bool,
        bundle: int = 1,
    ) -> None:
        """Refuse fields whose normalisation would break a condition; see `ModelSpec`."""


@dataclass(frozen=True)
class Scalars(OutputSpace):
    """Every field is a spline that satisfies one condition at the walls.

    On cell centres alone every field is the sample of such a function. What a network gains is the
    function: it vanishes at the wall (or its normal derivative does), on every grid.

    Args:
        walls: `Neumann`, `Dirichlet` or `Clamped`. On a periodic axis it has nothing to say.
    """

    walls: Wall = field(default_factory=Neumann)

    def splines(self, out_channels: int, grid: Grid) -> SplineProduct:
        """One spline a field.

        Raises:
            ValueError: If the grid is no box, or has open sides and a condition on values.
        """
        return SplineProduct(((out_channels, _space(self.walls, grid)),))

    def read_out(self, out_channels: int, grid: Grid) -> nn.Module:
        """The splines' values."""
        return _Values(out_channels, _space(self.walls, grid))

    def check_fields(
        self,
        fields: Sequence[Field],
        statistics: FieldStatistics,
        predicts_change: bool,
        bundle: int = 1,
    ) -> None:
        """Refuse to fix values of fields with a mean, unless their change is predicted."""
        _check_means(self.walls, range(len(fields)), statistics, predicts_change)


@dataclass(frozen=True)
class IncompressibleFlow(OutputSpace):
    r"""Two fields are the curl of a spline, the others splines of their own.

    $$ u = \partial_y \psi, \qquad v = -\partial_x \psi $$

    The derivatives are the exact ones of the spline, so that $\partial_x u + \partial_y v = 0$ at
    every point of the box and not only at those of the grid. On the grid,

    $$ S_y D_x u + S_x D_y v = 0 $$

    to rounding, with the central difference $D$ and the mean $S$ with weights 1/8, 6/8, 1/8, at all
    points that are two cells or more away from a wall (everywhere on a periodic box). With
    `Clamped` walls both components vanish at them (no slip), with `Dirichlet` only the normal
    one. The mean flow through a periodic box is zero.

    Args:
        x_channel: Which field is the velocity along x, counted from 0 in the order of the fields.
        y_channel: Which field is the velocity along y.
        flow_walls: What the stream function satisfies: `Clamped` or `Dirichlet`.
        others: What all other fields satisfy.

    Raises:
        ValueError: If the channels are no two different ones, or flow could cross a wall.
    """

    x_channel: int = 0
    y_channel: int = 1
    # Not `walls`: where the command line changes `Scalars` for this class, it hands on options of
    # the same name.
    flow_walls: Wall = field(default_factory=Clamped)
    others: Wall = field(default_factory=Neumann)

    def __post_init__(self) -> None:
        if min(self.x_channel, self.y_channel) < 0 or self.x_channel == self.y_channel:
            raise ValueError(
                "x_channel and y_channel must be two different channels counted from 0, "
                f"got {self.x_channel} and {self.y_channel}"
            )
        if isinstance(self.flow_walls, Neumann):
            raise ValueError("flow_walls of an IncompressibleFlow must be Clamped or Dirichlet")

    def splines(self, out_channels: int, grid: Grid) -> SplineProduct:
        """The stream function, then the other fields.

        Raises:
            ValueError: If the velocity's channels are not there, or the grid has open sides.
        """
        if max(self.x_channel, self.y_channel) >= out_channels:
            raise ValueError(
                f"x_channel {self.x_channel} and y_channel {self.y_channel} must be below the "
                f"number of fields, {out_channels}"
            )
        stream = (1, _space(self.flow_walls, grid))
        others = ((out_channels - 2, _space(self.others, grid)),) if out_channels > 2 else ()
        return SplineProduct((stream, *others))

    def read_out(self, out_channels: int, grid: Grid) -> nn.Module:
        """The curl of the first spline, and the others' values, each in its channel."""
        order = [c for c in range(out_channels) if c not in (self.x_channel, self.y_channel)]
        order = [self.x_channel, self.y_channel, *order]
        eddy = min(grid.domain_extent) / _EDDY
        return _CurlAndValues(
            tuple(order.index(channel) for channel in range(out_channels)),
            _space(self.flow_walls, grid),
            _space(self.others, grid),
            (eddy / grid.domain_extent[0], eddy / grid.domain_extent[1]),
        )

    def check_fields(
        self,
        fields: Sequence[Field],
        statistics: FieldStatistics,
        predicts_change: bool,
        bundle: int = 1,
    ) -> None:
        """Refuse fields that are no velocity, means that would move the walls, and bundles.

        What is read off the splines is one velocity, that of one frame.
        """
        if bundle > 1:
            raise ValueError(
                f"bundle must be 1, got {bundle}: an IncompressibleFlow gives one frame's velocity"
            )
        for channel, axis in ((self.x_channel, "x"), (self.y_channel, "y")):
            if channel < len(fields) and fields[channel].vector_part != axis:
                raise ValueError(
                    f"{axis}_channel {channel} is the field {fields[channel].name!r}, which is no "
                    f"velocity along {axis}; the fields are, from channel 0, "
                    f"{', '.join(f.name for f in fields)}"
                )
        moments = statistics.change_std if predicts_change else statistics.std
        if moments[self.x_channel] != moments[self.y_channel]:
            raise ValueError(
                f"{fields[self.x_channel].name!r} and {fields[self.y_channel].name!r} are divided "
                "by different numbers, which would break incompressibility"
            )
        velocity = (self.x_channel, self.y_channel)
        others = [c for c in range(len(fields)) if c not in velocity]
        _check_means(self.flow_walls, velocity, statistics, predicts_change)
        _check_means(self.others, others, statistics, predicts_change)


class _Values(nn.Module):
    """Splines at the cell centres."""

    def __init__(self, channels: int, space: SplineSpace) -> None:
        super().__init__()
        self._channels, self._space = channels, space

    def forward(self, c: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        return self._space.values(c[:, : self._channels])


class _CurlAndValues(nn.Module):
    """The curl of the first spline, the values of the others, in a given order.

    Cell sizes are `extents / num_points`; `extents` are measured in eddies.
    """

    def __init__(
        self,
        order: tuple[int, ...],
        stream: SplineSpace,
        others: SplineSpace,
        eddies: tuple[float, float],
    ) -> None:
        super().__init__()
        self._order, self._stream, self._others, self._eddies = order, stream, others, eddies

    def forward(self, c: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        stream, others = c[:, :1], c[:, 1 : len(self._order) - 1]
        per_y, per_x = (n * eddy for n, eddy in zip(c.shape[-2:], self._eddies, strict=True))
        flow = [per_y * self._stream.slopes(stream, -2), -per_x * self._stream.slopes(stream, -1)]
        fields = [*flow, *self._others.values(others).split(1, dim=1)]
        return torch.cat([fields[i] for i in self._order], dim=1)


def _space(wall: Wall, grid: Grid) -> SplineSpace:
    if "polar" in grid.padding:
        raise ValueError(f"splines need a box, got a {type(grid).__name__}")
    if not isinstance(wall, Neumann) and not isinstance(grid, PeriodicBox | ClosedBox):
        raise ValueError(
            f"{type(wall).__name__} needs walls on all sides or periodicity, "
            f"but a {type(grid).__name__} has open sides; Neumann works there"
        )
    return SplineSpace(wall, grid.padding)


def _check_means(
    wall: Wall, channels: Sequence[int], statistics: FieldStatistics, predicts_change: bool
) -> None:
    """Refuse a condition on values of fields that normalisation shifts."""
    if predicts_change or isinstance(wall, Neumann):
        return
    for channel in channels:
        mean, std = statistics.mean[channel], statistics.std[channel]
        if abs(mean) > 1e-6 * std:
            raise ValueError(
                f"walls {type(wall).__name__} hold for {statistics.fields[channel]!r} only with "
                f"predicts_change: its mean over the training split is {mean:g}, not 0"
            )
