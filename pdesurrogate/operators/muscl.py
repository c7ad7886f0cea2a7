"""Limited slopes for finite-volume schemes of second order."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["limited_faces"]


def limited_faces(
    u: Float[Tensor, "*lead y x"], axis: int
) -> tuple[Float[Tensor, "*lead m n"], Float[Tensor, "*lead m n"]]:
    r"""Values at both ends of every cell along an axis by Koren's limiter.

    $$ u_\pm = u \pm \tfrac12 \operatorname{minmod}\left(2 d_-,\;
       \tfrac13 (d_\mp + 2 d_\pm),\; 2 d_+\right) $$

    $d_-$ and $d_+$ are the differences to the neighbours. Third order where `u` is smooth and
    monotone, the cell's own value at extrema; the values at the ends lie between the neighbours'.

    Args:
        u: Cell averages.
        axis: -1 for x, -2 for y.

    Returns:
        The values at the lower and at the upper end of every cell that has both neighbours.

    References:
        Koren (1993), in *Numerical Methods for Advection-Diffusion Problems*, ch. 5.
    """
    steps = u.diff(dim=axis)
    count = steps.shape[axis] - 1
    before, after = steps.narrow(axis, 0, count), steps.narrow(axis, 1, count)
    cells = u.narrow(axis, 1, count)
    most = torch.minimum(before, after).clamp_(min=0).mul_(2)
    least = torch.maximum(before, after).clamp_(max=0).mul_(2)
    falling = torch.clamp(torch.lerp(before, after, 1 / 3), least, most)
    rising = torch.clamp(torch.lerp(before, after, 2 / 3), least, most)
    return torch.sub(cells, falling, alpha=0.5), torch.add(cells, rising, alpha=0.5)
