"""The mean square error in units of the typical change."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting

__all__ = ["MeanSquare", "area_scale"]


@dataclass(frozen=True)
class MeanSquare(FrameLoss):
    r"""Mean square error in units of each field's change over one step.

    $$ \overline{\big((p - y) / \delta\big)^2} $$

    a mean over batch, frames, fields and area, with the standard deviation $\delta$ of the
    frame-to-frame change: predicting no change at all costs 1 for every field, whatever its unit.
    """

    def on(self, setting: LossSetting) -> Criterion:
        """The loss with the grid's quadrature weights."""
        scale = area_scale(setting.change_std, setting.grid)

        def mean_square_error(
            prediction: Float[Tensor, "batch time field y x"],
            truth: Float[Tensor, "batch time field y x"],
        ) -> Float[Tensor, ""]:
            return ((prediction - truth) / scale).square().mean()

        return mean_square_error


def area_scale(
    change_std: Float[Tensor, "field 1 1"], grid: Grid
) -> Float[Tensor, "field rows columns"]:
    r"""The scale by which a mean over points becomes one over the area, $\delta / \sqrt{N w}$.

    With quadrature weights `w` of sum 1 over `N` points. On a box all points weigh the same.

    Args:
        change_std: Each field's own scale.
        grid: Where the fields are sampled.
    """
    weights = torch.tensor(grid.quadrature_weights * math.prod(grid.num_points))
    if torch.allclose(weights, torch.ones_like(weights), rtol=1e-12, atol=0):
        return change_std
    return change_std / weights.sqrt().to(change_std)
