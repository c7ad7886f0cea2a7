from __future__ import annotations

import numpy as np
import pytest
import torch

from pdesurrogate.grids import Channel, ClosedBox, Grid
from pdesurrogate.transfer import average_cells, prolong, repeat_cells, restrict

KINDS = [ClosedBox, Channel]


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
