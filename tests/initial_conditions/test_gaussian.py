"""Random states are functions: one seed, one function, whatever the grid."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.initial_conditions import GaussianRandomField, McWilliamsVorticity
from pdesurrogate.operators import velocity_from_vorticity
from pdesurrogate.transfer import resample

BOX = PeriodicBox((512, 512))
STATES = [McWilliamsVorticity(max_wavenumber=20), GaussianRandomField(max_wavenumber=20)]


def draw(state, box=BOX, seed=3):
    return state.sample(np.random.default_rng(seed), box)["vorticity"]


@pytest.mark.parametrize("state", STATES, ids=lambda s: type(s).__name__)
def test_the_same_seed_gives_the_same_function_on_32_and_512_points(state):
    coarse = draw(state, BOX.at_resolution(32))
    fine = draw(state)
    torch.testing.assert_close(resample(fine, (32, 32)), coarse, rtol=0, atol=1e-12)
    assert not torch.allclose(coarse, draw(state, BOX.at_resolution(32), seed=4))


@pytest.mark.parametrize("state", STATES, ids=lambda s: type(s).__name__)
def test_states_have_no_mean_and_nothing_above_their_highest_wavenumber(state):
    spectrum = torch.fft.rfft2(draw(state), norm="forward").abs()
    assert spectrum[0, 0] < 1e-15
    spectrum[:21, :21] = 0
    spectrum[-20:, :21] = 0
    assert spectrum.max() < 1e-14


def test_raising_the_highest_wavenumber_only_adds_small_scales():
    low = draw(GaussianRandomField(max_wavenumber=10))
    high = draw(GaussianRandomField(max_wavenumber=30))
    kept = torch.fft.rfft2(high - low, norm="forward").abs()
    assert kept[:11, :11].max() < 1e-14
    assert kept[-10:, :11].max() < 1e-14
    assert kept.max() > 1e-6


def test_a_field_of_another_name_is_the_same_function():
    named = GaussianRandomField(max_wavenumber=10, field="tracer")
    drawn = named.sample(np.random.default_rng(3), BOX)
    assert list(drawn) == ["tracer"]
    assert torch.equal(drawn["tracer"], draw(GaussianRandomField(max_wavenumber=10)))


def test_kinetic_energy_is_as_stated():
    state = McWilliamsVorticity(kinetic_energy=0.7)
    box = PeriodicBox((128, 64), (4.0, 2.0))
    u, v = velocity_from_vorticity(draw(state, box), box)
    assert 0.5 * (u**2 + v**2).mean() == pytest.approx(0.7, rel=1e-3)
    full = PeriodicBox((128, 128), (4.0, 2.0))
    u, v = velocity_from_vorticity(draw(state, full), full)
    assert 0.5 * (u**2 + v**2).mean() == pytest.approx(0.7, rel=1e-12)


def test_gaussian_field_has_the_stated_covariance():
    # E|û_k|² = σ² (4π²|k|² + τ²)^(-γ) on the unit square; 800 draws, five standard errors.
    state = GaussianRandomField(max_wavenumber=3)
    box = PeriodicBox((8, 8), (1.0, 1.0))
    rng = np.random.default_rng(0)
    drawn = torch.stack([state.sample(rng, box)["vorticity"] for _ in range(800)])
    power = torch.fft.fft2(drawn, norm="forward").abs().square()
    for ky, kx in ((1, 0), (0, 2), (-1, 1), (2, -3)):
        variance = 7**1.5 * (4 * math.pi**2 * (kx**2 + ky**2) + 49) ** -2.5
        values = power[:, ky, kx]
        error = values.std() / math.sqrt(800)
        assert abs(values.mean() - variance) < 5 * error
        assert values.mean() == pytest.approx(variance, rel=0.25)


def test_mcwilliams_spectrum_peaks_and_falls_as_published():
    # Mean over draws of the energy per mode times k is k (1 + (k/6)^4)^-1 up to a constant.
    state = McWilliamsVorticity(max_wavenumber=31, peak_wavenumber=6.0)
    box = PeriodicBox((64, 64))
    rng = np.random.default_rng(1)
    energy = torch.zeros(64, 64, dtype=torch.float64)
    for _ in range(300):
        vorticity = state.sample(rng, box)["vorticity"]
        energy += torch.fft.fft2(vorticity, norm="forward").abs().square() / 300
    modes = torch.tensor([[0, 2], [0, 6], [0, 12], [0, 24]])
    k = modes[:, 1].double()
    measured = (energy[:, :].T[modes[:, 1], 0] + energy[modes[:, 1], 0]) / 2 / k**2
    expected = 1 / (1 + (k / 6) ** 4)
    ratio = measured / expected
    assert (ratio / ratio.mean() - 1).abs().max() < 0.25


def test_a_state_without_waves_is_refused():
    with pytest.raises(ValueError, match="max_wavenumber must be at least 1, got 0"):
        McWilliamsVorticity(max_wavenumber=0)
