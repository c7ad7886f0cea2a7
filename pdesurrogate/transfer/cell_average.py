"""Moving cell averages between grids whose cells fill one another."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

__all__ = ["average_cells", "repeat_cells"]


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


def _check_filled(fine: tuple[int, int], coarse: tuple[int, int]) -> None:
    if any(n % m for n, m in zip(fine, coarse, strict=True)):
        raise ValueError(
            f"{fine[0]} x {fine[1]} cells do not fill {coarse[0]} x {coarse[1]} cells evenly; "
            "choose resolutions that are multiples of one another"
        )
