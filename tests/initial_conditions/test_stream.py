"""The disturbed stream: strength, boundary values, and independence of the grid."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import Channel
from pdesurrogate.initial_conditions import DisturbedStream


def channel(n: int) -> Channel:
    return Channel((n, 2 * n), (3.0, 6.0))


def draw(n: int, seed: int = 0, **options):
    return DisturbedStream(**options).sample(np.random.default_rng(seed), channel(n))


def test_the_disturbance_has_the_stated_strength_and_no_mean():
    drawn = draw(64, mean_speed=1.5, disturbance=0.2)
    along, across = drawn["velocity_x"] - 1.5, drawn["velocity_y"]
    # The midpoint rule is exact for these products of sines and cosines.
    assert float((along**2 + across**2).mean()) == pytest.approx(0.04, rel=1e-12)
    assert abs(along.mean()) < 1e-14
    assert (draw(16, disturbance=0.0)["velocity_x"] == 1).all()


def test_it_is_the_same_function_on_every_grid():
    # Cells of an odd ratio share their centres.
    coarse, fine = draw(32), draw(96)
    for name in ("velocity_x", "velocity_y"):
        assert (fine[name][1::3, 1::3] - coarse[name]).abs().max() < 1e-12


def test_a_grid_that_is_too_coarse_sees_the_large_scales_only():
    small = draw(8, max_wavenumber=64)
    assert small["velocity_x"].shape == (8, 16)
    assert (small["velocity_x"] - 1).abs().max() < 1


def test_a_higher_limit_adds_small_scales_only():
    # The first coefficients keep their proportions; the whole is scaled to the same strength.
    low, high = draw(32, max_wavenumber=4), draw(32, max_wavenumber=8)
    y, x = (torch.as_tensor(axis) for axis in (channel(32).y, channel(32).x))
    for m, n in ((1, 1), (2, 3), (4, 4)):
        mode = torch.sin(math.pi * m * y / 3)[:, None] * torch.cos(math.pi * n * x / 6)[None, :]
        first = (low["velocity_y"] * mode).mean() / (high["velocity_y"] * mode).mean()
        if (m, n) == (1, 1):
            ratio = first
        assert float(first) == pytest.approx(float(ratio), rel=1e-9)


def test_it_is_free_of_divergence_and_crosses_no_edge():
    n = 96
    drawn, h = draw(n, max_wavenumber=4), 3.0 / n
    u, v = drawn["velocity_x"], drawn["velocity_y"]
    divergence = (u[1:-1, 2:] - u[1:-1, :-2] + v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * h)
    assert divergence.abs().max() < 0.01 * (v[1:-1, 2:] - v[1:-1, :-2]).abs().max() / (2 * h)
    # Half a cell from an edge the normal part is that of a function that vanishes on it.
    assert (v[0] - v[1] / 3).abs().max() < 1e-3
    assert (u[:, 0] - 1 - (u[:, 1] - 1) / 3).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean_speed": math.inf}, "mean_speed must be finite"),
        ({"disturbance": -0.1}, "disturbance must be finite and not negative"),
        ({"max_wavenumber": 0}, "max_wavenumber must be at least 1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DisturbedStream(**options)
