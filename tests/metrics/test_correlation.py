from __future__ import annotations

import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.metrics import correlation

GRID = PeriodicBox((2, 2))


def test_by_hand() -> None:
    truth = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    prediction = torch.tensor([[1.0, 3.0], [2.0, 4.0]])
    # departures (-1.5, -.5, .5, 1.5) and (-1.5, .5, -.5, 1.5): covariance 1, variances 1.25
    assert correlation(prediction, truth, GRID).item() == pytest.approx(0.8)


def test_equality_and_opposition_whatever_the_amplitude() -> None:
    truth = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(correlation(7 + 2 * truth, truth, GRID), torch.ones(5, 3))
    torch.testing.assert_close(correlation(7 - 2 * truth, truth, GRID), -torch.ones(5, 3))


def test_a_constant_correlates_with_nothing() -> None:
    truth = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert correlation(torch.ones(2, 2), truth, GRID) == 0
