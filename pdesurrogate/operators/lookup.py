r"""Looking fields up between the points of any grid, to fourth order.

Places are told in coordinates in which nothing jumps: `(y, x)` on a plane, unit vectors on a
sphere. A place beyond the edge of a periodic box is the place that it repeats; beyond a wall
fields are mirrored, and places further out are moved to it.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, OpenBox, PeriodicBox
from pdesurrogate.operators.tables import made_once

__all__ = ["look_up", "places"]

_STENCIL = (-1, 0, 1, 2)
"""Samples that a value between samples 0 and 1 is made of, along each axis."""


def look_up(
    u: Float[Tensor, "batch channel y x"], where: Float[Tensor, "batch d m n"], grid: Grid
) -> Float[Tensor, "batch channel m n"]:
    r"""Values at any places, by the cubic polynomial through the four nearest samples of each axis.

    $$ u(y, x) \approx \sum_{i,j=-1}^{2} \ell_i(y)\, \ell_j(x)\, u_{ij} $$

    Of fourth order in the spacing; exact for cubics, and at the samples. It is not bounded by the
    samples. Differentiable in the field and, between the samples, in the places.

    Args:
        u: Scalars on `grid`. The parts of a wind on a sphere jump at the poles: look up others.
        where: Places as `places` tells them, any number of them in rows and columns.
        grid: Where `u` is sampled.

    Raises:
        TypeError: If it is not known how fields continue beyond such a grid's edges.

    References:
        Staniforth & Côté (1991), *Mon. Weather Rev.* 119, §3.
    """
    extended = _extended(grid, u)
    above, row_weights, left, column_weights = _stencils(grid, where)
    flat, width = extended.flatten(2), extended.shape[-1]
    corner = (above * width + left).flatten(1)[:, None].expand(-1, u.shape[1], -1)
    total: Tensor | None = None
    for i, of_row in enumerate(row_weights):
        along: Tensor | None = None
        for j, of_column in enumerate(column_weights):
            value = flat.gather(2, corner + (i * width + j)).unflatten(2, where.shape[-2:])
            term = value * of_column[:, None]
            along = term if along is None else along + term
        assert along is not None
        term = along * of_row[:, None]
        total = term if total is None else total + term
    assert total is not None
    return total


@singledispatch
def _places(grid: Grid) -> Float[Tensor, "d y x"]:
    y, x = torch.meshgrid(torch.tensor(grid.y), torch.tensor(grid.x), indexing="ij")
    return torch.stack([y, x])


@_places.register
def _(grid: GaussianSphere) -> Float[Tensor, "d y x"]:
    sine = torch.tensor(grid.sine_of_latitude)[:, None]
    cosine = ((1 - sine) * (1 + sine)).sqrt()
    longitude = torch.deg2rad(torch.tensor(grid.x))[None, :]
    up = sine.expand(-1, grid.num_points[1])
    return torch.stack([cosine * longitude.cos(), cosine * longitude.sin(), up])


@made_once(maxsize=32)
def places(
    grid: Grid,
    dtype: torch.dtype = torch.float32,
    device: torch.device = torch.device("cpu"),  # noqa: B008
) -> Float[Tensor, "d y x"]:
    """The grid's own points: `(y, x)` on a plane, unit vectors from the centre on a sphere."""
    return _places(grid).to(device, dtype)


@singledispatch
def _extended(grid: Grid, u: Tensor) -> Tensor:
    """The field with two more samples beyond every edge."""
    raise TypeError(f"it is not known how fields continue beyond a {type(grid).__name__}")


@_extended.register
def _(grid: PeriodicBox, u: Tensor) -> Tensor:
    return torch.nn.functional.pad(u, (2, 2, 2, 2), mode="circular")


@_extended.register(ClosedBox)
@_extended.register(Channel)
@_extended.register(OpenBox)
def _(grid: Grid, u: Tensor) -> Tensor:
    u = torch.cat([u[..., :2].flip(-1), u, u[..., -2:].flip(-1)], dim=-1)
    return torch.cat([u[..., :2, :].flip(-2), u, u[..., -2:, :].flip(-2)], dim=-2)


@_extended.register
def _(grid: GaussianSphere, u: Tensor) -> Tensor:
    across = u.roll(u.shape[-1] // 2, -1)  # the opposite meridian
    u = torch.cat([across[..., :2, :].flip(-2), u, across[..., -2:, :].flip(-2)], dim=-2)
    return torch.nn.functional.pad(u, (2, 2, 0, 0), mode="circular")


_Stencils = tuple[
    Int[Tensor, "batch m n"],
    list[Float[Tensor, "batch m n"]],
    Int[Tensor, "batch m n"],
    list[Float[Tensor, "batch m n"]],
]
"""First row in the extended field, weights of the rows; likewise of the columns."""


@singledispatch
def _stencils(grid: Grid, where: Tensor) -> _Stencils:
    (ny, nx), (hy, hx) = grid.num_points, grid.spacing
    # Walls are half a cell beyond the outermost samples.
    rows = (where[:, 0] / hy - 0.5).clamp(-0.5, ny - 0.5)
    columns = (where[:, 1] / hx - 0.5).clamp(-0.5, nx - 0.5)
    return *_uniform(rows, ny), *_uniform(columns, nx)


@_stencils.register
def _(grid: PeriodicBox, where: Tensor) -> _Stencils:
    (ny, nx), (hy, hx) = grid.num_points, grid.spacing
    rows, columns = (where[:, 0] / hy).remainder(ny), (where[:, 1] / hx).remainder(nx)
    return *_uniform(rows, ny), *_uniform(columns, nx)


@_stencils.register
def _(grid: GaussianSphere, where: Tensor) -> _Stencils:
    nx = grid.num_points[1]
    x, y, z = where.unbind(1)
    columns = (torch.atan2(y, x) / (2 * torch.pi / nx)).remainder(nx)
    latitude = torch.atan2(z, torch.hypot(x, y))
    return *_between_latitudes(latitude, grid), *_uniform(columns, nx)


def _uniform(position: Tensor, count: int) -> tuple[Tensor, list[Tensor]]:
    """Of a position in units of the index: where the stencil starts, and its weights."""
    # Rounding may bring a remainder up to the divisor itself. A place that is no number has a
    # stencil all the same, and weights that are none.
    first = position.detach().floor().nan_to_num(0.0).clamp(-1, count - 1)
    t = position - first
    weights = [
        -t * (t - 1) * (t - 2) / 6,
        (t + 1) * (t - 1) * (t - 2) / 2,
        -(t + 1) * t * (t - 2) / 2,
        (t + 1) * t * (t - 1) / 6,
    ]
    return (first + 2 + _STENCIL[0]).long(), weights


def _between_latitudes(latitude: Tensor, grid: GaussianSphere) -> tuple[Tensor, list[Tensor]]:
    """Weights of latitudes that are nearly, but not quite, equidistant."""
    nodes, inverse = _latitude_tables(grid, latitude.dtype, latitude.device)
    found = torch.searchsorted(nodes[2:-2], latitude.detach().contiguous()) + 1
    # The node south of the place; one beyond each pole counts.
    first = found.clamp(1, grid.num_points[0] + 1)
    around = [latitude - nodes[first + k] for k in _STENCIL]
    weights = []
    for k in range(4):
        others = [around[i] for i in range(4) if i != k]
        weights.append(others[0] * others[1] * others[2] * inverse[first, k])
    return first + _STENCIL[0], weights


@made_once(maxsize=16)
def _latitude_tables(
    grid: GaussianSphere, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, " node"], Float[Tensor, "node 4"]]:
    """Latitudes with two beyond each pole, and what Lagrange's polynomials are divided by."""
    inside = np.arcsin(grid.sine_of_latitude)
    south, north = -np.pi - inside[1::-1], np.pi - inside[:-3:-1]
    nodes = np.concatenate([south, inside, north])
    inverse = np.zeros((len(nodes), 4))
    for first in range(1, len(nodes) - 2):
        around = nodes[first - 1 : first + 3]
        for k in range(4):
            inverse[first, k] = 1 / np.prod(around[k] - np.delete(around, k))
    return torch.tensor(nodes).to(device, dtype), torch.tensor(inverse).to(device, dtype)
