from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.metrics import distribution_distance, increment_distance

GRIDS = [PeriodicBox((16, 24)), ClosedBox((12, 9)), GaussianSphere((16, 32))]


def noise(grid: Grid, *lead: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*lead, *grid.num_points, generator=generator, dtype=torch.float64)


def deviation(u: Tensor, grid: Grid) -> Tensor:
    w = torch.as_tensor(grid.quadrature_weights)
    mean = (w * u).sum((-2, -1), keepdim=True)
    return (w * (u - mean) ** 2).sum((-2, -1)).sqrt()


@pytest.mark.parametrize("grid", GRIDS)
def test_a_shift_of_the_values_is_its_own_distance(grid: Grid) -> None:
    y = noise(grid, 2, 3)
    shift = 0.7 * deviation(y, grid)
    distance = distribution_distance(y + shift[..., None, None], y, grid)
    torch.testing.assert_close(distance, torch.full((2, 3), 0.7, dtype=torch.float64))
    assert (distribution_distance(y, y, grid) == 0).all()


@pytest.mark.parametrize("grid", GRIDS)
def test_a_stretch_of_the_values_moves_each_by_its_share(grid: Grid) -> None:
    """Quantiles of `3 y` are three times those of `y`: the distance is the mean of `2 |y|`."""
    y, w = noise(grid), torch.as_tensor(grid.quadrature_weights)
    expected = 2 * (w * y.abs()).sum() / deviation(y, grid)
    torch.testing.assert_close(distribution_distance(3 * y, y, grid), expected)


def test_where_the_values_are_does_not_matter() -> None:
    grid = PeriodicBox((16, 16))
    y = noise(grid)
    assert distribution_distance(y.roll((3, 5), (0, 1)), y, grid) < 1e-12
    assert distribution_distance(y.flip(0), y, grid) < 1e-12


@pytest.mark.parametrize("grid", GRIDS)
def test_it_is_the_weighted_distance_of_scipy(grid: Grid) -> None:
    p, y = 1.5 * noise(grid, seed=1) + 0.2, noise(grid)
    w = grid.quadrature_weights.ravel()
    expected = wasserstein_distance(p.numpy().ravel(), y.numpy().ravel(), w, w)
    ours = distribution_distance(p, y, grid) * deviation(y, grid)
    assert ours.item() == pytest.approx(expected)


def test_on_a_sphere_the_poles_weigh_little() -> None:
    grid = GaussianSphere((16, 32))
    y = noise(grid)
    p = y.clone()
    p[0] += 5
    share = grid.quadrature_weights[0].sum()
    assert distribution_distance(p, y, grid) * deviation(y, grid) <= 5 * share * (1 + 1e-9)


def test_a_constant_truth() -> None:
    grid = PeriodicBox((8, 8))
    flat = torch.full((8, 8), 2.0)
    assert distribution_distance(flat, flat, grid) == 0
    assert distribution_distance(flat + 1, flat, grid) == math.inf
    assert increment_distance(flat + 1, flat, grid) == 0
    assert increment_distance(noise(grid).float(), flat, grid) == math.inf


def test_increments_of_a_wave_have_its_amplitude() -> None:
    """Increments of `a cos kx` are a wave of amplitude `2 a |sin kr/2|`, so `a` scales them."""
    grid = PeriodicBox((32, 32))
    y = torch.cos(3 * torch.as_tensor(grid.x)).expand(32, 32) + torch.cos(
        torch.as_tensor(grid.y)
    ).unsqueeze(1)
    increments = y.roll(-1, 1) - y
    expected = 0.5 * increments.abs().mean() / deviation(increments, grid)
    torch.testing.assert_close(increment_distance(1.5 * y, y, grid), expected)


def test_increments_do_not_see_a_constant_but_see_roughness() -> None:
    grid = PeriodicBox((32, 32))
    y = torch.cos(torch.as_tensor(grid.x)).expand(32, 32) * torch.ones(32, 32)
    shuffled = y[:, torch.randperm(32, generator=torch.Generator().manual_seed(0))]
    y, shuffled = (u + 0.1 * torch.cos(torch.as_tensor(grid.y))[:, None] for u in (y, shuffled))
    assert increment_distance(y + 3, y, grid) < 1e-12
    assert distribution_distance(shuffled, y, grid) < 1e-12
    assert increment_distance(shuffled, y, grid) > 1


@pytest.mark.parametrize(
    ("grid", "wraps"), [(PeriodicBox((8, 8)), True), (ClosedBox((8, 8)), False)]
)
def test_increments_cross_periodic_edges_only(grid: Grid, wraps: bool) -> None:
    ramp = torch.arange(8.0).expand(8, 8) + torch.arange(8.0)[:, None]
    distance = increment_distance(2 * ramp, ramp, grid, 1 / 8)
    # Between walls every increment of the truth is 1: it has no spread to measure by.
    assert (distance == math.inf) == (not wraps)
    if wraps:  # increments 1 and once -7, with mean 0 and deviation sqrt(7); moved by 1 and by 7
        assert distance.item() == pytest.approx((7 + 7) / 8 / math.sqrt(7))


def test_the_separation_is_the_same_length_on_every_grid() -> None:
    distances = []
    for n in (64, 128, 256):
        grid = PeriodicBox((n, n))
        x, y = torch.as_tensor(grid.x), torch.as_tensor(grid.y)[:, None]
        truth = torch.cos(2 * x) + torch.sin(y)
        prediction = torch.cos(3 * x) + torch.sin(2 * y)
        distances.append(increment_distance(prediction, truth, grid).item())
    assert distances == pytest.approx([distances[-1]] * 3, rel=0.01)


@pytest.mark.parametrize("separation", [0.0, -0.1, 0.6])
def test_a_separation_is_a_share_of_the_side(separation: float) -> None:
    grid = PeriodicBox((8, 8))
    with pytest.raises(ValueError, match="separation must lie above 0 and be at most 1/2"):
        increment_distance(noise(grid), noise(grid), grid, separation)


@pytest.mark.parametrize("grid", GRIDS)
def test_gradients_are_those_of_the_sorted_values(grid: Grid) -> None:
    """Raising every value by `h` costs `h / deviation` once all lie above the truth's."""
    y = noise(grid)
    p = (y + 10).requires_grad_()
    distance = distribution_distance(p, y, grid)
    torch.testing.assert_close(distance.detach(), distribution_distance(p.detach(), y, grid))
    (slope,) = torch.autograd.grad(distance, p)
    torch.testing.assert_close(slope.sum(), 1 / deviation(y, grid))


def test_huge_values_do_not_overflow() -> None:
    grid = PeriodicBox((8, 8))
    assert np.isfinite(distribution_distance(noise(grid) + 1e30, noise(grid), grid).item())
