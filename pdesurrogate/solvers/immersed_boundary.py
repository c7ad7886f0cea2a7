"""How a solid body that cuts through the cells of a grid holds the fluid back."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.solvers.obstacles import Obstacle

__all__ = ["penalisation_rates"]

_SMALLEST_GAP = 1e-6
"""A face nearer to the surface than this part of a cell counts as on it."""


def penalisation_rates(
    obstacle: Obstacle, grid: Grid
) -> tuple[Float[Tensor, "y x_faces"], Float[Tensor, "y_faces x"]]:
    r"""Rates $\kappa / \nu$ at which a body takes momentum from the faces, along x and along y.

    Penalisation adds $-\kappa u$ to the momentum equation. Inside the body $\kappa$ is infinite. A
    face in the fluid whose neighbour lies inside, with the surface at the fraction $\theta$ of the
    way, has

    $$ \kappa = \frac{\nu}{h^2} \left( \frac{1}{\theta} - 1 \right), $$

    summed over such neighbours. The second difference and this rate together are the viscous force
    of a wall at the distance $\theta h$, so that a flow that is linear near the surface vanishes on
    it, not at the nearest face: second order, where a mask of solid fractions is of first order.

    Returns:
        Per unit of viscosity, in 1 / length²; float64.

    References:
        Gibou, Fedkiw, Cheng & Kang (2002), *J. Comput. Phys.* 176, §2 (the symmetric stencil).
        Angot, Bruneau & Fabrie (1999), *Numer. Math.* 81 (penalisation).
    """
    (ny, nx), (hy, hx) = grid.num_points, grid.spacing
    x, y = torch.as_tensor(grid.x)[None, :], torch.as_tensor(grid.y)[:, None]
    x_nodes = torch.arange(nx + 1, dtype=torch.float64)[None, :] * hx
    y_nodes = torch.arange(ny + 1, dtype=torch.float64)[:, None] * hy
    return _rates(obstacle, x_nodes, y, (hy, hx)), _rates(obstacle, x, y_nodes, (hy, hx))


def _rates(obstacle: Obstacle, x: Tensor, y: Tensor, spacing: tuple[float, float]) -> Tensor:
    hy, hx = spacing
    here = obstacle.signed_distance(x, y)
    rates = torch.zeros_like(here)
    for shift_x, shift_y, h in ((-hx, 0.0, hx), (hx, 0.0, hx), (0.0, -hy, hy), (0.0, hy, hy)):
        there = obstacle.signed_distance(x + shift_x, y + shift_y)
        fraction = (here / (here - there)).clamp(_SMALLEST_GAP, 1)
        rates += torch.where(there < 0, (1 / fraction - 1) / h**2, 0.0)
    return torch.where(here > 0, rates, math.inf)
