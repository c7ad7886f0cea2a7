"""The published jet and random ones."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import BarotropicJet, RandomBarotropicJets

RADIUS, GRAVITY = 6.37122e6, 9.80616


def sample(state, grid):
    return state.sample(np.random.default_rng(0), grid)


def test_the_jet_is_that_of_galewsky():
    grid = GaussianSphere((512, 8))
    jet = sample(BarotropicJet(bump=0.0), grid)
    u, h = jet["velocity_x"][:, 0], jet["height"][:, 0]
    assert float(u.max()) == pytest.approx(80, rel=1e-3)
    assert grid.y[int(u.argmax())] == pytest.approx(45, abs=0.2)
    south, north = 180 / 7, 90 - 180 / 7
    outside = torch.tensor((grid.y < south) | (grid.y > north))
    assert u[outside].abs().max() == 0
    weights = torch.tensor(grid.quadrature_weights)
    assert float((jet["height"] * weights).sum()) == pytest.approx(10000, abs=1e-6)
    # Geostrophic and cyclostrophic balance, by differences.
    latitude = torch.tensor(grid.y).deg2rad()
    slope = (h[2:] - h[:-2]) / (latitude[2:] - latitude[:-2])
    at, wind = latitude[1:-1], u[1:-1]
    turn = 2 * 7.292e-5 * at.sin() * RADIUS + at.tan() * wind
    torch.testing.assert_close(slope, -wind * turn / GRAVITY, rtol=0, atol=8.0)
    assert float(slope.abs().max()) > 1000


def test_the_bump_divides_by_beta_squared():
    grid = GaussianSphere((512, 64))
    bump = sample(BarotropicJet(), grid)["height"] - sample(BarotropicJet(bump=0.0), grid)["height"]
    latitude = torch.tensor(grid.y).deg2rad()
    crest = bump[:, 32]  # at 180°
    shape = crest / (120 * latitude.cos())
    expected = torch.exp(-(((math.pi / 4 - latitude) / (1 / 15)) ** 2))
    torch.testing.assert_close(shape, expected, rtol=0, atol=1e-9)
    along = bump[384] / bump[384, 32]
    longitude = torch.tensor(grid.x).deg2rad() - math.pi
    torch.testing.assert_close(along, torch.exp(-((longitude * 3) ** 2)), rtol=0, atol=1e-9)


def test_a_jet_of_the_south_is_the_mirror_image_of_one_of_the_north():
    grid = GaussianSphere((64, 128))
    north, south = (
        sample(BarotropicJet(latitude=s * 40.0, width=30.0, bump_latitude=s * 37.0), grid)
        for s in (1, -1)
    )
    for name, field in north.items():
        torch.testing.assert_close(south[name].flip(0), field, rtol=1e-12, atol=1e-9)


def test_a_bump_goes_the_shorter_way_around():
    grid = GaussianSphere((64, 128))
    middle = sample(BarotropicJet(), grid)["height"]
    edge = sample(BarotropicJet(bump_longitude=360 - 2 * 360 / 128), grid)["height"]
    torch.testing.assert_close(edge.roll(-62, -1), middle, rtol=1e-13, atol=0)


def test_random_jets_stay_in_their_ranges_and_in_balance_on_both_sides_of_the_equator():
    rng = np.random.default_rng(1)
    grid, jets = GaussianSphere((64, 128)), RandomBarotropicJets()
    weights = torch.tensor(grid.quadrature_weights)
    latitudes, places = [], []
    for _ in range(40):
        fields = jets.sample(rng, grid)
        speed, at = fields["velocity_x"][:, 0].max(dim=0)
        assert 71 < float(speed) < 95
        latitudes.append(grid.y[int(at)])
        zonal = fields["height"].mean(-1, keepdim=True)
        places.append(grid.x[int((fields["height"] - zonal).amax(0).argmax())])
        # The bump adds at most 4 m to the mean.
        assert 10000 < float((fields["height"] * weights).sum()) < 10004
    assert 10 < sum(latitude < 0 for latitude in latitudes) < 30
    assert all(38 < abs(latitude) < 52 for latitude in latitudes)
    assert min(places) < 60
    assert max(places) > 300


def test_one_seed_gives_one_jet_on_every_grid():
    coarse, fine = (
        sample(RandomBarotropicJets(), GaussianSphere(points))["height"]
        for points in ((64, 128), (64, 256))
    )
    torch.testing.assert_close(coarse, fine[:, ::2], rtol=1e-14, atol=0)


def test_impossible_jets_are_refused():
    with pytest.raises(ValueError, match="width must be positive"):
        BarotropicJet(width=0.0)
    with pytest.raises(ValueError, match="at latitude 80 of width 20 degrees reaches a pole"):
        RandomBarotropicJets(latitude_range=(40.0, 80.0), width_range=(20.0, 30.0))
    with pytest.raises(ValueError, match="speed_range must be two finite, ordered numbers"):
        RandomBarotropicJets(speed_range=(90.0, 70.0))
