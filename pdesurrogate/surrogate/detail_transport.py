"""What a coarse grid does not resolve, carried along by what it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.devices import full_precision
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.operators import FlowMap, trace_back
from pdesurrogate.solvers import Carrier
from pdesurrogate.transfer import interpolate, prolong_fields, restrict_fields

__all__ = ["DetailTransport", "TransportOptions"]


@dataclass(frozen=True)
class TransportOptions:
    """How finely detail is carried.

    Args:
        map_ratio: The flow map's grid over the training grid.
        num_substeps: Parts of a step that the map is traced in.
        num_passes: How often the velocity halfway through the step is estimated, by carrying both
            ends to the middle; 0 for a velocity that is linear in time.
        lookup_ratio: Fields are looked up on the fine grid, or a multiple of it, that is at least
            so many times finer than the training grid.

    Raises:
        ValueError: If an option is below its least value.
    """

    map_ratio: int = 1
    num_substeps: int = 4
    num_passes: int = 1
    lookup_ratio: int = 4

    def __post_init__(self) -> None:
        for option in ("map_ratio", "num_substeps", "num_passes", "lookup_ratio"):
            least = 0 if option == "num_passes" else 1
            if getattr(self, option) < least:
                raise ValueError(f"{option} must be at least {least}, got {getattr(self, option)}")


class DetailTransport:
    r"""$(I - QR)\,S$: the part of the fields that only the fine grid holds, one frame later.

    The velocity of the resolved band is smooth, and so is the displacement that it causes: the flow
    map is traced on a grid not much finer than the coarse one, and interpolated. The fields
    themselves are looked up where they are fine.

    Args:
        coarse: The grid of the resolved band.
        fine: The grid of the fields.
        fields: What the channels are; any further ones are scalars that nobody carries.
        time_step: Time between frames.
        carrier: How the flow carries the fields; None if nothing is to be carried.
        options: How finely.
    """

    def __init__(
        self,
        coarse: Grid,
        fine: Grid,
        fields: Sequence[Field],
        time_step: float,
        carrier: Carrier | None,
        options: TransportOptions | None = None,
    ) -> None:
        options = options or TransportOptions()
        self.coarse, self.fine, self.fields = coarse, fine, tuple(fields)
        self.time_step, self.carrier, self.options = time_step, carrier, options
        self.map_grid = coarse.at_resolution(coarse.resolution * options.map_ratio)
        self.lookup_grid = _refined(fine, coarse.resolution * options.lookup_ratio)

    def restrict(self, u: Float[Tensor, "*lead channel y x"]) -> Float[Tensor, "*lead channel m n"]:
        """`R`."""
        return restrict_fields(u, self.fields, self.fine, self.coarse)

    def prolong(self, u: Float[Tensor, "*lead channel y x"]) -> Float[Tensor, "*lead channel m n"]:
        """`Q`."""
        return prolong_fields(u, self.fields, self.coarse, self.fine)

    def detail(self, u: Float[Tensor, "*lead channel y x"]) -> Float[Tensor, "*lead channel y x"]:
        """$(I - QR)\\,u$."""
        return u - self.prolong(self.restrict(u))

    def carried(
        self,
        u: Float[Tensor, "batch channel y x"],
        before: Float[Tensor, "batch channel m n"],
        after: Float[Tensor, "batch channel m n"],
    ) -> Float[Tensor, "batch channel y x"]:
        """The detail at a step's end.

        Args:
            u: The fields at its beginning, on the fine grid.
            before: Their resolved band, on the coarse grid.
            after: The resolved band at the end.
        """
        start = interpolate(u, self.fine, self.lookup_grid, self.fields)
        end = interpolate(after, self.coarse, self.lookup_grid, self.fields)
        moved = self._moved(start, end, self.flow_map(before, after))
        return self.detail(restrict_fields(moved, self.fields, self.lookup_grid, self.fine))

    def foreseen_change(
        self, u: Float[Tensor, "batch channel y x"]
    ) -> Float[Tensor, "batch channel y x"]:
        r"""$S u - u$ from the beginning of the step alone, carried by the flow of the band.

        The velocity halfway is that of what the first one has carried there, and goes on in a
        straight line from there. What does not follow from transport does not change. In float32,
        whatever the network around it computes in.

        Args:
            u: The fields at the step's beginning, on the fine grid.
        """
        with full_precision(u.device):
            start = interpolate(u.float(), self.fine, self.lookup_grid, self.fields)
            moved = self._moved(start, start, self._foreseen_flow(u.float()))
            return restrict_fields(moved - start, self.fields, self.lookup_grid, self.fine)

    def foreseen_change_of_band(
        self, u: Float[Tensor, "batch channel y x"]
    ) -> Float[Tensor, "batch channel m n"]:
        """$R (S u - u)$: what the coarse grid sees of it."""
        with full_precision(u.device):
            return self.restrict(self.foreseen_change(u))

    def _foreseen_flow(self, u: Tensor) -> FlowMap:
        assert self.carrier is not None
        grid, duration, substeps = self.map_grid, self.time_step, self.options.num_substeps
        band = interpolate(self.restrict(u), self.coarse, grid, self.fields)
        first = self.carrier.velocity(band, grid)
        velocities = [first, first]
        if self.options.num_passes > 0:
            half = trace_back([first, first], grid, duration, max(1, substeps // 2), start=0.5)
            middle = self.carrier.velocity(self.carrier.carry(band, band, half, 0.0), grid)
            velocities = [first, middle, 2 * middle - first]
        return trace_back(velocities, grid, duration, substeps)

    def _moved(self, start: Tensor, end: Tensor, flow: FlowMap) -> Tensor:
        """Fields of the look-up grid, carried."""
        assert self.carrier is not None
        lookup = self.lookup_grid
        flow = FlowMap(lookup, interpolate(flow.displacement, self.map_grid, lookup))
        return self.carrier.carry(start, end, flow, self.time_step)

    def flow_map(
        self,
        before: Float[Tensor, "batch channel m n"],
        after: Float[Tensor, "batch channel m n"],
    ) -> FlowMap:
        """Where everything came from, on the map's grid; see `carried`."""
        assert self.carrier is not None
        grid, duration, substeps = self.map_grid, self.time_step, self.options.num_substeps
        ends = [interpolate(u, self.coarse, grid, self.fields) for u in (before, after)]
        first, last = (self.carrier.velocity(u, grid) for u in ends)
        velocities = [first, last]
        for _ in range(self.options.num_passes):
            middle = torch.zeros_like(ends[0])
            for u, time in zip(ends, (0.0, 1.0), strict=True):
                flow = trace_back(
                    velocities, grid, duration, max(1, substeps // 2), start=0.5, end=time
                )
                middle = middle + self.carrier.carry(u, u, flow, 0.0) / 2
            velocities = [first, self.carrier.velocity(middle, grid), last]
        return trace_back(velocities, grid, duration, substeps)


def _refined(grid: Grid, least: int) -> Grid:
    """The first multiple of a grid with at least so many points along y."""
    return grid.at_resolution(grid.resolution * max(1, -(-least // grid.resolution)))
