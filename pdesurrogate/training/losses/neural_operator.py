"""What the losses of the neuraloperator library need to serve as ours."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.training.losses.base import Criterion

__all__ = ["least_norm", "mean_of_ratios", "neural_operator_losses"]

_AT_REST = 1e-3


def neural_operator_losses() -> Any:
    """The library's losses.

    Imported when a loss is bound because it takes seconds, and guarded because it changes the
    warning filters of the whole process.
    """
    with warnings.catch_warnings():
        import neuralop.losses
    return neuralop.losses


def least_norm(grid: Grid) -> float:
    """What is added to the norm of the truth, a sum over points in units of the typical change.

    A thousandth of the change: nothing beside a field, but it keeps a frame at rest, whose norm is
    zero, from outweighing all others.

    Args:
        grid: Where the fields are sampled.
    """
    return _AT_REST * math.sqrt(math.prod(grid.num_points))


def mean_of_ratios(
    summed: Callable[[Tensor, Tensor], Tensor], scale: Float[Tensor, "field rows columns"]
) -> Criterion:
    r"""The mean over batch, frames and fields of the library's ratio $|p - y| / |y|$.

    Where a frame is met exactly the root in it has no derivative; there the ratio is 0, and so is
    what is said of its gradient.

    Args:
        summed: The library's loss, which adds up the ratios of `(frame, y, x)`.
        scale: What the frames are divided by first.
    """

    def relative_error(
        prediction: Float[Tensor, "batch time field y x"],
        truth: Float[Tensor, "batch time field y x"],
    ) -> Float[Tensor, ""]:
        p, y = prediction / scale, truth / scale
        differs = (p - y).square().sum(dim=(-2, -1)) > 0
        return summed(p[differs], y[differs]) / differs.numel()

    return relative_error
