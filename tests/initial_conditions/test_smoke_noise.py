"""PDEArena's smoke: the same function on every grid, with the stated spectrum and deviation."""

import numpy as np
import pytest
import torch

from pdesurrogate.grids import ClosedBox
from pdesurrogate.initial_conditions import SmokeNoise

BOX = (32.0, 32.0)


def draw(state, shape, seed=0, extent=BOX):
    return state.sample(np.random.default_rng(seed), ClosedBox(shape, extent))


def test_the_same_function_on_every_grid():
    # 60 and 20 share cell centres: every third, from the second on.
    fine = draw(SmokeNoise(), (60, 60))["smoke"]
    coarse = draw(SmokeNoise(), (20, 20))["smoke"]
    torch.testing.assert_close(fine[1::3, 1::3], coarse, rtol=0, atol=1e-12)
    stretched = draw(SmokeNoise(), (60, 20))["smoke"]
    torch.testing.assert_close(fine[:, 1::3], stretched, rtol=0, atol=1e-12)


def test_smoke_is_positive_of_unit_mean_square_and_at_rest():
    for seed in range(3):
        fields = draw(SmokeNoise(), (64, 64), seed)
        assert fields["smoke"].min() >= 0
        # |s|² has the mean of s², the variance, whatever the sign.
        assert fields["smoke"].square().mean() == pytest.approx(1.0, rel=1e-12)
        assert fields["velocity_x"].abs().max() == fields["velocity_y"].abs().max() == 0


def test_the_draw_is_by_seed():
    first, again = (draw(SmokeNoise(), (16, 16), 7)["smoke"] for _ in range(2))
    other = draw(SmokeNoise(), (16, 16), 8)["smoke"]
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.1


def test_raising_the_highest_wavenumber_only_adds_what_is_negligible():
    low = draw(SmokeNoise(max_wavenumber=16), (64, 64))["smoke"]
    high = draw(SmokeNoise(max_wavenumber=24), (64, 64))["smoke"]
    torch.testing.assert_close(low, high, rtol=0, atol=1e-12)
    rough = SmokeNoise(smoothness=1.0, max_wavenumber=24)
    assert (draw(rough, (64, 64))["smoke"] - low).abs().max() > 0.1


def test_the_spectrum_by_hand_with_two_kinds_of_waves():
    # A box in which only the modes (0, ±1) and (0, ±2) count: amplitudes 1 : 4^-p.
    state = SmokeNoise(scale=1.0, smoothness=2.0, max_wavenumber=2)
    box = ClosedBox((16, 16), (1e-3, 2.0))
    rng = np.random.default_rng(5)
    ratios = []
    for _ in range(400):
        smoke = state.sample(rng, box)["smoke"][0]
        # s² = 1 + ...: its wave 3 is the product of waves 1 and 2, its wave 4 that of wave 2.
        spectrum = torch.fft.rfft(smoke.square(), norm="forward").abs()
        ratios.append(float(spectrum[4] / spectrum[2]))
    # |wave 4| / |wave 2| ~ |a_2|² / |a_1|² = 16^-2 times a ratio of exponential variables.
    assert np.median(ratios) == pytest.approx(16.0**-2, rel=0.25)


def test_wrong_parameters_are_refused():
    with pytest.raises(ValueError, match="scale must be positive and finite, got -1"):
        SmokeNoise(scale=-1.0)
    with pytest.raises(ValueError, match="max_wavenumber must be positive and finite, got 0"):
        SmokeNoise(max_wavenumber=0)
    with pytest.raises(ValueError, match="no wave up to max_wavenumber 1 is drawn"):
        draw(SmokeNoise(scale=0.1, max_wavenumber=1), (8, 8))
