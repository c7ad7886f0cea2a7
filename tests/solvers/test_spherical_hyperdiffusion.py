"""What the hyperdiffusion on the sphere damps, and what it leaves."""

import math

import pytest
import torch

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import ConicalMountain, SphericalShallowWater

GRID = GaussianSphere((32, 64))
DOUBLE = torch.float64


def harmonic(degree, size):
    coefficients = torch.zeros(22, 22, dtype=torch.complex128)
    coefficients[degree, 0] = size
    return coefficients


def start(height=None, vorticity=None):
    """One harmonic in the height or the vorticity, on a sphere too slow for anything but decay."""
    sht = spherical_harmonics(GRID, 21, DOUBLE)
    nothing = harmonic(1, 0.0)
    east, north = sht.velocity(nothing if vorticity is None else vorticity, nothing)
    depth = 10000.0 + sht.synthesise(nothing if height is None else height)
    return {"height": depth[None], "velocity_x": east[None], "velocity_y": north[None]}


@pytest.mark.parametrize("degree", [5, 10, 20])
@pytest.mark.parametrize("named", [None, 10])
def test_a_degree_decays_at_its_rate(degree, named):
    equation = SphericalShallowWater(
        rotation_rate=0.0, hyperdiffusion_time=5000.0, hyperdiffusion_degree=named
    )
    solver = equation.discretise(GRID, 500.0, dtype=DOUBLE)
    state = solver.initialise(start(vorticity=harmonic(degree, 1e-3)))
    later = repeat(solver.step, 4)(state)
    full = named or 21
    rate = (degree * (degree + 1) / (full * (full + 1))) ** 4 / 5000
    ratio = float((later[0, 0, degree, 0] / state[0, 0, degree, 0]).real)
    assert ratio == pytest.approx(math.exp(-2000 * rate), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("degree", [8, 15])
def test_the_depth_may_be_left_alone_up_to_the_named_degree(degree):
    # Gravity so weak that within the hour nothing but damping moves the surface.
    damping = {"hyperdiffusion_time": 3600.0, "hyperdiffusion_degree": 10}
    physics = {"gravity": 1e-9, "rotation_rate": 0.0} | damping
    given = start(height=harmonic(degree, 10.0))
    ratios = []
    for diffuses in (True, False):
        equation = SphericalShallowWater(diffuses_height=diffuses, **physics)
        solver = equation.discretise(GRID, 900.0, dtype=DOUBLE)
        state = solver.initialise(given)
        later = repeat(solver.step, 4)(state)
        ratios.append(float((later[0, 1, degree, 0] / state[0, 1, degree, 0]).real))
    rate = (degree * (degree + 1) / 110) ** 4
    assert ratios[0] == pytest.approx(math.exp(-rate), rel=1e-5, abs=1e-9)
    assert ratios[1] == pytest.approx(1.0 if degree <= 10 else math.exp(-rate), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("diffuses", [True, False])
def test_water_at_rest_over_a_mountain_stays_at_rest(diffuses):
    equation = SphericalShallowWater(orography=ConicalMountain(), diffuses_height=diffuses)
    solver = equation.discretise(GRID, 900.0, dtype=DOUBLE)
    still = torch.zeros(1, 32, 64, dtype=DOUBLE)
    given = {"surface": still + 9000, "velocity_x": still, "velocity_y": still}
    fields = solver.observe(repeat(solver.step, 48)(solver.initialise(given)), GRID)
    # The cone's rough harmonics are truncated in depth and ground alike.
    assert float((fields["height"] + fields["orography"] - 9000).abs().max()) < 1e-7
    assert float(fields["velocity_x"].abs().max()) < 1e-9


def test_mixed_variants_equal_the_single_runs():
    kinds = [
        SphericalShallowWater(diffuses_height=False, hyperdiffusion_degree=15),
        SphericalShallowWater(),
    ]
    given = start(height=harmonic(8, 300.0), vorticity=harmonic(5, 30.0))
    both = {name: field.expand(2, -1, -1) for name, field in given.items()}
    solver = kinds[0].discretise(GRID, 900.0, variants=kinds, dtype=DOUBLE)
    together = repeat(solver.step, 10)(solver.initialise(both))
    for row, equation in enumerate(kinds):
        alone = equation.discretise(GRID, 900.0, dtype=DOUBLE)
        state = repeat(alone.step, 10)(alone.initialise(given))
        torch.testing.assert_close(together[row], state[0], rtol=1e-10, atol=1e-12)


def test_a_bad_degree_is_refused():
    with pytest.raises(ValueError, match="hyperdiffusion_degree must be at least 1"):
        SphericalShallowWater(hyperdiffusion_degree=0)
