"""The error as a share of the truth."""

from __future__ import annotations

from dataclasses import dataclass

from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting
from pdesurrogate.training.losses.mean_square import area_scale
from pdesurrogate.training.losses.neural_operator import (
    least_norm,
    mean_of_ratios,
    neural_operator_losses,
)

__all__ = ["RelativeL2"]


@dataclass(frozen=True)
class RelativeL2(FrameLoss):
    r"""Norm of the error over the norm of the truth, the `nrmse` by which surrogates are judged.

    $$ \frac{|p - y|}{|y|}, \qquad |u|^2 = \sum w\, u^2 $$

    for every frame and field by itself, with the truth of the same frame in the denominator; then
    the mean over batch, frames and fields. Calm and violent frames weigh the same. As no square is
    taken, a few bad samples count less than in `MeanSquare`. By neuraloperator's `LpLoss`. To $|y|$
    a thousandth of the typical change is added, so that a frame at rest does not outweigh all
    others.

    References:
        Li et al. (2021), *Fourier Neural Operator for Parametric Partial Differential Equations*.
        Kossaifi et al. (2024), *A Library for Learning Neural Operators*.
    """

    def on(self, setting: LossSetting) -> Criterion:
        """The loss with the grid's quadrature weights."""
        loss = neural_operator_losses().LpLoss(d=2, reduction="sum", eps=least_norm(setting.grid))
        return mean_of_ratios(loss, area_scale(setting.change_std, setting.grid))
