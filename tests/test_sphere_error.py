"""The measure of error of `benchmarks.shallow_water`."""

import math

import pytest
import torch

from benchmarks.sphere_error import relative_errors
from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators.spherical_harmonics import spherical_harmonics

DEGREES = (3, 5, 12)


def flow(latitudes, amplitudes):
    """A sphere whose stream function and height hold one harmonic for each amplitude."""
    grid = GaussianSphere((latitudes, 2 * latitudes))
    sht = spherical_harmonics(grid, latitudes - 1, torch.float64)
    coefficients = torch.zeros(latitudes, latitudes, dtype=torch.complex128)
    for degree, amplitude in zip(DEGREES, amplitudes, strict=True):
        if degree < latitudes:
            coefficients[degree, degree // 2] = amplitude
    coefficients[2, 0] = 1.0
    east, north = sht.velocity(coefficients, torch.zeros_like(coefficients))
    height = 100.0 + sht.synthesise(coefficients)
    return {"height": height, "velocity_x": east, "velocity_y": north}


def test_the_same_harmonics_on_two_grids_are_the_same_state():
    errors = relative_errors(flow(16, (1.0, 2.0, 3.0)), flow(24, (1.0, 2.0, 3.0)))
    assert errors == pytest.approx({"vorticity_error": 0, "height_error": 0}, abs=1e-12)


def test_errors_by_hand_orders_counted_twice_and_the_mean_left_out():
    errors = relative_errors(flow(24, (1.5, 2.0, 3.0)), flow(16, (1.0, 2.0, 3.0)))
    expected = math.sqrt(2 * 0.25 / (2 * 14 + 1))
    assert errors == pytest.approx({"vorticity_error": expected, "height_error": expected})


def test_what_a_coarse_grid_cannot_hold_is_an_error():
    errors = relative_errors(flow(10, (1.0, 2.0, 3.0)), flow(16, (1.0, 2.0, 3.0)))
    expected = math.sqrt(2 * 9 / (2 * 14 + 1))
    assert errors["height_error"] == pytest.approx(expected)
