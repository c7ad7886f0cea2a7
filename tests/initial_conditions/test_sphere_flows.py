"""The flows of the literature against their formulas and published numbers."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import BarotropicJet, RossbyHaurwitzWave, SolidBodyRotation
from pdesurrogate.operators import spherical_harmonics

GRID = GaussianSphere((64, 128))
RADIUS, GRAVITY = 6.37122e6, 9.80616


def sample(state, grid=GRID):
    return state.sample(np.random.default_rng(0), grid)


def curl_and_divergence(fields):
    sht = spherical_harmonics(GRID, 63, torch.float64)
    spectra = sht.vorticity_and_divergence(fields["velocity_x"], fields["velocity_y"])
    return [sht.synthesise(c) / RADIUS for c in spectra]


@pytest.mark.parametrize("wavenumber", [1, 4])
def test_the_rossby_haurwitz_wave_has_its_stream_function(wavenumber):
    vorticity, divergence = curl_and_divergence(sample(RossbyHaurwitzWave(wavenumber=wavenumber)))
    latitude = torch.tensor(GRID.y).deg2rad()[:, None]
    longitude = torch.tensor(GRID.x).deg2rad()[None, :]
    sine, cosine, r = latitude.sin(), latitude.cos(), wavenumber
    crest = cosine**r * (r * longitude).cos()
    expected = 7.848e-6 * sine * (2 - (r**2 + 3 * r + 2) * crest)
    torch.testing.assert_close(vorticity, expected, rtol=0, atol=1e-17)
    assert divergence.abs().max() < 1e-17


def test_the_rossby_haurwitz_depth_is_the_published_one():
    # Williamson et al. give 8000 m at the poles; figure 7: some 8 to 10.5 km elsewhere.
    height = sample(RossbyHaurwitzWave())["height"]
    assert float(height[0].mean()) == pytest.approx(8000, abs=5)
    assert 10400 < float(height.max()) < 10700


def test_solid_body_rotation_turns_at_its_speed_about_its_axis():
    flat = sample(SolidBodyRotation(speed=20.0))
    vorticity, divergence = curl_and_divergence(flat)
    sine = torch.tensor(GRID.sine_of_latitude)[:, None]
    torch.testing.assert_close(vorticity, (40 / RADIUS * sine).expand(64, 128), rtol=0, atol=1e-18)
    assert divergence.abs().max() < 1e-18
    # About an axis on the equator, the meridian of 0° lies at the flow's own poles' distance.
    tilted = sample(SolidBodyRotation(speed=20.0, tilt=90.0))
    speed = (tilted["velocity_x"] ** 2 + tilted["velocity_y"] ** 2).sqrt()
    assert float(speed.max()) == pytest.approx(20, rel=1e-3)
    mean = (tilted["surface"] * torch.tensor(GRID.quadrature_weights)).sum()
    assert float(mean) == pytest.approx(
        float((flat["surface"] * torch.tensor(GRID.quadrature_weights)).sum())
    )


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


def test_a_wave_needs_a_crest():
    with pytest.raises(ValueError, match="wavenumber must be at least 1"):
        RossbyHaurwitzWave(wavenumber=0)
