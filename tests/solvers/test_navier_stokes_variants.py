"""Trajectories of one batch with parameters of their own, on boxes of every shape."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.initial_conditions import McWilliamsVorticity
from pdesurrogate.operators import derivative, velocity_from_vorticity, wavenumbers
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import KolmogorovForcing, PeriodicNavierStokes, StochasticForcing
from pdesurrogate.transfer import resample

DOUBLE = torch.float64
WIDE, TALL = PeriodicBox((48, 64), (2 * math.pi, 4 * math.pi)), PeriodicBox((64, 48))


def run(variants, grid, dt, steps, fields):
    solver = variants[0].discretise(grid, dt, variants=variants, dtype=DOUBLE)
    return solver.observe(repeat(solver.step, steps)(solver.initialise(fields)), grid)


def turbulence(grid, count=1, seed=0):
    state = McWilliamsVorticity(max_wavenumber=8, peak_wavenumber=3.0)
    rng = np.random.default_rng(seed)
    return torch.stack([state.sample(rng, grid)["vorticity"] for _ in range(count)])


def test_every_trajectory_decays_at_its_own_viscosity_and_drag():
    grid = PeriodicBox((24, 24))
    x, y = torch.as_tensor(grid.x)[None, :], torch.as_tensor(grid.y)[:, None]
    start = (2 * torch.sin(x) * torch.sin(y)).expand(3, 24, 24)
    variants = [
        PeriodicNavierStokes(nu, alpha) for nu, alpha in ((0.1, 0.0), (0.2, 0.0), (0.1, 1.0))
    ]
    end = run(variants, grid, 0.05, 20, {"vorticity": start})["vorticity"]
    for row, rate in enumerate((0.2, 0.4, 1.2)):
        torch.testing.assert_close(end[row], math.exp(-rate) * start[row], rtol=0, atol=1e-13)


def test_the_laminar_response_follows_every_trajectorys_force():
    grid = PeriodicBox((32, 32))
    settings = ((1.0, 2), (3.0, 2), (1.0, 5))
    variants = [
        PeriodicNavierStokes(viscosity=0.3, drag=0.1, forcing=KolmogorovForcing(a, n))
        for a, n in settings
    ]
    start = {"vorticity": torch.zeros(3, 32, 32, dtype=DOUBLE)}
    end = run(variants, grid, 0.1, 30, start)["velocity_x"]
    y = torch.as_tensor(grid.y)[:, None]
    for row, (amplitude, n) in enumerate(settings):
        rate = 0.3 * n**2 + 0.1
        laminar = amplitude / rate * (1 - math.exp(-rate * 3.0)) * torch.sin(n * y)
        torch.testing.assert_close(end[row], laminar.expand(32, 32), rtol=0, atol=1e-12)


@pytest.mark.parametrize("unsteady", [False, True])
def test_a_batch_of_variants_equals_the_single_runs(unsteady):
    forces = [KolmogorovForcing(0.5, 2), KolmogorovForcing(2.0, 4), KolmogorovForcing(1.0, 1)]
    if unsteady:
        forces = [
            StochasticForcing(1.0, 2, 4, 0.1, 0),
            StochasticForcing(2.0, 1, 3, 0.3, 1),
            StochasticForcing(0.5, 5, 6, 0.5, 2),
        ]
    variants = [
        PeriodicNavierStokes(
            viscosity=0.01 * (i + 1),
            drag=0.1 * i,
            forcing=force,
            tracer_diffusivity=0.02 / (i + 1),
            tracer_gradient=0.5 * i,
        )
        for i, force in enumerate(forces)
    ]
    fields = {"vorticity": turbulence(WIDE, 3), "tracer": turbulence(WIDE, 3, seed=1)}
    together = run(variants, WIDE, 0.02, 30, fields)
    for row, variant in enumerate(variants):
        alone = run([variant], WIDE, 0.02, 30, {k: v[row : row + 1] for k, v in fields.items()})
        for name, values in alone.items():
            torch.testing.assert_close(
                together[name][row : row + 1], values, rtol=0, atol=1e-12, msg=name
            )


def test_a_batch_that_is_not_that_of_the_variants_is_refused():
    grid = PeriodicBox((16, 16))
    variants = [PeriodicNavierStokes(nu) for nu in (0.1, 0.2)]
    solver = variants[0].discretise(grid, 0.1, variants=variants)
    with pytest.raises(ValueError, match=r"given 2 variants .* initial state has 3 trajectories"):
        solver.initialise({"vorticity": torch.zeros(3, 16, 16)})
    one = variants[0].discretise(grid, 0.1, variants=variants[:1])
    assert len(one.initialise({"vorticity": torch.zeros(3, 16, 16)}).spectrum) == 3


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        (PeriodicNavierStokes(tracer_diffusivity=0.1), "all have a tracer, or none"),
        (
            PeriodicNavierStokes(forcing=KolmogorovForcing()),
            "no force, all steady forces or all unsteady",
        ),
    ],
)
def test_variants_of_different_kinds_are_refused(second, complaint):
    first = PeriodicNavierStokes()
    with pytest.raises(ValueError, match=complaint):
        first.discretise(PeriodicBox((16, 16)), 0.1, variants=[first, second])


@pytest.mark.parametrize("grid", [WIDE, TALL, PeriodicBox((33, 50), (1.0, 3.0))])
def test_advection_is_exact_and_dealiased_in_each_direction_of_any_box(grid):
    ny, nx = grid.num_points
    held = (2 * ((ny - 1) // 3) + 1, 2 * ((nx - 1) // 3) + 1)
    noise = torch.randn(1, ny, nx, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    vorticity = resample(resample(noise - noise.mean(), held), grid.num_points)
    solver = PeriodicNavierStokes(0.0).discretise(grid, 0.1, dtype=DOUBLE)
    state = solver.initialise({"vorticity": vorticity})
    # Nothing that the solver holds is lost, and the product on a grid twice as fine agrees.
    torch.testing.assert_close(solver.observe(state, grid)["vorticity"], vorticity)
    fine = PeriodicBox((2 * ny, 2 * nx), grid.domain_extent)
    w = resample(vorticity, fine.num_points)
    u, v = velocity_from_vorticity(w, fine)
    exact = -resample(u * derivative(w, fine, "x") + v * derivative(w, fine, "y"), held)
    tendency = state._replace(spectrum=solver.nonlinear(*state))
    computed = solver.observe(tendency, PeriodicBox(held, grid.domain_extent))["vorticity"]
    assert (computed - exact).norm() < 1e-12 * exact.norm()


@pytest.mark.parametrize("grid", [WIDE, TALL])
def test_a_flow_on_unequal_spacing_is_that_on_a_fine_square_mesh(grid):
    equation = PeriodicNavierStokes(viscosity=0.2, forcing=KolmogorovForcing(1.0, 2))
    ly, lx = grid.domain_extent
    fine = PeriodicBox((96, round(96 * lx / ly)), grid.domain_extent)
    smooth = McWilliamsVorticity(max_wavenumber=4, peak_wavenumber=2.0)
    start = smooth.sample(np.random.default_rng(0), fine)["vorticity"][None]
    exact = run([equation], fine, 0.02, 25, {"vorticity": start})["vorticity"]
    coarse = resample(start, grid.num_points)
    end = run([equation], grid, 0.02, 25, {"vorticity": coarse})["vorticity"]
    expected = resample(exact, (31, 31))
    assert (resample(end, (31, 31)) - expected).norm() < 2e-5 * expected.norm()


def test_a_flow_turned_by_a_right_angle_stays_the_same_flow():
    # (x, y) -> (y, -x) takes solutions to solutions: directions are treated alike.
    equation = PeriodicNavierStokes(viscosity=0.01)
    start = turbulence(TALL)
    turned = PeriodicBox((48, 64))
    end = run([equation], TALL, 0.02, 20, {"vorticity": start})["vorticity"]
    other = run([equation], turned, 0.02, 20, {"vorticity": _turn(start)})["vorticity"]
    torch.testing.assert_close(other, _turn(end), rtol=0, atol=1e-12)


def _turn(field: torch.Tensor) -> torch.Tensor:
    """The field rotated by a right angle; the node at the origin stays where it is."""
    return field.mT.flip(-1).roll(1, dims=-1)


def test_initial_spectra_are_isotropic_in_a_wide_box():
    state = McWilliamsVorticity(max_wavenumber=20, peak_wavenumber=3.0)
    rng = np.random.default_rng(2)
    grid = PeriodicBox((48, 96), (2.0, 4.0))
    power = torch.zeros(48, 49, dtype=DOUBLE)
    for _ in range(200):
        drawn = torch.fft.rfft2(state.sample(rng, grid)["vorticity"], norm="forward")
        power += drawn.abs() ** 2 / 200
    ky, kx = wavenumbers(grid)
    for k in (2, 4, 7):
        along_y, along_x = power[k, 0], power[0, 2 * k]
        assert float(ky[k, 0]) == pytest.approx(float(kx[0, 2 * k]))
        assert float(along_x / along_y) == pytest.approx(1.0, abs=0.5)


def test_a_force_must_be_resolved_in_its_own_direction_only():
    equation = PeriodicNavierStokes(forcing=KolmogorovForcing(1.0, 10))
    equation.check_resolved(PeriodicBox((32, 8)))
    with pytest.raises(ValueError, match="wavenumber 10 is not resolved by 16 x 64 points"):
        equation.check_resolved(PeriodicBox((16, 64)))
