"""Moving cell averages between grids whose cells fill one another."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["average_cells", "reconstruct_cells", "repeat_cells"]


def average_cells(
    u: Float[Tensor, "*lead y x"], shape: tuple[int, int]
) -> Float[Tensor, "*lead m n"]:
    r"""The mean over the fine cells that fill each coarse one: the Haar projection (`R`).

    $$ (R u)_{ij} = \frac{1}{r_y r_x} \sum_{a < r_y,\, b < r_x} u_{r_y i + a,\; r_x j + b} $$

    It conserves the integral and stays within the bounds of `u`. With `repeat_cells` as `Q`, `R Q`
    is the identity and `Q R` an orthogonal projection.

    Args:
        u: Cell values.
        shape: Coarse cells along y and x; each divides the number of fine ones.

    Raises:
        ValueError: If the fine cells do not fill the coarse ones.

    Example:
        >>> import torch
        >>> average_cells(torch.arange(16.0).reshape(4, 4), (2, 2))
        tensor([[ 2.5000,  4.5000],
                [10.5000, 12.5000]])
    """
    (ny, nx), (my, mx) = u.shape[-2:], shape
    _check_filled((ny, nx), (my, mx))
    return u.reshape(*u.shape[:-2], my, ny // my, mx, nx // mx).mean(dim=(-3, -1))


def repeat_cells(
    u: Float[Tensor, "*lead y x"], shape: tuple[int, int]
) -> Float[Tensor, "*lead m n"]:
    """Give every fine cell the value of the coarse one that it lies in (`Q`).

    Args:
        u: Cell values.
        shape: Fine cells along y and x; each a multiple of the number of coarse ones.

    Raises:
        ValueError: If the fine cells do not fill the coarse ones.
    """
    (ny, nx), (my, mx) = u.shape[-2:], shape
    _check_filled((my, mx), (ny, nx))
    return u.repeat_interleave(my // ny, dim=-2).repeat_interleave(mx // nx, dim=-1)


def reconstruct_cells(
    u: Float[Tensor, "*lead y x"], shape: tuple[int, int]
) -> Float[Tensor, "*lead m n"]:
    r"""Give fine cells the averages of a limited linear function in each coarse cell.

    $$ u(y, x) = u_{ij} + s^y_{ij} (y - y_i) + s^x_{ij} (x - x_j) $$

    The slopes are central differences where the field is smooth and monotone, and flatter or zero
    at extrema and at the edges of the grid (the monotonised central limiter). Second order in the
    interior; `average_cells` takes it back exactly. It starts a simulation on a finer grid, where
    the steps of `repeat_cells` would be seen as structure; it is linear no longer, and no
    projection.

    Args:
        u: Cell values.
        shape: Fine cells along y and x; each a multiple of the number of coarse ones.

    Raises:
        ValueError: If the fine cells do not fill the coarse ones.

    References:
        van Leer (1977), *J. Comput. Phys.* 23, eq. 66 (the limiter).
    """
    (ny, nx), (my, mx) = u.shape[-2:], shape
    _check_filled((my, mx), (ny, nx))
    fine = repeat_cells(u, shape)
    for axis, coarse, factor in ((-2, ny, my // ny), (-1, nx, mx // nx)):
        place = (torch.arange(factor, dtype=u.dtype, device=u.device) + 0.5) / factor - 0.5
        offsets = place.repeat(coarse).reshape((-1, 1) if axis == -2 else (-1,))
        fine = fine + repeat_cells(_limited_slope(u, axis), shape) * offsets
    return fine


def _limited_slope(u: Tensor, axis: int) -> Tensor:
    """Change per cell along an axis; zero at extrema and at the edges."""
    edges = (0, 0, 1, 1) if axis == -2 else (1, 1, 0, 0)
    steps = pad(u.diff(dim=axis), edges)
    count = u.shape[axis]
    before, after = steps.narrow(axis, 0, count), steps.narrow(axis, 1, count)
    least = 2 * torch.minimum(before.abs(), after.abs())
    central = (before + after) / 2
    size = torch.minimum(central.abs(), least)
    return torch.where(before * after > 0, central.sign() * size, 0.0)


def _check_filled(fine: tuple[int, int], coarse: tuple[int, int]) -> None:
    if any(n % m for n, m in zip(fine, coarse, strict=True)):
        raise ValueError(
            f"{fine[0]} x {fine[1]} cells do not fill {coarse[0]} x {coarse[1]} cells evenly; "
            "choose resolutions that are multiples of one another"
        )
