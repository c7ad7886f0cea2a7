"""The periodic vorticity solver against exact solutions, convergence orders and budgets."""

import itertools
import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import ClosedBox, PeriodicBox
from pdesurrogate.initial_conditions import McWilliamsVorticity
from pdesurrogate.operators import derivative, laplacian, velocity_from_vorticity
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import KolmogorovForcing, PeriodicNavierStokes
from pdesurrogate.transfer import resample

DOUBLE = torch.float64


def turbulence(n: int, max_wavenumber: int = 6, seed: int = 0) -> torch.Tensor:
    state = McWilliamsVorticity(max_wavenumber=max_wavenumber, peak_wavenumber=3.0)
    return state.sample(np.random.default_rng(seed), PeriodicBox((n, n)))["vorticity"][None]


def run(equation, n, dt, steps, vorticity, dtype=DOUBLE):
    solver = equation.discretise(PeriodicBox((n, n)), dt, dtype=dtype)
    state = repeat(solver.step, steps)(solver.initialise({"vorticity": vorticity}))
    return solver.observe(state, solver.grid)


def tendency_of(solver, state):
    return solver.observe(state._replace(spectrum=solver.nonlinear(*state)), solver.grid)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize(("dtype", "tolerance"), [(DOUBLE, 1e-13), (torch.float32, 2e-6)])
def test_taylor_green_vortices_decay_to_rounding(dtype, tolerance):
    # ω = 2 sin x sin y exp(-2 ν t): advection vanishes, what is left is diffusion.
    box = PeriodicBox((48, 48))
    x, y = torch.as_tensor(box.x)[None, :], torch.as_tensor(box.y)[:, None]
    start = (2 * torch.sin(x) * torch.sin(y))[None]
    observed = run(PeriodicNavierStokes(viscosity=0.05), 48, 0.05, 40, start, dtype)
    decay = math.exp(-2 * 0.05 * 2.0)
    assert relative(observed["vorticity"].double(), decay * start) < tolerance
    expected_u = (decay * torch.sin(x) * torch.cos(y))[None]
    assert relative(observed["velocity_x"].double(), expected_u) < 2 * tolerance


def test_order_of_the_step_is_four_on_a_turbulent_flow():
    equation = PeriodicNavierStokes(viscosity=0.01, drag=0.1, forcing=KolmogorovForcing())
    start = turbulence(64)
    exact = run(equation, 64, 1 / 256, 256, start)["vorticity"]
    errors = [
        relative(run(equation, 64, 1 / n, n, start)["vorticity"], exact) for n in (16, 32, 64)
    ]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert orders[-1] > 3.9
    assert orders[0] > 3.6


def test_the_error_in_space_falls_faster_than_any_power():
    equation = PeriodicNavierStokes(viscosity=0.05)
    start = turbulence(120, max_wavenumber=4)
    exact = run(equation, 120, 1 / 64, 32, start)["vorticity"]
    sizes, errors = (18, 30, 48, 78), []
    for n in sizes:
        observed = run(equation, n, 1 / 64, 32, resample(start, (n, n)))["vorticity"]
        # The modes that every solver here holds: the truncation itself is not an error of it.
        errors.append(relative(resample(observed, (11, 11)), resample(exact, (11, 11))))
    orders = [
        math.log(errors[i] / errors[i + 1]) / math.log(sizes[i + 1] / sizes[i]) for i in range(3)
    ]
    assert orders[0] < orders[1] < orders[2]
    assert orders[2] > 12
    assert errors[-1] < 1e-9


def test_kolmogorov_laminar_profile_is_a_steady_state():
    # ν k² ω + α ω = -A k cos ky balances force, viscosity and drag.
    equation = PeriodicNavierStokes(viscosity=0.2, drag=0.3, forcing=KolmogorovForcing(1.5, 2))
    y = torch.as_tensor(PeriodicBox((32, 32)).y)[:, None]
    laminar = (-1.5 * 2 * torch.cos(2 * y) / (0.2 * 4 + 0.3)).expand(1, 32, 32).clone()
    observed = run(equation, 32, 0.1, 50, laminar)
    assert relative(observed["vorticity"], laminar) < 1e-13
    amplitude = 1.5 / (0.2 * 4 + 0.3)
    expected = (amplitude * torch.sin(2 * y)).expand(1, 32, 32)
    assert relative(observed["velocity_x"], expected) < 1e-13


@pytest.mark.parametrize("n", [32, 33])
def test_energy_and_enstrophy_are_conserved_without_viscosity(n):
    start = turbulence(n, max_wavenumber=8)
    solver = PeriodicNavierStokes(viscosity=0.0).discretise(PeriodicBox((n, n)), 1e-3, dtype=DOUBLE)
    state = solver.initialise({"vorticity": start})
    w = solver.observe(state, solver.grid)
    tendency = tendency_of(solver, state)["vorticity"]
    enstrophy_rate = (w["vorticity"] * tendency).mean()
    du, dv = velocity_from_vorticity(tendency, solver.grid)
    energy_rate = (w["velocity_x"] * du + w["velocity_y"] * dv).mean()
    assert abs(enstrophy_rate) < 1e-12 * tendency.norm()
    assert abs(energy_rate) < 1e-12 * tendency.norm()
    assert tendency.norm() > 1


def test_energy_and_enstrophy_budgets_close():
    # dE/dt = -ν <ω²> - 2 α E + <u·f>,  dZ/dt = -ν <|∇ω|²> - 2 α Z + <ω g>.
    force = KolmogorovForcing(0.7, 3)
    equation = PeriodicNavierStokes(viscosity=0.02, drag=0.1, forcing=force)
    box, dt = PeriodicBox((64, 64)), 1e-3
    observed = [run(equation, 64, dt, 200 + i, turbulence(64)) for i in range(3)]

    def energy(o):
        return 0.5 * (o["velocity_x"] ** 2 + o["velocity_y"] ** 2).mean()

    def enstrophy(o):
        return 0.5 * (o["vorticity"] ** 2).mean()

    now, w = observed[1], observed[1]["vorticity"]
    f = 0.7 * torch.sin(3 * torch.as_tensor(box.y))[:, None]
    energy_rate = -0.02 * (w**2).mean() - 0.2 * energy(now) + (now["velocity_x"] * f).mean()
    gradient = derivative(w, box, "x") ** 2 + derivative(w, box, "y") ** 2
    source = force.vorticity_source(box)
    enstrophy_rate = -0.02 * gradient.mean() - 0.2 * enstrophy(now) + (w * source).mean()
    for quantity, rate in ((energy, energy_rate), (enstrophy, enstrophy_rate)):
        measured = (quantity(observed[2]) - quantity(observed[0])) / (2 * dt)
        assert measured == pytest.approx(float(rate), rel=2e-4)


def test_the_four_transform_form_is_the_advection_term():
    n, box = 48, PeriodicBox((48, 48), (2.0, 3.0))
    solver = PeriodicNavierStokes().discretise(box, 0.1, dtype=DOUBLE)
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(1, n, n, dtype=DOUBLE, generator=generator)
    vorticity = resample(resample(noise, (16, 16)), (n, n))
    vorticity = vorticity - vorticity.mean()
    u, v = velocity_from_vorticity(vorticity, box)
    advection = u * derivative(vorticity, box, "x") + v * derivative(vorticity, box, "y")
    computed = tendency_of(solver, solver.initialise({"vorticity": vorticity}))["vorticity"]
    assert relative(computed, -resample(resample(advection, (31, 31)), (n, n))) < 1e-12


def test_every_trajectory_of_a_batch_runs_alone():
    equation = PeriodicNavierStokes(viscosity=1e-2)
    both = torch.cat([turbulence(32, seed=1), turbulence(32, seed=2)])
    together = run(equation, 32, 0.02, 10, both)["vorticity"]
    alone = run(equation, 32, 0.02, 10, both[1:])["vorticity"]
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-12)


def test_observing_a_rung_is_restricting_the_finest():
    equation = PeriodicNavierStokes(viscosity=1e-3)
    solver = equation.discretise(PeriodicBox((64, 64)), 0.01)
    state = repeat(solver.step, 5)(solver.initialise({"vorticity": turbulence(64, 20)}))
    fine = solver.observe(state, PeriodicBox((64, 64)))
    coarse = solver.observe(state, PeriodicBox((24, 24)))
    for name in ("vorticity", "velocity_x", "velocity_y"):
        expected = resample(fine[name], (24, 24))
        scale = float(expected.abs().max())
        torch.testing.assert_close(coarse[name], expected, rtol=0, atol=2e-6 * scale)


def test_gradient_through_steps_agrees_with_differences():
    equation = PeriodicNavierStokes(viscosity=1e-2, forcing=KolmogorovForcing())
    start = turbulence(16, max_wavenumber=3)
    weight = torch.randn(16, 16, dtype=DOUBLE, generator=torch.Generator().manual_seed(2))

    def objective(vorticity: torch.Tensor) -> torch.Tensor:
        return (run(equation, 16, 0.05, 3, vorticity)["vorticity"] * weight).sum()

    vorticity = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(vorticity), vorticity)
    direction = turbulence(16, max_wavenumber=3, seed=9)
    step = 1e-5
    difference = objective(start + step * direction) - objective(start - step * direction)
    assert float((gradient * direction).sum()) == pytest.approx(
        float(difference) / (2 * step), rel=1e-7
    )


def test_courant_number_by_hand():
    box = PeriodicBox((20, 40), (2.0, 2.0))
    k = math.pi
    y = torch.as_tensor(box.y)[:, None]
    vorticity = (-3.0 * k * torch.cos(k * y)).expand(1, 20, 40).clone()  # u = 3 sin(ky)
    solver = PeriodicNavierStokes().discretise(box, 0.01, dtype=DOUBLE)
    state = solver.initialise({"vorticity": vorticity})
    assert solver.courant_number(state)[0] == pytest.approx(3.0 * 0.01 / (2.0 / 40), rel=1e-12)


def test_wrong_use_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="viscosity must be finite and not negative, got -1"):
        PeriodicNavierStokes(viscosity=-1.0)
    with pytest.raises(ValueError, match="needs a PeriodicBox, got ClosedBox"):
        PeriodicNavierStokes().discretise(ClosedBox((8, 8)), 0.1)
    with pytest.raises(ValueError, match="time step must be positive"):
        PeriodicNavierStokes().discretise(PeriodicBox((8, 8)), 0.0)
    solver = PeriodicNavierStokes().discretise(PeriodicBox((8, 8)), 0.1)
    with pytest.raises(ValueError, match="starts from `vorticity`, got only"):
        solver.initialise({"height": torch.zeros(1, 8, 8)})


def test_fields_say_what_moves_them():
    vorticity, u, v = PeriodicNavierStokes().fields
    assert vorticity.is_prognostic
    assert vorticity.transported_by == (u.name, v.name)
    assert [u.vector_part, v.vector_part] == ["x", "y"]
    assert laplacian(torch.ones(8, 8), PeriodicBox((8, 8))).abs().max() == 0


def test_a_force_beyond_the_grid_is_dropped_not_aliased_and_refused_as_reference():
    equation = PeriodicNavierStokes(viscosity=0.1, forcing=KolmogorovForcing(1.0, 30))
    start = torch.zeros(1, 32, 32, dtype=DOUBLE)
    assert run(equation, 32, 0.1, 2, start)["vorticity"].abs().max() < 1e-12
    # A k / (ν k²) = 30 / (0.1 * 900), reached at once at this viscosity.
    assert run(equation, 96, 0.1, 2, start)["vorticity"].max() == pytest.approx(1 / 3, rel=1e-6)
    with pytest.raises(ValueError, match="wavenumber 30 is not resolved by 32 x 32 points"):
        equation.check_resolved(PeriodicBox((32, 32)))
    equation.check_resolved(PeriodicBox((96, 96)))
