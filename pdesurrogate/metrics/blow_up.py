"""When a rollout counts as broken."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.metrics.conservation import mean_square

__all__ = ["BLOW_UP_RATIO", "blow_up_limit", "limit_of_mean_squares"]

BLOW_UP_RATIO = 10.0
"""A rollout has blown up when the norm of a field exceeds the truth's largest this many times."""


def blow_up_limit(
    truth: Float[Tensor, "trajectory time field y x"], grid: Grid
) -> Float[Tensor, "trajectory field"]:
    """The mean square that no sane rollout exceeds; none for a field that vanishes throughout.

    Args:
        truth: The true frames of a rollout.
        grid: Where they are sampled.
    """
    frames = truth.unbind(1)
    return limit_of_mean_squares(
        torch.stack([mean_square(frame.double(), grid) for frame in frames], dim=1)
    )


def limit_of_mean_squares(
    true_mean_square: Float[Tensor, "trajectory time field"],
) -> Float[Tensor, "trajectory field"]:
    """The same from the mean squares of the true frames.

    Args:
        true_mean_square: Of every frame of a rollout.
    """
    largest = true_mean_square.amax(dim=1)
    return torch.where(largest > 0, BLOW_UP_RATIO**2 * largest, torch.finfo(largest.dtype).max)
