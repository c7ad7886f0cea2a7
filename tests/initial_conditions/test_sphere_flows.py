"""The flows of the literature against their formulas and published numbers."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import CosineBell, RossbyHaurwitzWave, SolidBodyRotation
from pdesurrogate.operators import spherical_harmonics

GRID = GaussianSphere((64, 128))
RADIUS = 6.37122e6


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


def test_a_wave_needs_a_crest():
    with pytest.raises(ValueError, match="wavenumber must be at least 1"):
        RossbyHaurwitzWave(wavenumber=0)


@pytest.mark.parametrize("latitude", [0.0, 60.0, 90.0])
def test_the_bell_is_round_wherever_it_stands(latitude):
    bell = sample(CosineBell(latitude=latitude))["height"]
    # Integrating the formula over the angle gives (1 - cos R + (1 + cos R) / (1 - pi² / R²)) h / 4.
    r = 1 / 3
    mean = (1 - math.cos(r) + (1 + math.cos(r)) / (1 - (math.pi / r) ** 2)) / 4 * 1000
    found = float((bell * torch.tensor(GRID.quadrature_weights)).sum())
    assert found == pytest.approx(mean, rel=1e-3)
    assert float(bell.min()) == 0
    assert 960 < float(bell.max()) <= 1000  # the summit lies between points


def test_a_bell_has_a_size():
    with pytest.raises(ValueError, match="above 0 and at most 180, got 0"):
        CosineBell(angular_radius=0.0)
