from __future__ import annotations

import numpy as np
import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.metrics import mean_square, spatial_mean


class TwoRows(PeriodicBox):
    """A grid whose second row weighs three times the first."""

    @property
    def quadrature_weights(self) -> np.ndarray:
        return np.array([[1.0, 1.0], [3.0, 3.0]]) / 8


def test_by_hand_with_weights() -> None:
    u = torch.tensor([[0.0, 4.0], [1.0, 3.0]])
    assert spatial_mean(u, PeriodicBox((2, 2))).item() == pytest.approx(2.0)
    assert spatial_mean(u, TwoRows((2, 2))).item() == pytest.approx((4 + 3 * 4) / 8)
    assert mean_square(u, PeriodicBox((2, 2))).item() == pytest.approx(26 / 4)
    assert mean_square(u, TwoRows((2, 2))).item() == pytest.approx((16 + 3 * 10) / 8)


def test_leading_axes_stay() -> None:
    u = torch.arange(24.0).reshape(3, 2, 2, 2)
    torch.testing.assert_close(spatial_mean(u, PeriodicBox((2, 2))), u.mean(dim=(-2, -1)))
