"""PDEArena's initial winds: what they were meant to be and what they are."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.initial_conditions import RandomZonalFlow, ShuffledZonalFlow
from pdesurrogate.operators import spherical_harmonics

GRID = GaussianSphere((96, 192))
RADIUS = 6.371e6


def vorticity(state, seed=0, grid=GRID, truncation=62):
    fields = state.sample(np.random.default_rng(seed), grid)
    sht = spherical_harmonics(grid, truncation, torch.float64)
    curl, divergence = sht.vorticity_and_divergence(fields["velocity_x"], fields["velocity_y"])
    assert float(divergence.abs().max()) < 1e-10 * float(curl.abs().max())
    return curl / RADIUS


def profile(sine, c1, c2, c3):
    cosine = np.sqrt(1 - sine**2)
    return c1 * cosine - c2 * cosine**2 + c3 * sine * cosine


def basis(sine):
    return np.stack([profile(sine, *row) for row in np.eye(3)], axis=-1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_shuffled_profile_runs_along_the_longitudes_twice(seed):
    wind = ShuffledZonalFlow()._wind(np.random.default_rng(seed)).numpy()
    north_to_south = np.tile(GRID.sine_of_latitude[::-1], 2)
    # The mean over the latitudes leaves half of c1 and little of the noise.
    fitted, *_ = np.linalg.lstsq(basis(north_to_south), wind.mean(axis=0), rcond=None)
    c1, c2, c3 = fitted * [2, 1, 1]
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(-20, 31), rng.integers(-20, 41), rng.integers(-20, 41)]
    np.testing.assert_allclose([c1, c2, c3], drawn, atol=1.5)
    rest = wind - profile(north_to_south, fitted[0], c2, c3)
    assert np.abs(rest).max() < 0.5 * abs(c1) + 1.5


def test_the_random_profile_is_that_of_the_latitude():
    fields = RandomZonalFlow().sample(np.random.default_rng(5), GRID)
    zonal = fields["velocity_x"].mean(dim=1).numpy()
    inner = np.abs(GRID.y) < 70  # Beyond, the cosine's kink at the pole is truncated.
    fitted, *_ = np.linalg.lstsq(basis(GRID.sine_of_latitude[inner]), zonal[inner], rcond=None)
    np.testing.assert_allclose(basis(GRID.sine_of_latitude[inner]) @ fitted, zonal[inner], atol=0.6)
    rng = np.random.default_rng(5)
    c1, c2, c3 = rng.integers(-20, 31), rng.integers(-20, 41), rng.integers(-20, 41)
    # Noise at degree 14 and order 0 turns with the latitude as the profile does not.
    np.testing.assert_allclose(fitted, [c1 * rng.random(), c2, c3], atol=1.5)


def test_the_vorticity_below_the_shuffled_waves_is_that_of_its_formula(monkeypatch):
    # -cos(phi) du/dphi of u = sin(phi), which is not the curl of that wind.
    sine = torch.tensor(GRID.sine_of_latitude)[:, None].expand(GRID.num_points)
    monkeypatch.setattr(ShuffledZonalFlow, "_wind", lambda self, rng: sine)
    sht = spherical_harmonics(GRID, 62, torch.float64)
    found = ShuffledZonalFlow()._basic_vorticity(np.random.default_rng(0), sht)
    torch.testing.assert_close(sht.synthesise(found), -(1 - sine**2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [RandomZonalFlow, ShuffledZonalFlow])
def test_waves_and_noise_lie_on_it(kind):
    drawn = torch.stack([vorticity(kind(), seed) for seed in range(40)])
    noise = drawn[:, 14, 7]
    # Order 7 is odd: neither profile, which runs twice around, nor the six waves have it, but for
    # the noise of the shuffled wind at every point, which is smaller.
    size = float(noise.abs().pow(2).mean().sqrt())
    assert size == pytest.approx(5e-6, rel=0.35)
    latitude, longitude = torch.tensor(GRID.y)[:, None], torch.tensor(GRID.x)[None].deg2rad()
    bump = torch.exp(-(((latitude - 45) / 10) ** 2)) * latitude.deg2rad().cos()
    waves = 5e-5 * (6 * longitude).cos() * bump
    expected = spherical_harmonics(GRID, 62, torch.float64).analyse(waves)[20:40, 6]
    found = drawn[:, 20:40, 6].mean(dim=0)
    assert float((found - expected).abs().max()) < 0.25 * float(expected.abs().max())


@pytest.mark.parametrize("kind", [RandomZonalFlow, ShuffledZonalFlow])
def test_every_grid_sees_the_same_function(kind):
    coarse = vorticity(kind(), grid=GaussianSphere((48, 96)), truncation=47)
    torch.testing.assert_close(coarse[:47, :47], vorticity(kind())[:47, :47], rtol=0, atol=1e-15)
    level = kind(mean_depth=9000.0).sample(np.random.default_rng(0), GRID)["surface"]
    assert torch.equal(level, torch.full((96, 192), 9000.0, dtype=torch.float64))


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="mean_depth must be positive"):
        RandomZonalFlow(mean_depth=math.inf)
    with pytest.raises(ValueError, match="needs a GaussianSphere"):
        ShuffledZonalFlow().sample(np.random.default_rng(0), PeriodicBox((8, 8)))
