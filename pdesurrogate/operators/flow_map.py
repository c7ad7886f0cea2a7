"""Where the flow brought everything from: what a semi-Lagrangian step looks fields up by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.operators.lookup import look_up, places

__all__ = ["FlowMap", "trace_back"]


@dataclass(frozen=True)
class FlowMap:
    """For every point of a grid the place that its fluid was at, one step ago.

    Args:
        grid: The points.
        displacement: From a point back to that place, as `places` tells places: `(y, x)` on a
            plane, the difference of unit vectors on a sphere. It is smooth, so that a coarse grid
            will do to trace it.
    """

    grid: Grid
    displacement: Float[Tensor, "batch d y x"]

    @property
    def origins(self) -> Float[Tensor, "batch d y x"]:
        """The places."""
        moved = self.displacement
        return _on_domain(self.grid, places(self.grid, moved.dtype, moved.device) + moved)

    def carry(self, u: Float[Tensor, "batch channel y x"]) -> Float[Tensor, "batch channel y x"]:
        r"""Scalars one step later, if nothing but the flow changes them.

        $$ u(x, t + \Delta t) = u(X(x), t) $$

        Args:
            u: On the map's grid, at the step's beginning.
        """
        return look_up(u, self.origins, self.grid)


def trace_back(
    velocities: Sequence[Float[Tensor, "batch part=2 y x"]],
    grid: Grid,
    duration: float,
    num_substeps: int,
    *,
    start: float = 1.0,
    end: float = 0.0,
) -> FlowMap:
    r"""Trace every point of a grid along the flow, by default back over a whole step.

    $$ \frac{dX}{ds} = v(X, s), \qquad X(s_0) = x $$

    by the midpoint rule, with the velocity looked up to fourth order in space and, in time, on the
    polynomial through the velocities that are given.

    Args:
        velocities: Along x and along y, in the grid's unit of length, on a sphere towards east and
            north in radians; at equidistant times, the first at the step's beginning, the last at
            its end, at least two.
        grid: Where they are sampled, and whose points are traced.
        duration: The step, in the velocities' unit of time.
        num_substeps: Parts that it is traced in.
        start: When the points are where they are, as a share of the step.
        end: When their places are wanted; before `start` to trace back, after it to trace on.

    References:
        Staniforth & Côté (1991), *Mon. Weather Rev.* 119, §2.
    """
    motions = torch.cat([_motion(grid, velocity) for velocity in velocities], dim=1)
    times = [i / (len(velocities) - 1) for i in range(len(velocities))]
    first = velocities[0]
    points = places(grid, first.dtype, first.device).expand(len(first), -1, -1, -1)
    share = (end - start) / num_substeps
    h, here = share * duration, points

    def velocity(where: Tensor, time: float) -> Tensor:
        parts = look_up(motions, where, grid).chunk(len(times), dim=1)
        weights = _lagrange(times, time)
        return torch.stack([w * part for w, part in zip(weights, parts, strict=True)]).sum(0)

    for number in range(num_substeps):
        time = start + number * share
        middle = _on_domain(grid, here + h / 2 * velocity(here, time))
        here = _on_domain(grid, here + h * velocity(middle, time + share / 2))
    return FlowMap(grid, here - points)


def _lagrange(nodes: Sequence[float], time: float) -> list[float]:
    """Weights of the polynomial through values at the nodes."""
    return [
        math.prod((time - other) / (node - other) for other in nodes if other != node)
        for node in nodes
    ]


@singledispatch
def _motion(grid: Grid, velocity: Tensor) -> Tensor:
    """The velocity in the coordinates of places."""
    return velocity.flip(1)


@_motion.register
def _(grid: GaussianSphere, velocity: Tensor) -> Tensor:
    x, y, z = places(grid, velocity.dtype, velocity.device)
    cosine = torch.hypot(x, y)
    east, north = velocity.unbind(1)
    cos_longitude, sin_longitude = x / cosine, y / cosine
    return torch.stack(
        [
            -east * sin_longitude - north * z * cos_longitude,
            east * cos_longitude - north * z * sin_longitude,
            north * cosine,
        ],
        dim=1,
    )


@singledispatch
def _on_domain(grid: Grid, where: Tensor) -> Tensor:
    return where


@_on_domain.register
def _(grid: GaussianSphere, where: Tensor) -> Tensor:
    return torch.nn.functional.normalize(where, dim=1)
