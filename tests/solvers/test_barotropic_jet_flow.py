"""The jet of Galewsky, Scott & Polvani (2004): balanced without its bump, rolling up with it."""

import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import BarotropicJet
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import SphericalShallowWater
from tests.solvers.sphere import DAY, DOUBLE, IDEAL, RADIUS, T42, relative, sampled

T63, T85, T170 = (GaussianSphere((n, 2 * n)) for n in (96, 128, 256))
VISCOUS = SphericalShallowWater(
    hyperdiffusion_order=1,
    hyperdiffusion_degree=42,
    hyperdiffusion_time=RADIUS**2 / (1e5 * 42 * 43),
)
"""With the published viscosity of 1e5 m²/s on vorticity, divergence and height."""
SHARP = SphericalShallowWater(
    hyperdiffusion_order=2, hyperdiffusion_degree=85, hyperdiffusion_time=7778.0
)
"""4e15 m⁴/s: equal to that viscosity at degree 32, as in Dedalus's example of this case."""


def end(
    equation: SphericalShallowWater,
    grid: GaussianSphere,
    dt: float,
    days: float,
    bump: float = 120.0,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The fields on the grid itself and on that of T42."""
    solver = equation.discretise(grid, dt, dtype=DOUBLE)
    state = solver.initialise(sampled(BarotropicJet(bump=bump), grid))
    with torch.inference_mode():
        state = repeat(solver.step, round(days * DAY / dt))(state)
        return solver.observe(state, grid), solver.observe(state, T42)


@pytest.mark.parametrize(
    ("grid", "dt", "days", "height", "wind", "metres"),
    [
        pytest.param(T42, 1200.0, 1.5, 1e-5, 4e-3, 0.5, id="T42, 36 hours"),
        pytest.param(T42, 900.0, 6, 2e-5, 6e-3, 0.7, id="T42", marks=pytest.mark.slow),
        pytest.param(T85, 600.0, 6, 1e-7, 5e-5, 0.006, id="T85", marks=pytest.mark.slow),
    ],
)
def test_the_undisturbed_jet_stays_in_balance(grid, dt, days, height, wind, metres):
    start = sampled(BarotropicJet(bump=0.0), grid)
    fields, _ = end(IDEAL, grid, dt, days, bump=0.0)
    assert relative(fields["height"], start["height"], grid) < height
    assert (fields["height"] - start["height"]).abs().max() < metres
    assert relative(fields["velocity_x"], start["velocity_x"], grid) < wind
    assert fields["velocity_y"].abs().max() < 100 * wind


def test_after_a_day_the_disturbed_jet_at_t42_is_that_at_t63():
    coarse, fine = (end(SHARP, grid, 1200.0, 1)[1] for grid in (T42, T63))
    assert relative(coarse["height"], fine["height"]) < 3e-5
    assert relative(coarse["vorticity"], fine["vorticity"]) < 5e-2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("equation", "height", "vorticity", "largest"),
    [
        pytest.param(VISCOUS, 6e-5, 0.03, 9.30e-5, id="viscosity"),
        pytest.param(SHARP, 1e-5, 5e-3, 1.073e-4, id="hyperdiffusion"),
    ],
)
def test_after_six_days_the_disturbed_jet_at_t85_is_that_at_t170(
    equation, height, vorticity, largest
):
    coarse, coarse_seen = end(equation, T85, 600.0, 6)
    fine, fine_seen = end(equation, T170, 300.0, 6)
    assert relative(coarse_seen["height"], fine_seen["height"]) < height
    assert relative(coarse_seen["vorticity"], fine_seen["vorticity"]) < vorticity
    assert float(fine["vorticity"].max()) == pytest.approx(largest, rel=2e-3)
    assert float(coarse["vorticity"].max()) == pytest.approx(largest, rel=1e-2)
