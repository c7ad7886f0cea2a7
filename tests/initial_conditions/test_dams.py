"""Dams: exact cell averages, what is drawn, and refusals."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import ClosedBox, OpenBox, PeriodicBox
from pdesurrogate.initial_conditions import RadialDam, RandomDams
from pdesurrogate.initial_conditions.shapes import disc_fraction, rectangle_fraction
from pdesurrogate.transfer import restrict

BOX = OpenBox((64, 64), (5.0, 5.0))


def test_a_disc_covers_its_area():
    grid = ClosedBox((20, 33), (2.0, 3.0))
    inside = disc_fraction(grid, (0.9, 1.3), 0.7)
    area = float(inside.sum()) * grid.spacing[0] * grid.spacing[1]
    assert area == pytest.approx(math.pi * 0.49, rel=1e-13)
    assert inside.min() == 0
    assert inside.max() == 1
    y, x = np.meshgrid(
        *((np.arange(n * 40) + 0.5) / (n * 40) * length for n, length in ((20, 2.0), (33, 3.0))),
        indexing="ij",
    )
    counted = (np.hypot(y - 0.9, x - 1.3) < 0.7).reshape(20, 40, 33, 40).mean(axis=(1, 3))
    assert np.abs(inside.numpy() - counted).max() < 0.01


def test_a_disc_may_reach_beyond_the_edge():
    grid = ClosedBox((8, 8), (1.0, 1.0))
    quarter = disc_fraction(grid, (0.0, 1.0), 0.5)
    assert float(quarter.mean()) == pytest.approx(math.pi / 16, rel=1e-13)


def test_a_rectangle_covers_its_area():
    grid = ClosedBox((7, 9), (2.0, 3.0))
    inside = rectangle_fraction(grid, (0.31, -1.0), (1.17, 0.77))
    assert float(inside.mean()) * 6 == pytest.approx((1.17 - 0.31) * 0.77, rel=1e-13)
    assert inside.min() == 0
    assert float(inside.max()) == pytest.approx(1)


def test_cells_of_a_periodic_box_lie_around_the_nodes():
    inside = disc_fraction(PeriodicBox((8, 8), (8.0, 8.0)), (4.0, 4.0), 0.5)
    assert float(inside[4, 4]) == pytest.approx(math.pi / 4)
    assert float(inside.sum()) == pytest.approx(math.pi / 4)


@pytest.mark.parametrize("state", [RadialDam(), RandomDams()], ids=lambda s: type(s).__name__)
def test_every_rung_sees_the_same_function(state):
    fine, coarse = (state.sample(np.random.default_rng(3), BOX.at_resolution(n)) for n in (64, 16))
    for name, values in coarse.items():
        seen = restrict(fine[name], BOX, BOX.at_resolution(16))
        # Where dams cross in one cell, the product of fractions is not the fraction of the overlap.
        close = (seen - values).abs() < 1e-12
        assert close.double().mean() > 0.97
    other = state.sample(np.random.default_rng(4), BOX)
    assert any((other[name] - fine[name]).abs().max() > 0.01 for name in fine)


def test_a_radial_dam_is_pdebenchs():
    radii = []
    for seed in range(50):
        fields = RadialDam().sample(np.random.default_rng(seed), BOX)
        assert float(fields["height"].min()) == 1
        assert float(fields["height"].max()) == pytest.approx(2)
        assert fields["velocity_x"].abs().max() == fields["velocity_y"].abs().max() == 0
        radii.append(math.sqrt(float((fields["height"] - 1).mean()) * 25 / math.pi))
        torch.testing.assert_close(fields["height"], fields["height"].mT, rtol=0, atol=1e-12)
    assert 0.3 <= min(radii) < 0.33
    assert 0.67 < max(radii) <= 0.7 + 1e-9


def test_random_dams_stand_in_their_surroundings():
    for seed in range(20):
        surface = RandomDams().sample(
            np.random.default_rng(seed), ClosedBox((40, 40), (10.0,) * 2)
        )["surface"]
        assert -0.3 <= float(surface.min()) <= 0.7
        assert 1 <= float(surface.max()) <= 2 + 1e-9


@pytest.mark.parametrize(
    ("kind", "change", "complaint"),
    [
        (RadialDam, {"radius_range": (0.5, 0.3)}, "radius_range must be two finite, ordered"),
        (RadialDam, {"radius_range": (0.0, 0.3)}, "radius_range must be positive"),
        (RadialDam, {"inner_height": -1.0}, "inner_height must be finite and not negative"),
        (RadialDam, {"centre": (0.5, 1.5)}, "centre must be two fractions of the domain"),
        (RandomDams, {"max_count": 0}, "max_count must be at least 1, got 0"),
        (RandomDams, {"size_range": (0.0, 1.0)}, "size_range must be positive"),
        (RandomDams, {"level_range": (2.0, 1.0)}, "level_range must be two finite, ordered"),
    ],
)
def test_impossible_dams_are_refused(kind, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        kind(**change)
