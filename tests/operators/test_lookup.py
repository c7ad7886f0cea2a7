from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.operators import look_up, places


def on_torus(p: Tensor) -> Tensor:
    return torch.sin(p[..., 0, :, :]) * torch.cos(2 * p[..., 1, :, :] + 0.3)


def between_walls(p: Tensor) -> Tensor:
    return torch.cos(p[..., 0, :, :]) * torch.cos(1.5 * p[..., 1, :, :])


def on_sphere(p: Tensor) -> Tensor:
    x, y, z = p.unbind(-3)
    return torch.exp(x + y / 2) * torch.sin(2 * z + 1)


def somewhere(grid: Grid) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    if isinstance(grid, GaussianSphere):
        points = torch.randn(1, 3, 40, 50, generator=generator, dtype=torch.float64)
        return torch.nn.functional.normalize(points, dim=1)
    share = torch.rand(1, 2, 40, 50, generator=generator, dtype=torch.float64)
    return 2 * math.pi * share


CASES: dict[str, tuple[Callable[[int], Grid], Callable[[Tensor], Tensor]]] = {
    "periodic": (lambda n: PeriodicBox((n, 2 * n)), on_torus),
    "closed": (lambda n: ClosedBox((n, 2 * n)), between_walls),
    "channel": (lambda n: Channel((n, 2 * n)), between_walls),
    "sphere": (lambda n: GaussianSphere((n, 2 * n)), on_sphere),
}


@pytest.mark.parametrize("case", CASES)
def test_look_up_is_of_fourth_order_everywhere(case: str) -> None:
    """Near walls and poles as well: the places are everywhere."""
    make, function = CASES[case]
    errors = []
    for n in (16, 32, 64):
        grid = make(n)
        u = function(places(grid, torch.float64))[None, None]
        where = somewhere(grid)
        errors.append(float((look_up(u, where, grid)[:, 0] - function(where)).abs().max()))
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert min(orders) > 3.7, (errors, orders)


@pytest.mark.parametrize("case", CASES)
def test_samples_are_found_where_they_are(case: str) -> None:
    grid = CASES[case][0](8)
    u = torch.randn(2, 3, *grid.num_points, generator=torch.Generator().manual_seed(1))
    found = look_up(u, places(grid).expand(2, -1, -1, -1), grid)
    torch.testing.assert_close(found, u, rtol=0, atol=3e-5)


def test_cubics_are_exact_between_samples() -> None:
    """Away from the edges, where they are mirrored."""
    grid = ClosedBox((12, 16), (3.0, 4.0))
    y, x = places(grid, torch.float64)
    u = (y**3 - 2 * y**2 * x + x**3 - 1)[None, None]
    where = torch.tensor([[1.234, 2.5, 0.7], [1.3, 2.77, 3.1]], dtype=torch.float64)
    expected = where[0] ** 3 - 2 * where[0] ** 2 * where[1] + where[1] ** 3 - 1
    found = look_up(u, where[None, :, None], grid)[0, 0, 0]
    torch.testing.assert_close(found, expected)


def test_a_periodic_field_is_the_same_a_period_further() -> None:
    grid = PeriodicBox((8, 12), (1.0, 3.0))
    u = torch.randn(1, 1, 8, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    where = torch.rand(1, 2, 5, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    further = where + torch.tensor([2.0, -9.0], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(look_up(u, where, grid), look_up(u, further, grid))


def test_beyond_a_wall_is_what_stands_at_the_wall() -> None:
    grid = ClosedBox((8, 8), (1.0, 1.0))
    u = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    outside = torch.tensor([[-0.3, 1.0], [0.4, 7.0]], dtype=torch.float64)[None, ..., None]
    at_wall = torch.tensor([[0.0, 1.0], [0.4, 1.0]], dtype=torch.float64)[None, ..., None]
    torch.testing.assert_close(look_up(u, outside, grid), look_up(u, at_wall, grid))


def test_gradients_reach_field_and_places() -> None:
    grid = PeriodicBox((6, 6), (1.0, 1.0))
    generator = torch.Generator().manual_seed(1)
    u = torch.randn(1, 1, 6, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    where = torch.rand(1, 2, 2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: look_up(a, b, grid), (u, where))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("case", CASES)
def test_a_place_that_is_no_number_spoils_no_other(case: str, value: float) -> None:
    """A broken rollout is carried by a velocity that is not finite."""
    make, function = CASES[case]
    grid = make(16)
    u, where = function(places(grid, torch.float64))[None, None], somewhere(grid)
    expected = look_up(u, where, grid)
    where[:, :, 3, 4] = value
    found = look_up(u, where, grid)
    is_broken = torch.zeros(40, 50, dtype=torch.bool)
    is_broken[3, 4] = True
    assert torch.equal(found[..., ~is_broken], expected[..., ~is_broken])
    if case == "periodic" or math.isnan(value):  # walls end what is infinite, and spheres turn it
        assert found[..., is_broken].isnan().all()
