"""How far a prediction and the truth vary together, whatever their amplitudes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.metrics.conservation import mean_square, spatial_mean

__all__ = ["correlation"]


def correlation(
    prediction: Float[Tensor, "*lead y x"], truth: Float[Tensor, "*lead y x"], grid: Grid
) -> Float[Tensor, "*lead"]:
    r"""Pearson correlation in space, $\overline{p' y'} / \sqrt{\overline{p'^2}\;\overline{y'^2}}$.

    Primes are departures from the spatial mean; means carry quadrature weights. It is 0 where
    either field is constant, since nothing varies together there.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference.
        grid: Where both are sampled.

    Returns:
        A number between -1 and 1 per leading index.
    """
    p = prediction - spatial_mean(prediction, grid)[..., None, None]
    y = truth - spatial_mean(truth, grid)[..., None, None]
    scale = mean_square(p, grid).sqrt() * mean_square(y, grid).sqrt()
    covariance = spatial_mean(p * y, grid)
    return torch.where(scale == 0, torch.zeros_like(scale), covariance / scale).clamp(-1, 1)
