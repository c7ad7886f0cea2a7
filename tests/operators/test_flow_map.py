from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from pdesurrogate.grids import ClosedBox, GaussianSphere, PeriodicBox
from pdesurrogate.operators import FlowMap, places, trace_back


def turned(points: Tensor, axis: Tensor, angle: float) -> Tensor:
    """Rodrigues' formula."""
    axis = axis[:, None, None]
    across = torch.linalg.cross(axis.expand_as(points), points, dim=0)
    along = axis * (axis * points).sum(0)
    return points * math.cos(angle) + across * math.sin(angle) + along * (1 - math.cos(angle))


def rigid_rotation(grid: GaussianSphere, axis: Tensor, rate: float) -> Tensor:
    """Its wind, towards east and north, in radians."""
    points = places(grid, torch.float64)
    x, y, z = points
    motion = rate * torch.linalg.cross(axis[:, None, None].expand_as(points), points, dim=0)
    cosine = torch.hypot(x, y)
    east = (-y * motion[0] + x * motion[1]) / cosine
    north = cosine * motion[2] - z * (x * motion[0] + y * motion[1]) / cosine
    return torch.stack([east, north])[None]


def order_of(errors: list[float]) -> float:
    return min(math.log2(a / b) for a, b in pairwise(errors))


def test_rigid_rotation_about_a_tilted_axis_is_followed_across_the_poles() -> None:
    axis = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    grid = GaussianSphere((32, 64))
    wind = rigid_rotation(grid, axis, 0.7)
    exact = turned(places(grid, torch.float64), axis, -0.7)
    errors = [
        float((trace_back([wind, wind], grid, 1.0, n).origins[0] - exact).norm(dim=0).max())
        for n in (2, 4, 8)
    ]
    assert errors[-1] < 5e-4
    assert order_of(errors) > 1.9, errors


def test_a_uniform_stream_shifts_by_its_way() -> None:
    """Speeds that grow with the square of time need the velocity halfway, and have it exactly."""
    grid = PeriodicBox((6, 8), (3.0, 4.0))
    ones = torch.ones(1, 2, 6, 8, dtype=torch.float64)
    stream = torch.tensor([2.0, -1.0], dtype=torch.float64)[:, None, None] * ones
    velocities = [stream * t**2 for t in (0.0, 0.5, 1.0)]
    moved = trace_back(velocities, grid, 1.5, 64).displacement
    way = torch.tensor([-1.0, 2.0], dtype=torch.float64) * 1.5 / 3  # along y, along x
    torch.testing.assert_close(moved, -way[:, None, None].expand_as(moved), rtol=1e-4, atol=1e-4)


def test_tracing_on_undoes_tracing_back() -> None:
    grid = PeriodicBox((48, 48))
    y, x = places(grid, torch.float64)
    velocity = torch.stack([torch.sin(y), torch.sin(2 * x)])[None]
    back = trace_back([velocity, velocity], grid, 0.5, 16)
    onward = trace_back([velocity, velocity], grid, 0.5, 16, start=0.0, end=1.0)
    there_and_back = back.displacement + back.carry(onward.displacement)
    assert there_and_back.abs().max() < 1e-3 * back.displacement.abs().max()


def test_rotation_in_a_closed_box_carries_a_blob_around() -> None:
    """A quarter turn about the middle, of second order in the sub-step."""
    grid = ClosedBox((64, 64), (2.0, 2.0))
    y, x = places(grid, torch.float64) - 1.0
    inside = torch.exp(-((torch.hypot(x, y) / 0.8) ** 16))  # at rest near the walls
    velocity = torch.stack([-y, x])[None] * inside

    def blob(y0: float, x0: float) -> Tensor:
        return torch.exp(-40 * ((y - y0) ** 2 + (x - x0) ** 2))[None, None]

    errors = []
    for substeps in (4, 8, 16):
        flow = trace_back([velocity, velocity], grid, math.pi / 2, substeps)
        errors.append(float((flow.carry(blob(0.0, 0.3)) - blob(0.3, 0.0)).abs().max()))
    assert errors[-1] < 5e-3
    assert order_of(errors) > 1.5, errors


def test_carrying_without_motion_changes_nothing() -> None:
    grid = GaussianSphere((8, 16))
    u = torch.randn(1, 2, 8, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    still = FlowMap(grid, torch.zeros(1, 3, 8, 16, dtype=torch.float64))
    torch.testing.assert_close(still.carry(u), u)
