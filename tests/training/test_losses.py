from __future__ import annotations

import pytest
import torch

from pdesurrogate.fields import Field
from pdesurrogate.grids import GaussianSphere, Grid, PeriodicBox
from pdesurrogate.metrics import mean_square
from pdesurrogate.training import LossSetting, MeanSquare
from pdesurrogate.training.losses.mean_square import area_scale

FIELDS = (Field("a", "1", "a"), Field("b", "1", "b"))
DEVIATION = torch.tensor([2.0, 3.0], dtype=torch.float64)[:, None, None]


def setting(grid: Grid) -> LossSetting:
    return LossSetting(FIELDS, grid, DEVIATION)


def test_the_mean_square_is_in_units_of_each_fields_change() -> None:
    prediction = torch.zeros(1, 1, 2, 1, 2, dtype=torch.float64)
    truth = torch.tensor([[[[[2.0, 2.0]], [[6.0, 12.0]]]]], dtype=torch.float64)
    # (1 + 1 + 4 + 16) / 4
    loss = MeanSquare().on(setting(PeriodicBox((4, 4))))(prediction, truth)
    assert loss.item() == pytest.approx(5.5)


def test_on_a_sphere_the_mean_square_is_a_mean_over_the_area() -> None:
    grid = GaussianSphere((16, 32))
    prediction, truth = torch.randn(2, 4, 1, 2, *grid.num_points, dtype=torch.float64)
    expected = mean_square((prediction - truth) / DEVIATION, grid).mean()
    torch.testing.assert_close(MeanSquare().on(setting(grid))(prediction, truth), expected)
    assert area_scale(DEVIATION, PeriodicBox((16, 32))) is DEVIATION
