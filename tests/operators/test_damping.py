from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.operators import damp, places


def test_a_wave_on_a_periodic_box_decays_at_its_rate() -> None:
    grid = PeriodicBox((16, 24), (2.0, 3.0))
    y, x = places(grid, torch.float64)
    wave = torch.cos(2 * math.pi * (3 * y / 2.0 - 2 * x / 3.0))
    k2 = (2 * math.pi * 3 / 2.0) ** 2 + (2 * math.pi * 2 / 3.0) ** 2
    after = damp(wave, grid, lambda squared: 0.01 * squared + 0.2, 0.7)
    torch.testing.assert_close(after, wave * math.exp(-0.7 * (0.01 * k2 + 0.2)))


def test_between_walls_cosines_decay_and_the_mean_stays() -> None:
    grid = ClosedBox((12, 8), (3.0, 2.0))
    y, x = places(grid, torch.float64)
    mode = torch.cos(math.pi * 2 * y / 3.0) * torch.cos(math.pi * 3 * x / 2.0)
    k2 = (math.pi * 2 / 3.0) ** 2 + (math.pi * 3 / 2.0) ** 2
    after = damp(5 + mode, grid, lambda squared: 0.1 * squared, 0.5)
    torch.testing.assert_close(after, 5 + mode * math.exp(-0.05 * k2))


def test_on_a_sphere_degrees_decay() -> None:
    """The harmonic of degree 2 that is a product of two coordinates."""
    grid = GaussianSphere((16, 32))
    x, y, _ = places(grid, torch.float64)
    after = damp(1 + x * y, grid, lambda squared: 0.1 * squared, 0.5)
    torch.testing.assert_close(after, 1 + x * y * math.exp(-0.05 * 2 * 3))


def test_rates_may_differ_from_trajectory_to_trajectory() -> None:
    grid = PeriodicBox((8, 8))
    u = torch.cos(places(grid, torch.float64)[1]).expand(2, 8, 8)
    rates = torch.tensor([0.5, 2.0], dtype=torch.float64)[:, None, None]
    after = damp(u, grid, lambda squared: rates * squared, 1.0)
    torch.testing.assert_close(after, u * torch.exp(-rates))


class _Strange(Grid):
    """A grid that nobody knows the modes of."""

    padding = ("replicate", "replicate")
    sampling = "somewhere"

    def _points(self, axis: int) -> np.ndarray:
        return np.arange(self.num_points[axis])


def test_unknown_grids_are_refused() -> None:
    with pytest.raises(TypeError, match="no modes are known for a _Strange"):
        damp(torch.zeros(2, 2), _Strange((2, 2)), lambda squared: squared, 1.0)
