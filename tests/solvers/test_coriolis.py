"""The Coriolis parameter as a function of y."""

import math

import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.solvers import EquatorialPlane, UniformRotation

BOX = PeriodicBox((8, 16), (4e6, 8e6))


def test_uniform_rotation_is_its_mean_everywhere():
    plane = UniformRotation(-1.2e-4)
    assert plane.mean == -1.2e-4
    torch.testing.assert_close(plane.on(BOX), torch.full((8, 1), -1.2e-4, dtype=torch.float64))


def test_the_equatorial_plane_is_a_sine_with_its_equator_at_zero():
    plane = EquatorialPlane(1e-4)
    values = plane.on(BOX)
    assert plane.mean == 0.0
    assert abs(float(values.mean())) < 1e-20
    assert float(values[2, 0]) == pytest.approx(1e-4)
    assert float(values[1, 0]) == pytest.approx(1e-4 * math.sqrt(0.5))


@pytest.mark.parametrize("kind", [UniformRotation, EquatorialPlane])
def test_impossible_parameters_are_refused(kind):
    with pytest.raises(ValueError, match="parameter must be finite, got nan"):
        kind(math.nan)
