"""Limited slopes for finite-volume schemes of second order."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["monotonised_slopes"]


def monotonised_slopes(u: Float[Tensor, "*lead y x"], axis: int) -> Float[Tensor, "*lead m n"]:
    r"""Change per cell along an axis by the monotonised central limiter.

    $$ s = \operatorname{minmod}\left(2 d_-,\; \tfrac12 (d_- + d_+),\; 2 d_+\right) $$

    $d_\mp$ are the differences to the neighbours. Second order where `u` is smooth and monotone,
    zero at extrema; what is reconstructed at the faces lies between the neighbours' values.

    Args:
        u: Cell averages.
        axis: -1 for x, -2 for y.

    Returns:
        One slope for every cell that has both neighbours.

    References:
        van Leer (1977), *J. Comput. Phys.* 23, eq. 66.
    """
    steps = u.diff(dim=axis)
    count = steps.shape[axis] - 1
    before, after = steps.narrow(axis, 0, count), steps.narrow(axis, 1, count)
    most = torch.minimum(before, after).clamp_(min=0).mul_(2)
    least = torch.maximum(before, after).clamp_(max=0).mul_(2)
    return torch.clamp(torch.lerp(before, after, 0.5), least, most)
