"""Cubic interpolation along an axis, and from cell centres to the faces of another grid."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["centres_to_faces", "interpolation_matrix", "undo_midpoints"]


def interpolation_matrix(
    num_points: int, positions: Float[Tensor, " target"]
) -> Float[Tensor, "target source"]:
    """The matrix that takes values at the points `0, 1, …` to values at `positions` between them.

    Through the cubic of the four nearest points; exact for cubics. Beyond the first and the last
    point it continues in a straight line, because a cubic would run away.

    Args:
        num_points: Number of points, at least 4.
        positions: Where values are wanted, in units of the spacing.

    Raises:
        ValueError: If there are fewer than 4 points.
    """
    if num_points < 4:
        raise ValueError(f"a cubic needs at least 4 points, got {num_points}")
    at = positions.double()
    first = (at.floor().long() - 1).clamp(0, num_points - 4)
    nodes = torch.arange(4, dtype=torch.float64)
    local = (at - first)[:, None] - nodes  # distances to the four nodes
    weights = torch.ones(at.numel(), 4, dtype=torch.float64)
    for i in range(4):
        for j in range(4):
            if i != j:
                weights[:, i] *= local[:, j] / (nodes[i] - nodes[j])
    matrix = torch.zeros(at.numel(), num_points, dtype=torch.float64)
    matrix.scatter_(1, first[:, None] + torch.arange(4), weights)
    for outside, end, beside in ((at < 0, 0, 1), (at > num_points - 1, -1, -2)):
        distance = (at - end % num_points).abs()[outside]
        matrix[outside] = 0
        matrix[outside, end], matrix[outside, beside] = 1 + distance, -distance
    return matrix


def undo_midpoints(num_points: int) -> Float[Tensor, "points points"]:
    r"""The matrix $1 - \delta^2 / 8$, which makes means of two neighbours values again.

    The mean of the values half a spacing to either side exceeds the value between them by
    $\delta^2 u / 8$ to fourth order. The ends are left as they are.

    Args:
        num_points: Number of means.
    """
    second = torch.diag(torch.full((num_points,), -2.0, dtype=torch.float64))
    second += torch.diag(torch.ones(num_points - 1, dtype=torch.float64), 1)
    second += torch.diag(torch.ones(num_points - 1, dtype=torch.float64), -1)
    second[0], second[-1] = 0, 0
    return torch.eye(num_points, dtype=torch.float64) - second / 8


def centres_to_faces(
    centre_u: Float[Tensor, "*lead y x"],
    centre_v: Float[Tensor, "*lead y x"],
    num_points: tuple[int, int],
) -> tuple[Float[Tensor, "*lead m n_faces"], Float[Tensor, "*lead m_faces n"]]:
    """The velocity on the faces of a staggered grid from its values at cell centres.

    The values are taken as means of two opposite faces, as `average_to_centres` makes them; on the
    same grid it is undone to fourth order, to second at the boundary.

    Args:
        centre_u: Velocity along x at the cell centres of any grid of the domain.
        centre_v: Velocity along y.
        num_points: Cells along y and x of the staggered grid.
    """
    (my, mx), (ny, nx) = centre_u.shape[-2:], num_points

    def matrix(source: int, target: int, faces: bool) -> Tensor:
        places = torch.arange(target + faces).double() + (0.0 if faces else 0.5)
        weights = interpolation_matrix(source, places * (source / target) - 0.5)
        return (weights @ undo_midpoints(source) if faces else weights).to(centre_u)

    u = matrix(my, ny, faces=False) @ centre_u @ matrix(mx, nx, faces=True).T
    v = matrix(my, ny, faces=True) @ centre_v @ matrix(mx, nx, faces=False).T
    return u, v
