"""The flux of shallow water through a face between two states."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["FaceFlux", "FaceState", "shallow_water_flux"]


class FaceState(NamedTuple):
    """Water on one side of a face."""

    depth: Tensor
    normal: Tensor
    """Velocity across the face, positive towards higher indices."""
    transverse: Tensor
    """Velocity along the face."""


class FaceFlux(NamedTuple):
    """What crosses a face per unit of its length, and what pushes on its two sides."""

    mass: Tensor
    normal: Tensor
    """Momentum across the face that the water carries, without pressure."""
    transverse: Tensor
    """Momentum along the face that the water carries."""
    push_left: Tensor
    """Pressure at the face less that of the left state."""
    push_right: Tensor
    """Pressure at the face less that of the right state."""


def shallow_water_flux(left: FaceState, right: FaceState, gravity: float | Tensor) -> FaceFlux:
    r"""The HLLC flux with the local speeds of Kurganov, Noelle and Petrova.

    $$ s_- = \min(u_l - c_l,\; u_r - c_r,\; 0), \qquad s_+ = \max(u_l + c_l,\; u_r + c_r,\; 0),
       \qquad c = \sqrt{g h} $$

    Depth and normal momentum are as in HLL. For shallow water the speed of the contact wave has
    the sign of the mass flux, so that HLLC comes down to taking the transverse velocity from where
    the mass comes. The depth stays positive, and a dry side needs no case of its own.

    Pressure is counted relative to either side's own: water at rest gives exact zeros.

    References:
        Harten, Lax & van Leer (1983), *SIAM Rev.* 25; Toro (2001), *Shock-Capturing Methods for
        Free-Surface Shallow Flows*, §10.4; Kurganov, Noelle & Petrova (2001), *SIAM J. Sci.
        Comput.* 23.
    """
    celerity_left, celerity_right = _celerity(left, gravity), _celerity(right, gravity)
    slowest = torch.minimum(left.normal - celerity_left, right.normal - celerity_right)
    fastest = torch.maximum(left.normal + celerity_left, right.normal + celerity_right)
    slowest, fastest = slowest.clamp_(max=0), fastest.clamp_(min=0)
    # The mean of the two sides with weights that add to one, and damping of their difference.
    weight_left = fastest / (fastest - slowest)
    weight_right = 1 - weight_left
    damping = slowest * weight_left
    momentum_left, momentum_right = left.depth * left.normal, right.depth * right.normal
    mass = torch.addcmul(weight_left * momentum_left, weight_right, momentum_right)
    mass = torch.addcmul(mass, damping, right.depth - left.depth)
    normal = weight_left * (momentum_left * left.normal)
    normal = torch.addcmul(normal, weight_right, momentum_right * right.normal)
    normal = torch.addcmul(normal, damping, momentum_right - momentum_left)
    step = (left.depth - right.depth) * (left.depth + right.depth) * (0.5 * gravity)
    return FaceFlux(
        mass,
        normal,
        mass * torch.where(mass > 0, left.transverse, right.transverse),
        -weight_right * step,
        weight_left * step,
    )


def _celerity(side: FaceState, gravity: float | Tensor) -> Tensor:
    """Speed of long waves; never quite zero, where the root has no derivative."""
    return (gravity * side.depth).clamp_(min=torch.finfo(side.depth.dtype).tiny).sqrt()
