"""Showing smooth fields on another grid, where `prolong` of cells would show steps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Channel, ClosedBox, Grid, OpenBox
from pdesurrogate.operators.lookup import look_up, places
from pdesurrogate.transfer.cell_average import average_cells, repeat_cells
from pdesurrogate.transfer.fields import prolong_fields, restrict_fields

__all__ = ["interpolate"]


def interpolate(
    u: Float[Tensor, "batch channel y x"],
    source: Grid,
    target: Grid,
    fields: Sequence[Field] = (),
) -> Float[Tensor, "batch channel m n"]:
    r"""Carry fields to a finer or coarser grid, smooth between the cells.

    To a coarser grid, and between grids of truncated series, it is restriction and prolongation. To
    finer cells it is the cubic polynomial through the nearest cells' centres, shifted in every
    coarse cell by what makes its average that of `u`: `restrict` takes it back exactly.

    Args:
        u: Fields on `source`.
        source: Where they are sampled.
        target: Where they are wanted, of the same domain.
        fields: What the first channels are; any further ones are scalars.

    Raises:
        ValueError: If the domains differ, or cells of one do not fill those of the other.
    """
    if target == source:
        return u
    if target.resolution < source.resolution:
        return restrict_fields(u, fields, source, target)
    return _refined(source, u, target, fields)


@singledispatch
def _refined(source: Grid, u: Tensor, target: Grid, fields: Sequence[Field]) -> Tensor:
    return prolong_fields(u, fields, source, target)


@_refined.register(ClosedBox)
@_refined.register(Channel)
@_refined.register(OpenBox)
def _(source: Grid, u: Tensor, target: Grid, fields: Sequence[Field]) -> Tensor:
    centres = places(target, u.dtype, u.device).expand(len(u), -1, -1, -1)
    smooth = look_up(u, centres, source)
    off = u - average_cells(smooth, source.num_points)
    return smooth + repeat_cells(off, target.num_points)
