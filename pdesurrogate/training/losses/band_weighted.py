"""A mean square error in which short waves count for more."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.metrics import mean_square, power_spectrum
from pdesurrogate.metrics.spectrum import white_spectrum
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics
from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting

__all__ = ["BandWeighted"]


@dataclass(frozen=True)
class BandWeighted(FrameLoss):
    r"""The power spectrum of the error, summed up with weights that rise with the wavenumber.

    $$ \sum_i w_i\, E_i\big((p - y) / \delta\big), \qquad w_i \propto (1 + i)^q $$

    with the shells `i` of `pdesurrogate.metrics.power_spectrum`, one fundamental wavenumber apart
    (on a sphere the degrees of the harmonics), the power $q$, and $\delta$ as in `MeanSquare`; then
    the mean over batch, frames and fields. The weights are such that an error that is white costs
    what it costs in `MeanSquare`, to which power 0 is equal. Spectra of flows fall steeply, so a
    mean square says little of short waves, which networks learn last, and from which long rollouts
    go astray.

    What a sphere's harmonics cannot hold counts as the highest degree.

    Args:
        power: The exponent $q$; negative to favour long waves.

    Raises:
        ValueError: If `power` is not finite.

    References:
        Rahaman et al. (2019), *On the Spectral Bias of Neural Networks*. Chattopadhyay &
        Hassanzadeh (2023), *Long-term instabilities of deep learning-based digital twins of the
        climate system: The cause and a solution*.
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.power):
            raise ValueError(f"BandWeighted.power must be finite, got {self.power}")

    def on(self, setting: LossSetting) -> Criterion:
        """The loss with the shells of the grid."""
        grid, unit = setting.grid, setting.change_std
        weights = _shell_weights(grid, self.power).to(unit)

        def weighted_square_error(
            prediction: Float[Tensor, "batch time field y x"],
            truth: Float[Tensor, "batch time field y x"],
        ) -> Float[Tensor, ""]:
            error = (prediction - truth) / unit
            loss = (power_spectrum(error, grid) @ weights.to(error.dtype)).mean()
            if isinstance(grid, GaussianSphere):
                loss = loss + weights[-1] * mean_square(_unresolved(error, grid), grid).mean()
            return loss

        return weighted_square_error


def _shell_weights(grid: Grid, power: float) -> Float[Tensor, " shell"]:
    white = torch.tensor(white_spectrum(grid))
    weights = (1 + torch.arange(len(white), dtype=torch.float64)) ** power
    return weights / (weights @ white)


def _unresolved(u: Float[Tensor, "*lead y x"], grid: GaussianSphere) -> Float[Tensor, "*lead y x"]:
    """What the harmonics leave of a field; orthogonal to what they hold."""
    harmonics = spherical_harmonics(grid, linear_truncation(grid), u.dtype, u.device)
    return u - harmonics.synthesise(harmonics.analyse(u))
