"""What a coarse grid does not resolve, carried along by what it does."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.protocols.base import Setting
from pdesurrogate.grids import Grid
from pdesurrogate.operators.flow_map import FlowMap, trace_back
from pdesurrogate.transfer import interpolate, prolong_fields, restrict_fields

__all__ = ["DetailTransport"]


class DetailTransport:
    r"""$(I - QR)\,S$ of one setting: the fine part of the fields, one frame later.

    The velocity of the resolved band is smooth, and so is the displacement that it causes: the flow
    map is traced on a grid not much finer than the training grid, and interpolated. The fields
    themselves are looked up where they are fine.

    Args:
        setting: Grids, fields and the carrier, which must be there.
        map_ratio: The flow map's grid over the training grid.
        num_substeps: Parts of a step that the map is traced in.
        num_passes: How often the velocity halfway through the step is estimated.
        lookup_ratio: Of the grid that fields are looked up on, over the training grid, at least.
    """

    def __init__(
        self,
        setting: Setting,
        map_ratio: int,
        num_substeps: int,
        num_passes: int,
        lookup_ratio: int,
    ) -> None:
        assert setting.carrier is not None
        self.setting, self.carrier = setting, setting.carrier
        self.coarse, self.fine = setting.training_grid, setting.evaluation_grid
        self.map_grid = self.coarse.at_resolution(self.coarse.resolution * map_ratio)
        self.lookup_grid = _refined(self.fine, self.coarse.resolution * lookup_ratio)
        self.num_substeps, self.num_passes = num_substeps, num_passes

    def restrict(self, u: Float[Tensor, "*lead channel y x"]) -> Float[Tensor, "*lead channel m n"]:
        """`R`."""
        return restrict_fields(u, self.setting.fields, self.fine, self.coarse)

    def prolong(self, u: Float[Tensor, "*lead channel y x"]) -> Float[Tensor, "*lead channel m n"]:
        """`Q`."""
        return prolong_fields(u, self.setting.fields, self.coarse, self.fine)

    def carried(
        self,
        u: Float[Tensor, "batch channel y x"],
        before: Float[Tensor, "batch channel m n"],
        after: Float[Tensor, "batch channel m n"],
    ) -> Float[Tensor, "batch channel y x"]:
        """The detail at the step's end.

        Args:
            u: The fields at its beginning, on the evaluation grid.
            before: Their resolved band, on the training grid.
            after: The resolved band at the end.
        """
        flow = self.flow_map(before, after)
        displacement = interpolate(flow.displacement, self.map_grid, self.lookup_grid)
        flow = FlowMap(self.lookup_grid, displacement)
        fields, lookup = self.setting.fields, self.lookup_grid
        end = interpolate(after, self.coarse, lookup, fields)
        start = u if lookup == self.fine else interpolate(u, self.fine, lookup, fields)
        moved = self.carrier.carry(start, end, flow, self.setting.time_step)
        moved = restrict_fields(moved, fields, lookup, self.fine)
        return moved - self.prolong(self.restrict(moved))

    def flow_map(
        self,
        before: Float[Tensor, "batch channel m n"],
        after: Float[Tensor, "batch channel m n"],
    ) -> FlowMap:
        """Where everything came from, on the map's grid."""
        grid, duration, fields = self.map_grid, self.setting.time_step, self.setting.fields
        first, last = (interpolate(u, self.coarse, grid, fields) for u in (before, after))
        velocities = [self.carrier.velocity(u, grid) for u in (first, last)]
        half = max(1, self.num_substeps // 2)
        for _ in range(self.num_passes):
            middle = torch.zeros_like(first)
            for u, end in ((first, 0.0), (last, 1.0)):
                flow = trace_back(velocities, grid, duration, half, start=0.5, end=end)
                middle = middle + self.carrier.carry(u, u, flow, 0.0) / 2
            velocities = [velocities[0], self.carrier.velocity(middle, grid), velocities[-1]]
        return trace_back(velocities, grid, duration, self.num_substeps)


def _refined(grid: Grid, least: int) -> Grid:
    """The first multiple of a grid with at least so many points along y."""
    return grid.at_resolution(grid.resolution * max(1, -(-least // grid.resolution)))
