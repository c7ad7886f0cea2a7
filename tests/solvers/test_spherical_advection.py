"""A tracer carried around the sphere against its exact solution: Williamson's first case."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.initial_conditions import CosineBell
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import Diagnosing, Equation, Solver, SphericalAdvection
from tests.solvers.sphere import DAY, DOUBLE, T21, T42, mean, relative, run, sampled

T63 = GaussianSphere((96, 192))
ANGLES = [0.0, math.degrees(0.05), 90 - math.degrees(0.05), 90.0]
"""The published tilts."""


def turned_bell(grid: GaussianSphere, tilt: float, days: float) -> Tensor:
    """The bell where the flow has carried it, by turning its summit about the flow's axis."""
    alpha, angle = math.radians(tilt), 2 * math.pi * days / 12
    # u = U (axis x r) with the axis tilted towards the meridian of 180 degrees.
    axis = np.array([-math.sin(alpha), 0.0, math.cos(alpha)])
    start = np.array([0.0, -1.0, 0.0])
    end = start * math.cos(angle) + np.cross(axis, start) * math.sin(angle)
    end = end + axis * (axis @ start) * (1 - math.cos(angle))
    latitude, longitude = math.asin(end[2]), math.atan2(end[1], end[0])
    bell = CosineBell(latitude=math.degrees(latitude), longitude=math.degrees(longitude))
    return sampled(bell, grid)["height"]


def norms(found: Tensor, exact: Tensor, grid: GaussianSphere) -> list[float]:
    """Williamson's l1, l2 and l-infinity."""
    error = found - exact
    absolute = float(mean(error.abs(), grid) / mean(exact.abs(), grid))
    return [absolute, relative(found, exact, grid), float(error.abs().max() / exact.abs().max())]


def truncated(field: Tensor, grid: GaussianSphere, degree: int) -> Tensor:
    sht = spherical_harmonics(grid, degree, DOUBLE)
    return sht.synthesise(sht.analyse(field))


def test_it_keeps_the_contracts():
    assert isinstance(SphericalAdvection(), Equation)
    solver = SphericalAdvection().discretise(T21, 600.0)
    assert isinstance(solver, Solver)
    assert isinstance(solver, Diagnosing)
    assert [f.name for f in SphericalAdvection().fields if f.is_static] == [
        "velocity_x",
        "velocity_y",
    ]


@pytest.mark.parametrize("tilt", ANGLES)
def test_the_bell_moves_as_the_exact_solution_does(tilt):
    equation = SphericalAdvection(tilt=tilt)
    end = run(equation, sampled(CosineBell(), T42), 3600.0, 48, T42)["height"]
    start = truncated(sampled(CosineBell(), T42)["height"], T42, 42)
    floor = relative(start, sampled(CosineBell(), T42)["height"])
    # Truncation's error and nothing else, which depends a little on where the summit is.
    assert relative(end, turned_bell(T42, tilt, 2.0)) == pytest.approx(floor, rel=0.05)


@pytest.mark.parametrize(
    ("grid", "degree", "steps", "most"),
    [
        pytest.param(T42, 42, 288, (0.025, 0.0085, 0.008), id="T42"),
        pytest.param(T63, 63, 576, (0.009, 0.003, 0.003), id="T63", marks=pytest.mark.slow),
    ],
)
def test_after_twelve_days_the_bell_is_back_but_for_its_truncation(grid, degree, steps, most):
    start = sampled(CosineBell(), grid)
    end = run(SphericalAdvection(), start, 12 * DAY / steps, steps, grid)["height"]
    found = norms(end, start["height"], grid)
    assert all(error < bound for error, bound in zip(found, most, strict=True)), found
    # What exceeds the truncation of the bell is the error in time, 16 times less per halving.
    assert relative(end, truncated(start["height"], grid, degree), grid) < 5e-3


def test_the_truncated_bell_comes_back_exactly_in_space():
    # In time the scheme is of fourth order.
    grid = GaussianSphere((16, 32))
    start = sampled(CosineBell(angular_radius=60.0), grid)
    kept = truncated(start["height"], grid, 10)
    errors = [
        relative(run(SphericalAdvection(), start, 12 * DAY / n, n, grid)["height"], kept, grid)
        for n in (72, 144, 288)
    ]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert errors[-1] < 2e-5, errors
    assert min(orders) > 3.8, (errors, orders)


def test_mass_and_variance_are_conserved():
    solver = SphericalAdvection(tilt=40.0).discretise(T42, 1800.0, dtype=DOUBLE)
    state = solver.initialise(sampled(CosineBell(), T42))
    before, after = (solver.diagnose(s) for s in (state, repeat(solver.step, 48)(state)))
    assert float(after["mass"]) == float(before["mass"])
    assert float(after["variance"]) == pytest.approx(float(before["variance"]), rel=5e-6)
    height = solver.observe(state, T42)["height"]
    assert float(before["mass"]) == pytest.approx(float(mean(height, T42)), rel=1e-12)
    assert float(before["variance"]) == pytest.approx(float(mean(height**2, T42)), rel=1e-12)


def test_variants_go_their_own_ways():
    variants = [SphericalAdvection(tilt=0.0), SphericalAdvection(speed=20.0, tilt=70.0)]
    one = sampled(CosineBell(), T21)
    both = {"height": one["height"].expand(2, -1, -1)}
    solver = variants[0].discretise(T21, 3600.0, variants=variants, dtype=DOUBLE)
    together = solver.observe(repeat(solver.step, 24)(solver.initialise(both)), T21)
    for row, variant in enumerate(variants):
        for name, field in run(variant, one, 3600.0, 24, T21).items():
            torch.testing.assert_close(together[name][row], field[0], rtol=0, atol=1e-10)
    courant = solver.courant_number(solver.initialise(both))
    assert float(courant[1]) == pytest.approx(20.0 * 3600 / (math.pi * 6.37122e6 / 32), rel=1e-12)
    with pytest.raises(ValueError, match=r"given 2 variants .* initial state has 1 trajectories"):
        solver.initialise(one)


def test_a_coarse_grid_sees_the_truncated_tracer_and_the_wind_itself():
    solver = SphericalAdvection().discretise(T42, 1800.0, dtype=DOUBLE)
    state = solver.initialise(sampled(CosineBell(), T42))
    seen, there = (
        solver.observe(state, T21),
        SphericalAdvection().discretise(T21, 1.0, dtype=DOUBLE),
    )
    expected = there.observe(there.initialise({"height": seen["height"]}), T21)
    torch.testing.assert_close(seen["velocity_x"], expected["velocity_x"])
    kept = spherical_harmonics(T21, 21, DOUBLE).analyse(seen["height"])
    torch.testing.assert_close(kept, state[:, :22, :22], rtol=1e-10, atol=1e-9)


def test_what_cannot_be_solved_is_refused():
    for arguments, complaint in (
        ({"speed": math.inf}, "speed must be finite"),
        ({"tilt": math.nan}, "tilt must be finite"),
        ({"radius": 0.0}, "radius must be finite and positive"),
    ):
        with pytest.raises(ValueError, match=complaint):
            SphericalAdvection(**arguments)
    with pytest.raises(ValueError, match="needs a GaussianSphere, got PeriodicBox"):
        SphericalAdvection().discretise(PeriodicBox((8, 16)), 1.0)
    with pytest.raises(ValueError, match="time step must be positive"):
        SphericalAdvection().discretise(T21, 0.0)
    solver = dataclasses.replace(SphericalAdvection(), tilt=3.0).discretise(T21, 1.0)
    with pytest.raises(ValueError, match="starts from `height`"):
        solver.initialise({"velocity_x": torch.zeros(1, 32, 64)})
    with pytest.raises(ValueError, match="not observed on a PeriodicBox"):
        solver.observe(torch.zeros(1, 22, 22, dtype=torch.complex64), PeriodicBox((8, 16)))
    nan = {"height": torch.full((1, 32, 64), math.nan)}
    assert not solver.courant_number(solver.initialise(nan)).isfinite().any()
