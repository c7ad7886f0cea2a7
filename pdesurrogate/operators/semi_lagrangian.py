"""Looking a field up at the points from which the flow carried it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

__all__ = ["sample_bilinear"]


def sample_bilinear(
    u: Float[Tensor, "batch y x"],
    rows: Float[Tensor, "batch m n"],
    columns: Float[Tensor, "batch m n"],
) -> Float[Tensor, "batch m n"]:
    """Bilinear values at points given in units of the index; points outside see the edge.

    Exact for functions that are linear in each coordinate, and within the bounds of `u`.
    Differentiable in the field and, between its samples, in the points. A field that continues
    otherwise beyond its edge (zero, periodically) is first extended by such values.

    Args:
        u: Samples, at least two along each axis.
        rows: Position along y: 0 is the first row, 0.5 halfway to the second.
        columns: Position along x.

    References:
        Staniforth & Côté (1991), *Mon. Weather Rev.* 119.
    """
    last_row, last_column = u.shape[-2] - 1, u.shape[-1] - 1
    rows, columns = rows.clamp(0, last_row), columns.clamp(0, last_column)
    above = rows.detach().floor().clamp_(max=last_row - 1)
    left = columns.detach().floor().clamp_(max=last_column - 1)
    down, right = rows - above, columns - left
    # Whole numbers up to 2^24 are exact in float32, enough for 4096 x 4096: convert once, last.
    corner = above.mul_(u.shape[-1]).add_(left).long().flatten(1)
    flat = u.flatten(1)

    def value(offset: int) -> Tensor:
        return flat.gather(1, corner + offset).view_as(down)

    upper = value(0).lerp(value(1), right)
    lower = value(u.shape[-1]).lerp(value(u.shape[-1] + 1), right)
    return upper.lerp(lower, down)
