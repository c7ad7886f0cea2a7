r"""How far the values of a prediction are distributed like those of the truth.

Once a chaotic flow has forgotten where it started, no forecast matches it point by point; what can
still be right is which values occur, and how much they change over a distance.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.metrics.weights import quadrature_weights

__all__ = ["SEPARATION", "distribution_distance", "increment_distance"]

SEPARATION = 1 / 32
"""Share of the domain's side over which increments are taken."""


def distribution_distance(
    prediction: Float[Tensor, "*lead y x"], truth: Float[Tensor, "*lead y x"], grid: Grid
) -> Float[Tensor, "*lead"]:
    r"""Distance between the distributions of the values, wherever they occur.

    The Wasserstein-1 distance over the standard deviation of the truth,

    $$ \frac{1}{\sigma_y} \int_{-\infty}^{\infty} |F_p(v) - F_y(v)| \, dv , $$

    with $F$ the share of the domain, by quadrature weights, where the field is at most $v$. A
    prediction that is the truth moved elsewhere scores 0, one that is the truth plus $c \sigma_y$
    scores $c$, and the constant of the truth's mean about 0.8 for normal values.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference, in the same unit.
        grid: Where both are sampled.

    Returns:
        A dimensionless number per leading index; infinite where the truth is constant and the
        prediction is not it.

    References:
        Villani (2003), *Topics in Optimal Transportation*, §2.2.
    """
    weights = quadrature_weights(grid, truth.dtype, truth.device)
    return _distance(prediction, truth, weights)


def increment_distance(
    prediction: Float[Tensor, "*lead y x"],
    truth: Float[Tensor, "*lead y x"],
    grid: Grid,
    separation: float = SEPARATION,
) -> Float[Tensor, "*lead"]:
    r"""Distance between the distributions of the increments over a separation.

    As `distribution_distance`, for $u(x + r) - u(x)$ in place of $u$, with $r$ the given share of
    the domain's side, to the nearest point: once along y, once along x, averaged. An increment
    weighs what its first point does. Across an edge only where the field is periodic; not across
    the poles of a sphere, where $r$ is an angle, and shorter along the smaller circles.

    Args:
        prediction: Field on `grid`.
        truth: The same field of the reference, in the same unit.
        grid: Where both are sampled.
        separation: Share of the domain's side, above 0 and at most 1/2. The grid's own spacing
            where that is longer.

    Returns:
        A dimensionless number per leading index; infinite where the truth has a single increment
        everywhere and the prediction another.

    Raises:
        ValueError: If the separation is not above 0 or exceeds 1/2.

    References:
        Frisch (1995), *Turbulence*, §8.
    """
    if not 0 < separation <= 0.5:
        raise ValueError(f"separation must lie above 0 and be at most 1/2, got {separation}")
    weights = quadrature_weights(grid, truth.dtype, truth.device)
    distances = [
        _distance(
            _increments(prediction, grid, axis, separation),
            _increments(truth, grid, axis, separation),
            _of_first_points(weights, grid, axis, separation),
        )
        for axis in (0, 1)
    ]
    return (distances[0] + distances[1]) / 2


def _points(grid: Grid, axis: int, separation: float) -> int:
    return max(1, round(separation * grid.num_points[axis]))


def _increments(
    u: Float[Tensor, "*lead y x"], grid: Grid, axis: int, separation: float
) -> Float[Tensor, "*lead rows columns"]:
    points, dim = _points(grid, axis, separation), axis - 2
    if grid.padding[axis] == "circular":
        return u.roll(-points, dim) - u
    count = u.shape[dim] - points
    return u.narrow(dim, points, count) - u.narrow(dim, 0, count)


def _of_first_points(
    weights: Float[Tensor, "y x"], grid: Grid, axis: int, separation: float
) -> Float[Tensor, "rows columns"]:
    """Weights of the increments, with sum 1."""
    if grid.padding[axis] == "circular":
        return weights
    kept = weights.narrow(axis, 0, weights.shape[axis] - _points(grid, axis, separation))
    return kept / kept.sum()


def _distance(
    p: Float[Tensor, "*lead rows columns"],
    y: Float[Tensor, "*lead rows columns"],
    weights: Float[Tensor, "rows columns"],
) -> Float[Tensor, "*lead"]:
    p, y, w = p.flatten(-2), y.flatten(-2), weights.flatten()
    mean = (w * y).sum(dim=-1, keepdim=True)
    deviation = (w * (y - mean) ** 2).sum(dim=-1).sqrt()
    distance = _equal_weights(p, y) if bool((w == w[0]).all()) else _any_weights(p, y, w)
    return torch.where(distance == 0, torch.zeros_like(distance), distance / deviation)


def _equal_weights(
    p: Float[Tensor, "*lead point"], y: Float[Tensor, "*lead point"]
) -> Float[Tensor, "*lead"]:
    """The smallest value goes to the smallest, and so on."""
    if _is_on_cpu(p, y):
        p, y = (torch.from_numpy(np.sort(u.numpy())) for u in (p, y))
        return (p - y).abs().mean(dim=-1)
    return (p.sort(dim=-1).values - y.sort(dim=-1).values).abs().mean(dim=-1)


def _any_weights(
    p: Float[Tensor, "*lead point"], y: Float[Tensor, "*lead point"], w: Float[Tensor, " point"]
) -> Float[Tensor, "*lead"]:
    """The area between both distribution functions, which step at the values."""
    values = torch.cat([p, y], dim=-1)
    order = torch.from_numpy(np.argsort(values.numpy())) if _is_on_cpu(p, y) else values.argsort()
    values = values.gather(-1, order)
    between = torch.cat([w, -w])[order].cumsum(dim=-1)
    return (between[..., :-1].abs() * values.diff(dim=-1)).sum(dim=-1)


def _is_on_cpu(p: Tensor, y: Tensor) -> bool:
    """Whether NumPy may sort, which there is some ten times faster but knows no gradients."""
    return p.is_cpu and y.is_cpu and not (p.requires_grad or y.requires_grad)
