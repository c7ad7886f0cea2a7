"""Williamson's fifth and sixth case: what they conserve, how they converge, how fast they move.

Cases 1 and 2 have exact solutions: see `test_spherical_advection.py` and
`test_spherical_shallow_water.py`.
"""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import RossbyHaurwitzWave, SolidBodyRotation
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import ConicalMountain, SphericalShallowWater
from tests.solvers.sphere import DAY, DOUBLE, IDEAL, T21, T42, relative, run, sampled

T85 = GaussianSphere((128, 256))
MOUNTAIN = dataclasses.replace(IDEAL, mean_depth=5620.0, orography=ConicalMountain())
OVER_MOUNTAIN = SolidBodyRotation(speed=20.0, equatorial_depth=5960.0)
WAVE = dataclasses.replace(IDEAL, mean_depth=9523.0)


def drifts(
    equation: SphericalShallowWater,
    start: dict[str, Tensor],
    dt: float,
    days: int,
    grid: GaussianSphere,
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Relative changes of the diagnostics, and the fields at the end."""
    solver = equation.discretise(grid, dt, dtype=DOUBLE)
    state = solver.initialise(start)
    before = solver.diagnose(state)
    with torch.inference_mode():
        end = repeat(solver.step, round(days * DAY / dt))(state)
    after = solver.diagnose(end)
    changes = {name: float(after[name] / before[name]) - 1 for name in before}
    return changes, solver.observe(end, grid)


@pytest.mark.parametrize(
    ("grid", "dt", "days", "energy", "enstrophy"),
    [
        pytest.param(T42, 1800.0, 3, 2e-8, 2e-6, id="T42, 3 days"),
        pytest.param(T42, 1200.0, 15, 3e-8, 2e-6, id="T42", marks=pytest.mark.slow),
        pytest.param(T85, 600.0, 15, 5e-9, 5e-7, id="T85", marks=pytest.mark.slow),
    ],
)
def test_flow_over_a_mountain_keeps_mass_energy_and_potential_enstrophy(
    grid, dt, days, energy, enstrophy
):
    # No hyperdiffusion: what drifts is the scheme's.
    changes, fields = drifts(MOUNTAIN, sampled(OVER_MOUNTAIN, grid), dt, days, grid)
    assert changes["mass"] == 0
    assert abs(changes["energy"]) < energy
    assert abs(changes["potential_enstrophy"]) < enstrophy
    surface = fields["height"] + fields["orography"]
    assert 4985 < float(surface.min()) < 5040
    assert 5950 < float(surface.max()) < 5980


def test_flow_over_a_mountain_converges():
    ends = [
        run(MOUNTAIN, sampled(OVER_MOUNTAIN, grid), 1800.0, 48, grid)["height"]
        for grid in (GaussianSphere((24, 48)), T21, GaussianSphere((48, 96)), T42)
    ]
    seen = []
    for end in ends:
        grid = GaussianSphere((end.shape[-2], end.shape[-1]))
        solver = IDEAL.discretise(grid, 1.0, dtype=DOUBLE)
        zeros = torch.zeros_like(end)
        state = solver.initialise({"height": end + 4400, "velocity_x": zeros, "velocity_y": zeros})
        seen.append(solver.observe(state, GaussianSphere((24, 48)))["height"] - 4400)
    errors = [relative(a, seen[-1], GaussianSphere((24, 48))) for a in seen[:-1]]
    assert errors[1] < 0.6 * errors[0]
    assert errors[2] < 0.6 * errors[1]
    assert errors[2] < 5e-4, errors


@pytest.mark.slow
def test_day_15_over_the_mountain_at_t85_is_that_at_t170():
    finer = GaussianSphere((256, 512))
    ends = []
    for grid, dt in ((T42, 1200.0), (T85, 600.0), (finer, 600.0)):
        solver = MOUNTAIN.discretise(grid, dt, dtype=DOUBLE)
        with torch.inference_mode():
            state = repeat(solver.step, round(15 * DAY / dt))(
                solver.initialise(sampled(OVER_MOUNTAIN, grid))
            )
        ends.append(solver.observe(state, T42))
    surface = ends[-1]["height"] + ends[-1]["orography"]
    assert float(surface.min()) == pytest.approx(5032, abs=3)
    assert float(surface.max()) == pytest.approx(5955, abs=3)
    height, vorticity = (
        [relative(end[name], ends[-1][name]) for end in ends[:-1]]
        for name in ("height", "vorticity")
    )
    assert height[0] < 8e-4
    assert height[1] < 6e-5
    assert vorticity[0] < 0.08
    assert vorticity[1] < 0.03


def wave_speed(days: int, grid: GaussianSphere, dt: float) -> tuple[float, Tensor]:
    """Degrees per day by which the wave of four crests moves eastwards, and its harmonics."""
    solver = WAVE.discretise(grid, dt, dtype=DOUBLE)
    state = solver.initialise(sampled(RossbyHaurwitzWave(), grid))
    phases = []
    with torch.inference_mode():
        for _ in range(days):
            phases.append(float(state[0, 0, 5, 4].angle()))
            state = repeat(solver.step, round(DAY / dt))(state)
    phases.append(float(state[0, 0, 5, 4].angle()))
    turned = -np.degrees(np.unwrap(phases)) / 4
    return float(turned[-1] - turned[0]) / days, state[0, 0]


@pytest.mark.parametrize(
    ("days", "grid", "dt", "speed"),
    [
        pytest.param(2, T42, 1200.0, 11.47, id="2 days"),
        pytest.param(7, T85, 600.0, 11.29, id="7 days", marks=pytest.mark.slow),
        pytest.param(14, T85, 600.0, 11.31, id="14 days", marks=pytest.mark.slow),
    ],
)
def test_the_wave_of_four_crests_moves_slower_than_without_divergence_and_keeps_its_symmetry(
    days, grid, dt, speed
):
    # Haurwitz (1940): (R (3 + R) w - 2 Omega) / ((1 + R) (2 + R)), without divergence.
    rate, r = 7.848e-6, 4
    without = (r * (3 + r) * rate - 2 * 7.292e-5) / ((1 + r) * (2 + r))
    assert math.degrees(without) * DAY == pytest.approx(12.195, abs=1e-3)
    found, vorticity = wave_speed(days, grid, dt)
    assert found == pytest.approx(speed, abs=0.03)
    # Harmonics that the four-fold symmetry and the one about the equator exclude stay empty.
    order, degree = torch.arange(len(vorticity)), torch.arange(len(vorticity))[:, None]
    excluded = (order % 4 != 0) | ((degree + order) % 2 == 0)
    assert float(vorticity[excluded].abs().max() / vorticity.abs().max()) < 1e-13
