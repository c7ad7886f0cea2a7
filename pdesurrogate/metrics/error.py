r"""Distances between a prediction `p` and the truth `y`, one number per field.

Norms carry the grid's quadrature weights, $|u|^2 = \sum w\, u^2$. Nothing is averaged over
leading axes: means over trajectories or lead times are means of these ratios. An exact prediction
has error 0 even where the truth vanishes; any other prediction of a vanishing truth, infinity.

The three errors by band are told which fields the channels hold. On a sphere the two parts of a
wind are restricted and prolonged together, as a vector, through its vorticity and divergence; what
is left of each part is then measured by itself, against that part's own norm. As a wind's band and
detail are orthogonal only as vectors, the squares add up over both parts together,

$$ \sum_c |y_c|^2 (\text{in}_c^2 + \text{out}_c^2) = \sum_c |p_c - y_c|^2 . $$

For scalars, and on plane grids, they do for every field.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.metrics.conservation import mean_square, spatial_mean
from pdesurrogate.transfer import prolong, prolong_fields, restrict, restrict_fields

__all__ = ["in_band_error", "nrmse", "out_of_band_error", "r_mse", "total_error", "vrmse"]


def nrmse(
    prediction: Float[Tensor, "*lead y x"], truth: Float[Tensor, "*lead y x"], grid: Grid
) -> Float[Tensor, "*lead"]:
    r"""Normalised RMS error, $|p - y| / |y|$.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference, in the same unit.
        grid: Where both are sampled.

    Returns:
        A dimensionless number per leading index.
    """
    return r_mse(prediction, truth, grid).sqrt()


def vrmse(
    prediction: Float[Tensor, "*lead y x"], truth: Float[Tensor, "*lead y x"], grid: Grid
) -> Float[Tensor, "*lead"]:
    r"""RMS error over the standard deviation of the truth, $|p - y| / |y - \bar y|$.

    Predicting the spatial mean of the truth scores 1.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference, in the same unit.
        grid: Where both are sampled.

    Returns:
        A dimensionless number per leading index.

    References:
        Ohana et al. (2024), *The Well*, NeurIPS Datasets and Benchmarks.
    """
    anomaly = truth - spatial_mean(truth, grid)[..., None, None]
    return _ratio(mean_square(prediction - truth, grid), mean_square(anomaly, grid)).sqrt()


def r_mse(
    prediction: Float[Tensor, "*lead y x"], truth: Float[Tensor, "*lead y x"], grid: Grid
) -> Float[Tensor, "*lead"]:
    r"""Relative mean squared error, $|p - y|^2 / |y|^2$.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference, in the same unit.
        grid: Where both are sampled.

    Returns:
        A dimensionless number per leading index.

    References:
        Williams et al. (2023), *A Unified Framework for U-Net Design and Analysis*, NeurIPS.
    """
    return _ratio(mean_square(prediction - truth, grid), mean_square(truth, grid))


def in_band_error(
    prediction: Float[Tensor, "*lead y x"],
    truth: Float[Tensor, "*lead y x"],
    grid: Grid,
    training_grid: Grid,
    fields: Sequence[Field] = (),
) -> Float[Tensor, "*lead"]:
    r"""Error in the band that the training grid resolves, $|R p - R y| / |y|$.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference, in the same unit.
        grid: The evaluation grid.
        training_grid: The grid that `R` restricts to; not finer than `grid`.
        fields: What the first channels, the last leading axis, hold; all others are scalars.

    Returns:
        A dimensionless number per leading index.
    """
    resolved = _restrict(prediction - truth, grid, training_grid, fields)
    return _ratio(mean_square(resolved, training_grid), mean_square(truth, grid)).sqrt()


def out_of_band_error(
    prediction: Float[Tensor, "*lead y x"],
    truth: Float[Tensor, "*lead y x"],
    grid: Grid,
    training_grid: Grid,
    fields: Sequence[Field] = (),
) -> Float[Tensor, "*lead"]:
    r"""Error beyond the band that the training grid resolves, $|(I - QR)(p - y)| / |y|$.

    Zero on the training grid itself. For $p = Q R y$ it is the truncation floor: what no
    prediction that lives on the training grid can go below.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference, in the same unit.
        grid: The evaluation grid.
        training_grid: The grid that `R` restricts to and `Q` prolongs from.
        fields: What the first channels, the last leading axis, hold; all others are scalars.

    Returns:
        A dimensionless number per leading index.
    """
    error = prediction - truth
    resolved = _prolong(_restrict(error, grid, training_grid, fields), training_grid, grid, fields)
    return _ratio(mean_square(error - resolved, grid), mean_square(truth, grid)).sqrt()


def total_error(
    prediction: Float[Tensor, "*lead y x"],
    truth: Float[Tensor, "*lead y x"],
    grid: Grid,
    training_grid: Grid,
    fields: Sequence[Field] = (),
) -> Float[Tensor, "*lead"]:
    r"""Error in and beyond the resolved band together.

    $$ \text{total}^2 = \text{in}^2 + \text{out}^2 $$

    It equals `nrmse` where `QR` is an orthogonal projection of each field by itself. For a wind on
    a sphere the mean of its square over both parts, weighted with their $|y|^2$, equals that of
    `nrmse`.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference, in the same unit.
        grid: The evaluation grid.
        training_grid: The grid whose band is told apart.
        fields: What the first channels, the last leading axis, hold; all others are scalars.

    Returns:
        A dimensionless number per leading index.
    """
    return torch.hypot(
        in_band_error(prediction, truth, grid, training_grid, fields),
        out_of_band_error(prediction, truth, grid, training_grid, fields),
    )


def _restrict(u: Tensor, grid: Grid, coarse: Grid, fields: Sequence[Field]) -> Tensor:
    """A single scalar has no axis of channels."""
    return restrict_fields(u, fields, grid, coarse) if fields else restrict(u, grid, coarse)


def _prolong(u: Tensor, coarse: Grid, grid: Grid, fields: Sequence[Field]) -> Tensor:
    return prolong_fields(u, fields, coarse, grid) if fields else prolong(u, coarse, grid)


def _ratio(error: Tensor, scale: Tensor) -> Tensor:
    return torch.where(error == 0, torch.zeros_like(error), error / scale)
