"""Advection and diffusion of momentum on the staggered grid of a channel."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from pdesurrogate.operators.staggered import momentum_speeds_x, momentum_speeds_y
from pdesurrogate.operators.upwind import AdvectiveFlux, transport
from pdesurrogate.solvers.inflow import Inflow

__all__ = ["momentum_tendency"]


def momentum_tendency(
    velocity_x: Float[Tensor, "b y x_faces"],
    velocity_y: Float[Tensor, "b y_faces x"],
    viscosity: Float[Tensor, "#b 1 1"],
    inflow: Inflow,
    spacing: tuple[float, float],
    flux: AdvectiveFlux,
) -> tuple[Float[Tensor, "b y x_interior"], Float[Tensor, "b y_interior x"]]:
    r"""$-\nabla \cdot (u\, u) + \nu \nabla^2 u$ on the interior faces.

    Beyond the inflow `velocity_x` is that of the inflow and `velocity_y` is odd, so that it
    vanishes there. Beyond the outflow both continue as they are. Beyond the walls the inflow's
    class decides.

    Args:
        velocity_x: On vertical faces, those on the boundary included.
        velocity_y: On horizontal faces, those on the walls included.
        viscosity: Of every trajectory.
        inflow: Of the class that all trajectories share.
        spacing: Cell sizes along y and x.
        flux: The advection scheme.
    """
    width = flux.ghost_values
    # The faces on the boundary are the first ghosts of those inside.
    along = _continue(velocity_x, width - 1, width - 1)
    across = inflow.extend_along_walls(velocity_x[..., 1:-1], width)
    speeds = momentum_speeds_x(velocity_x, velocity_y)
    tendency_x = transport(along, across, speeds, spacing, flux, viscosity)

    inner = velocity_y[..., 1:-1, :]
    mirrored = -inner[..., :width].flip(-1)
    along = torch.cat([mirrored, _continue(inner, 0, width)], dim=-1)
    across = inflow.extend_through_walls(velocity_y, width - 1)
    speeds = momentum_speeds_y(velocity_x, velocity_y)
    tendency_y = transport(along, across, speeds, spacing, flux, viscosity)
    return tendency_x, tendency_y


def _continue(u: Tensor, before: int, after: int) -> Tensor:
    """The first and the last column repeated."""
    return pad(u, (before, after), mode="replicate")
