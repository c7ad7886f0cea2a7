"""Mountains on a sphere."""

import math

import pytest
import torch

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.solvers import ConicalMountain, GaussianMountain


def test_a_cone_is_a_cone():
    cone = ConicalMountain()
    latitude, longitude = (torch.tensor(q).double().deg2rad() for q in ([30.0], [270.0]))
    assert float(cone.height(latitude, longitude)) == pytest.approx(2000)
    assert float(cone.height(latitude + math.radians(10), longitude)) == pytest.approx(1000)
    assert float(cone.height(latitude, longitude - math.radians(20))) < 1e-9
    east = ConicalMountain(longitude=355.0)
    assert float(east.height(latitude, 0 * longitude)) == pytest.approx(1500)


@pytest.mark.parametrize("latitude", [0.0, 47.0, 90.0, -90.0])
def test_a_smooth_mountain_is_round_wherever_it_stands(latitude):
    mountain = GaussianMountain(
        peak=1000.0, latitude=latitude, longitude=350.0, angular_radius=10.0
    )
    grid = GaussianSphere((64, 128))
    found = mountain.on(grid)
    weights = torch.tensor(grid.quadrature_weights)
    # The mean of exp((cos - 1) / c) over the sphere is c (1 - exp(-2 / c)) / 2.
    c = 1 - math.cos(math.radians(10.0))
    expected = 1000.0 * c * (1 - math.exp(-2 / c)) / 2
    assert float((found * weights).sum()) == pytest.approx(expected, rel=1e-12)
    to_angle = torch.tensor([math.radians(latitude)]).double()
    at = torch.tensor([math.radians(350.0)]).double()
    assert float(mountain.height(to_angle, at)) == pytest.approx(1000.0)
    ten_off = to_angle - math.copysign(math.radians(10.0), latitude)
    assert float(mountain.height(ten_off, at)) == pytest.approx(1000.0 / math.e)


def test_a_cone_ripples_where_it_is_truncated_and_a_smooth_mountain_does_not():
    grid = GaussianSphere((64, 128))
    sht = spherical_harmonics(grid, 42, torch.float64)
    undershoot = {}
    for mountain in (ConicalMountain(), GaussianMountain()):
        ground = mountain.on(grid)
        undershoot[type(mountain)] = -float(sht.synthesise(sht.analyse(ground)).min())
    assert 10 < undershoot[ConicalMountain] < 40
    assert undershoot[GaussianMountain] < 0.1


@pytest.mark.parametrize("kind", [ConicalMountain, GaussianMountain])
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"peak": math.inf}, "peak must be finite"),
        ({"latitude": 91.0}, "latitude must be from -90 to 90 degrees, got 91.0"),
        ({"longitude": 360.0}, "longitude must be from 0 to below 360 degrees"),
        ({"angular_radius": 0.0}, "angular_radius must be finite and positive, got 0.0"),
    ],
)
def test_impossible_mountains_are_refused(kind, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        kind(**arguments)


def test_a_smooth_mountain_covers_less_than_half_the_sphere():
    with pytest.raises(ValueError, match="must be below 90 degrees"):
        GaussianMountain(angular_radius=90.0)
