"""Beds: functions of place, averaged over cells."""

import math

import pytest
import torch

from pdesurrogate.grids import ClosedBox
from pdesurrogate.solvers import RandomHills
from pdesurrogate.transfer import restrict


def test_one_hill_by_hand():
    hill = RandomHills(count=1, height_range=(2.0, 2.0), width_range=(0.5, 0.5), seed=4)
    x = torch.linspace(0, 3, 301, dtype=torch.float64)
    y = torch.linspace(0, 2, 201, dtype=torch.float64)[:, None]
    values = hill.elevation(x[None, :], y, (2.0, 3.0))
    top = values.argmax()
    y_top, x_top = float(y[top // 301]), float(x[top % 301])
    assert float(values.max()) == pytest.approx(2.0, rel=1e-3)
    expected = 2 * torch.exp(-((x[None, :] - x_top) ** 2 + (y - y_top) ** 2) / 0.5)
    assert (values - expected).abs().max() < 0.03


def test_averages_converge_at_fourth_order():
    bed = RandomHills(count=4, width_range=(0.3, 0.6), seed=2)
    fine = ClosedBox((256, 384), (2.0, 3.0))
    exact = bed.cell_averages(fine)
    errors = []
    for n in (8, 16):
        grid = fine.at_resolution(n)
        errors.append(float((bed.cell_averages(grid) - restrict(exact, fine, grid)).abs().max()))
    assert math.log2(errors[0] / errors[1]) > 3.7
    assert errors[1] < 1e-4


def test_the_seed_chooses_the_hills():
    grid = ClosedBox((16, 16), (10.0, 10.0))
    first, again, other = (RandomHills(seed=s).cell_averages(grid) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.1
    hills, hollows = RandomHills(count=3), RandomHills(count=3, height_range=(-1.0, -0.2))
    assert hills.cell_averages(grid).min() >= 0
    assert hollows.cell_averages(grid).max() <= 0
    assert RandomHills(count=0).cell_averages(grid).abs().max() == 0
    assert hills.narrowest_width == 0.5


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"height_range": (1.0, 0.5)}, "height_range must be two finite, ordered numbers"),
        ({"width_range": (0.0, 0.5)}, "width_range must be positive"),
        ({"width_range": (0.5, math.inf)}, "width_range must be two finite"),
        ({"count": -1}, "count must not be negative, got -1"),
        ({"seed": -1}, "seed must not be negative, got -1"),
    ],
)
def test_impossible_hills_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        RandomHills(**change)
