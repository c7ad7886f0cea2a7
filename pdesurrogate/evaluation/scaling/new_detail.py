"""What a step makes beyond the band that its input holds."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.scaling.norms import relative_norm
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.transfer import prolong_fields, restrict_fields

__all__ = ["out_of_band_change"]


def out_of_band_change(
    after: Float[Tensor, "batch field y x"],
    before: Float[Tensor, "batch field y x"],
    fields: Sequence[Field],
    grid: Grid,
    band_grid: Grid,
) -> Float[Tensor, "batch field"]:
    r"""The part of a change that lies beyond a coarser grid's band.

    $$ \frac{\lVert (I - QR)(w - v) \rVert}{\lVert w - v \rVert} $$

    Physics makes detail out of a band-limited field, too, since products of waves are shorter
    waves. So the number says nothing by itself: compare it with the solver's from the same field.

    Args:
        after: $w$.
        before: $v$.
        fields: What the channels are.
        grid: Where both are sampled.
        band_grid: The coarser grid that `R` restricts to and `Q` prolongs from.
    """
    change = after.double() - before.double()
    band = restrict_fields(change, fields, grid, band_grid)
    beyond = change - prolong_fields(band, fields, band_grid, grid)
    return relative_norm(beyond, grid, change, grid)
