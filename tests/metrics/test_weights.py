"""Weights are made once for every grid, type and device, and can be used for everything."""

import numpy as np
import pytest
import torch

from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.metrics import mean_square, spatial_mean
from pdesurrogate.metrics.weights import quadrature_weights

GRIDS = [PeriodicBox((6, 10)), ClosedBox((5, 4)), GaussianSphere((8, 16))]


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: type(grid).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_they_are_those_of_the_grid(grid: Grid, dtype: torch.dtype) -> None:
    weights = quadrature_weights(grid, dtype, torch.device("cpu"))
    assert weights.dtype == dtype
    np.testing.assert_array_equal(weights, grid.quadrature_weights.astype(weights.numpy().dtype))
    assert quadrature_weights(grid, dtype, torch.device("cpu")) is weights


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: type(grid).__name__)
def test_means_are_weighted_sums(grid: Grid) -> None:
    u = torch.rand(2, 3, *grid.num_points, dtype=torch.float64)
    w = torch.tensor(grid.quadrature_weights)
    torch.testing.assert_close(spatial_mean(u, grid), (w * u).sum((-2, -1)))
    torch.testing.assert_close(mean_square(u, grid), (w * u * u).sum((-2, -1)))
    torch.testing.assert_close(spatial_mean(u[0, 0], grid), (w * u[0, 0]).sum())


def test_what_was_made_without_gradients_serves_those_who_want_them() -> None:
    grid = PeriodicBox((4, 22))  # of no other test
    with torch.inference_mode():
        spatial_mean(torch.zeros(grid.num_points), grid)
    u = torch.ones(grid.num_points, requires_grad=True)
    mean_square(u, grid).backward()
    torch.testing.assert_close(u.grad, torch.full(grid.num_points, 2 / 88))
