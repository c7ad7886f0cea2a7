"""Limited slopes."""

import pytest
import torch

from pdesurrogate.operators import monotonised_slopes


@pytest.mark.parametrize("axis", [-1, -2])
def test_slopes_by_hand(axis):
    line = torch.tensor([[0.0, 1.0, 2.0, 5.0, 5.0, 4.0, 6.0]], dtype=torch.float64)
    u = line if axis == -1 else line.mT
    slopes = monotonised_slopes(u, axis).flatten()
    # A line, a limited rise (2 d_- = 2 < 2 either way), a plateau, and two extrema.
    assert slopes.tolist() == [1.0, 2.0, 0.0, 0.0, 0.0]
    assert torch.equal(monotonised_slopes(-u, axis).flatten(), -slopes)


def test_reconstructed_values_lie_between_the_neighbours():
    u = torch.randn(3, 8, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    half = monotonised_slopes(u, -1) / 2
    low = torch.minimum(torch.minimum(u[..., :-2], u[..., 2:]), u[..., 1:-1])
    high = torch.maximum(torch.maximum(u[..., :-2], u[..., 2:]), u[..., 1:-1])
    for edge in (u[..., 1:-1] + half, u[..., 1:-1] - half):
        assert (edge >= low - 1e-15).all()
        assert (edge <= high + 1e-15).all()
