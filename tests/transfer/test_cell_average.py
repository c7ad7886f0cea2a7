from __future__ import annotations

import numpy as np
import pytest
import torch

from pdesurrogate.grids import Channel, ClosedBox, Grid, OpenBox
from pdesurrogate.transfer import (
    average_cells,
    prolong,
    reconstruct_cells,
    repeat_cells,
    restrict,
)

KINDS = [ClosedBox, Channel, OpenBox]


@pytest.mark.parametrize("kind", KINDS)
def test_the_ladder_is_an_orthogonal_projection(kind: type[Grid]) -> None:
    fine, coarse = kind((12, 24), (1.0, 2.0)), kind((4, 8), (1.0, 2.0))
    u = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 12, 24)))
    v = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 4, 8)))
    low = restrict(u, fine, coarse)
    assert torch.allclose(restrict(prolong(v, coarse, fine), fine, coarse), v, atol=1e-15)
    rest = u - prolong(low, coarse, fine)
    assert (rest * prolong(v, coarse, fine)).sum().abs() < 1e-12
    total, held = u.square().mean(), low.square().mean() + rest.square().mean()
    assert float(total) == pytest.approx(float(held), rel=1e-14)


def test_averages_conserve_the_integral_and_nest() -> None:
    u = torch.rand(2, 16, 8, dtype=torch.float64)
    low = average_cells(u, (8, 4))
    assert torch.allclose(low.mean(dim=(-2, -1)), u.mean(dim=(-2, -1)), atol=1e-15)
    assert torch.allclose(average_cells(low, (2, 2)), average_cells(u, (2, 2)), atol=1e-15)
    assert float(low.min()) >= float(u.min())
    assert float(low.max()) <= float(u.max())
    assert float(low[0, 0, 0]) == pytest.approx(float(u[0, :2, :2].mean()), rel=1e-14)


def test_cells_that_do_not_fill_one_another_are_refused() -> None:
    with pytest.raises(ValueError, match="12 x 12 cells do not fill 8 x 8 cells evenly"):
        average_cells(torch.zeros(12, 12), (8, 8))
    with pytest.raises(ValueError, match="12 x 12 cells do not fill 8 x 8 cells evenly"):
        repeat_cells(torch.zeros(8, 8), (12, 12))
    with pytest.raises(ValueError, match="12 x 12 cells do not fill 8 x 8 cells evenly"):
        reconstruct_cells(torch.zeros(8, 8), (12, 12))


def cell_means(n: int) -> torch.Tensor:
    """Averages of sin(2 pi x) sin(2 pi y) over the cells of the unit square."""
    edges = torch.linspace(0, 1, n + 1, dtype=torch.float64)
    line = -(torch.cos(2 * torch.pi * edges).diff()) * n / (2 * torch.pi)
    return line[:, None] * line


def test_reconstruction_keeps_the_averages_and_the_bounds() -> None:
    u = torch.rand(3, 8, 12, dtype=torch.float64)
    fine = reconstruct_cells(u, (24, 48))
    assert torch.allclose(average_cells(fine, (8, 12)), u, atol=1e-15)
    column = reconstruct_cells(u[:, :, :1].expand(3, 8, 12), (32, 12))
    assert float(column.max()) <= float(u[:, :, 0].max()) + 1e-15
    assert float(column.min()) >= float(u[:, :, 0].min()) - 1e-15


def test_reconstruction_is_second_order_away_from_extrema() -> None:
    errors = []
    for n in (32, 64, 128):
        near_the_slope = (slice(n // 8, n // 5), slice(n // 8, n // 5))
        fine = reconstruct_cells(cell_means(n), (4 * n, 4 * n))
        difference = (fine - cell_means(4 * n)).reshape(n, 4, n, 4).abs().amax(dim=(1, 3))
        errors.append(float(difference[near_the_slope].max()))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)
