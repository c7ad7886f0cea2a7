"""The converging smoke solver: exact balances, published numbers, bounds, budgets, orders."""

import itertools
import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import ClosedBox, PeriodicBox
from pdesurrogate.initial_conditions import SmokeNoise
from pdesurrogate.operators import divergence
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import BuoyantSmoke
from pdesurrogate.transfer import average_cells

DOUBLE = torch.float64


def unit_box(n):
    return ClosedBox((n, n), (1.0, 1.0))


def blob(n, centre=(0.4, 0.35), width=0.15):
    """A smooth cloud in still air in the unit box, a batch of one."""
    y = torch.as_tensor(unit_box(n).y)[:, None] - centre[0]
    x = torch.as_tensor(unit_box(n).x)[None, :] - centre[1]
    return at_rest(torch.exp(-(x**2 + y**2) / width**2)[None])


def at_rest(smoke):
    still = torch.zeros_like(smoke)
    return {"smoke": smoke, "velocity_x": still, "velocity_y": still}


def turbulent(n, seeds=(0,)):
    """PDEArena's smoke in their box."""
    grid = ClosedBox((n, n), (32.0, 32.0))
    drawn = [SmokeNoise().sample(np.random.default_rng(seed), grid)["smoke"] for seed in seeds]
    return grid, at_rest(torch.stack(drawn))


def relative(a, b):
    return float((a - b).norm() / b.norm())


def test_uniform_smoke_stays_at_rest():
    solver = BuoyantSmoke(viscosity=1e-3, diffusivity=1e-3).discretise(
        ClosedBox((24, 20), (3.0, 1.0)), 1.0, dtype=DOUBLE
    )
    uniform = torch.full((1, 24, 20), 0.7, dtype=DOUBLE)
    state = repeat(solver.step, 3)(solver.initialise(at_rest(uniform)))
    assert (state.smoke - 0.7).abs().max() < 1e-13
    assert max(state.velocity_x.abs().max(), state.velocity_y.abs().max()) < 1e-13


def test_layered_smoke_stays_at_rest():
    # Hydrostatic: any s(y) is balanced by the pressure.
    grid = ClosedBox((16, 24), (1.0, 2.0))
    layers = torch.as_tensor(grid.y)[:, None].square().expand(1, 16, 24)
    solver = BuoyantSmoke(diffusivity=0.0).discretise(grid, 0.5, dtype=DOUBLE)
    state = repeat(solver.step, 4)(solver.initialise(at_rest(layers.clone())))
    torch.testing.assert_close(state.smoke, layers, rtol=0, atol=1e-13)
    assert max(state.velocity_x.abs().max(), state.velocity_y.abs().max()) < 1e-13


def test_without_buoyancy_smoke_only_diffuses():
    # Discrete eigenmode cos(pi x) cos(2 pi y), rate κ Σ (2 sin(k h / 2) / h)².
    n, kappa, time = 16, 0.05, 0.4
    grid = unit_box(n)
    y, x = torch.as_tensor(grid.y)[:, None], torch.as_tensor(grid.x)[None, :]
    mode = torch.cos(2 * math.pi * y) * torch.cos(math.pi * x)
    equation = BuoyantSmoke(diffusivity=kappa, buoyancy=0.0)
    solver = equation.discretise(grid, time / 50, dtype=DOUBLE)
    state = repeat(solver.step, 50)(solver.initialise(at_rest(mode[None])))
    rate = kappa * sum((2 * math.sin(k * math.pi / (2 * n)) * n) ** 2 for k in (1, 2))
    torch.testing.assert_close(state.smoke[0], mode * math.exp(-rate * time), rtol=0, atol=1e-7)
    assert state.velocity_y.abs().max() == 0
    still = BuoyantSmoke(buoyancy=0.0).discretise(grid, 1.0, dtype=DOUBLE)
    start = still.initialise(at_rest(mode[None]))
    assert torch.equal(still.step(start).smoke, start.smoke)


def stokes_decay_rate(n):
    """Decay of the slowest slow flow in the unit square, viscosity 1, per unit of time."""
    grid = unit_box(n)
    y, x = torch.as_tensor(grid.y)[:, None], torch.as_tensor(grid.x)[None, :]
    u = (torch.sin(math.pi * x) ** 2 * torch.sin(2 * math.pi * y))[None] * 1e-5
    fields = {"smoke": torch.zeros_like(u), "velocity_x": u, "velocity_y": -u.mT}
    equation = BuoyantSmoke(viscosity=1.0, buoyancy=0.0)
    solver = equation.discretise(grid, 0.02, dtype=DOUBLE)
    state = repeat(solver.step, 4)(solver.initialise(fields))
    later = solver.step(state)
    return float((state.velocity_x.norm() / later.velocity_x.norm()).log() / 0.02)


def test_slow_flow_decays_at_the_published_rate():
    # The first Stokes eigenvalue of the unit square, which is that of the buckling plate:
    # 52.3446911 (Bjørstad & Tjøstheim 1999, Computing 63). Second order.
    errors = [stokes_decay_rate(n) - 52.3446911 for n in (12, 24)]
    assert abs(errors[1]) < 0.3
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.3)


def test_smoke_is_conserved_and_bounded_and_the_flow_free_of_divergence():
    grid, start = turbulent(48)
    solver = BuoyantSmoke().discretise(grid, 1.5, dtype=DOUBLE)
    state = first = solver.initialise(start)
    for _ in range(16):
        state = solver.step(state)
        assert state.smoke.max() <= first.smoke.max() + 1e-13
        assert state.smoke.min() >= first.smoke.min() - 1e-13
        assert divergence(state.velocity_x, state.velocity_y, grid.spacing).abs().max() < 1e-12
    assert float(state.smoke.sum()) == pytest.approx(float(first.smoke.sum()), rel=1e-14)
    assert state.velocity_x.abs().max() > 1
    walls = (state.velocity_x[..., 0], state.velocity_x[..., -1], state.velocity_y[:, 0])
    assert all(wall.abs().max() == 0 for wall in walls)


def test_single_precision_keeps_mass_and_follows_double_precision():
    grid, start = turbulent(32)
    ends = [
        repeat(solver.step, 4)(solver.initialise(start))
        for dtype in (torch.float32, DOUBLE)
        for solver in [BuoyantSmoke().discretise(grid, 1.5, dtype=dtype)]
    ]
    assert ends[0].smoke.dtype == torch.float32
    assert float(ends[0].smoke.double().mean()) == pytest.approx(
        float(ends[1].smoke.mean()), rel=1e-6
    )
    assert relative(ends[0].smoke.double(), ends[1].smoke) < 1e-5


def vorticity_tendency_error(n):
    """Of a short inviscid step against -u·∇ω of a smooth flow, relative, away from walls."""
    corners = torch.arange(1, n, dtype=DOUBLE) / n
    y, x = torch.meshgrid(corners, corners, indexing="ij")

    def stream(x, y):
        return (torch.sin(math.pi * x) * torch.sin(math.pi * y)) ** 2 * torch.exp(x - 2 * y)

    def derivatives(function, x, y):
        x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
        return torch.autograd.grad(function(x, y).sum(), (x, y), create_graph=True)

    def vorticity(x, y):
        along_x = derivatives(lambda x, y: derivatives(stream, x, y)[0], x, y)[0]
        return -along_x - derivatives(lambda x, y: derivatives(stream, x, y)[1], x, y)[1]

    psi_x, psi_y = (d.detach() for d in derivatives(stream, x, y))
    omega_x, omega_y = (d.detach() for d in derivatives(vorticity, x, y))
    expected = -psi_y * omega_x + psi_x * omega_y
    edges = torch.arange(0, n + 1, dtype=DOUBLE) / n
    psi = stream(edges[None, :], edges[:, None])[None]
    equation, dt = BuoyantSmoke(viscosity=0.0, buoyancy=0.0), 1e-6
    solver = equation.discretise(unit_box(n), dt, dtype=DOUBLE)
    zero = torch.zeros(1, n, n, dtype=DOUBLE)
    still = solver.initialise({"smoke": zero, "velocity_x": zero, "velocity_y": zero})
    start = still._replace(velocity_x=psi.diff(dim=-2) * n, velocity_y=-psi.diff(dim=-1) * n)

    def curl(state):
        across = state.velocity_y[0, 1:-1].diff(dim=-1)
        return (across - state.velocity_x[0, :, 1:-1].diff(dim=-2)) * n

    found = (curl(solver.step(start)) - curl(start)) / dt
    inside = (slice(n // 4, -n // 4),) * 2
    return relative(found[inside], expected[inside])


def test_vorticity_is_carried_by_the_flow():
    errors = [vorticity_tendency_error(n) for n in (32, 64)]
    assert errors[1] < 0.01
    assert math.log2(errors[0] / errors[1]) > 1.7


def convecting(n, dt, time=0.2):
    equation = BuoyantSmoke(viscosity=0.02, diffusivity=0.02, buoyancy=20.0)
    solver = equation.discretise(unit_box(n), dt, dtype=DOUBLE)
    state = repeat(solver.step, round(time / dt))(solver.initialise(blob(n)))
    return solver.observe(state, unit_box(n))


def test_second_order_in_space():
    runs = [convecting(n, 0.2) for n in (12, 24, 48, 96)]
    assert runs[-1]["velocity_y"].max() > 0.7  # the cloud moves by its own width
    for name in ("smoke", "velocity_x", "velocity_y"):
        differences = [
            float((coarse[name] - average_cells(fine[name], coarse[name].shape[-2:])).norm())
            / coarse[name].shape[-1]
            for coarse, fine in itertools.pairwise(runs)
        ]
        orders = [math.log2(a / b) for a, b in itertools.pairwise(differences)]
        assert min(orders) > 1.7


def test_order_in_time():
    # Steps short enough that each is one sub-step. Third order, but for the switches of the
    # limiter and of the upwind side, at which the flux has a kink: 2.7 on average here.
    runs = [convecting(16, 0.2 / steps)["velocity_y"] for steps in (8, 16, 32, 64)]
    differences = [float((a - b).norm()) for a, b in itertools.pairwise(runs)]
    assert math.log2(differences[0] / differences[-1]) / 2 > 2.5


def test_energy_budget():
    # d/dt E = b <s v> - ν <ω²>: what buoyancy does, less what viscosity takes (no slip).
    n, dt = 64, 0.004
    equation = BuoyantSmoke(viscosity=0.02, diffusivity=0.02, buoyancy=20.0)
    solver = equation.discretise(unit_box(n), dt, dtype=DOUBLE)
    states = [repeat(solver.step, 30)(solver.initialise(blob(n)))]
    for _ in range(2):
        states.append(solver.step(states[-1]))

    def energy(state):
        return 0.5 * (state.velocity_x.square().sum() + state.velocity_y.square().sum()) / n**2

    seen = solver.observe(states[1], unit_box(n))
    work = 20.0 * (seen["smoke"] * seen["velocity_y"]).mean()
    _, u, v = states[1]
    inside = (v[:, 1:-1].diff(dim=-1) - u[..., 1:-1].diff(dim=-2)) * n
    sides = (u[0], u[0].flip(0), v[0].T, v[0].T.flip(0))
    walls = sum(((3 * side[0] - side[1] / 3) * n).square().sum() for side in sides)
    dissipation = 0.02 * (inside.square().sum() + walls / 2) / n**2
    rate = (energy(states[2]) - energy(states[0])) / (2 * dt)
    assert float(rate) == pytest.approx(float(work - dissipation), rel=0.01)
    assert dissipation > 0.1 * work


def test_initial_acceleration_is_proportional_to_buoyancy():
    start = blob(24)
    both = {name: u.expand(2, -1, -1) for name, u in start.items()}
    equations = (BuoyantSmoke(buoyancy=0.2), BuoyantSmoke(buoyancy=0.5))
    solver = equations[0].discretise(unit_box(24), 1e-4, variants=equations, dtype=DOUBLE)
    state = solver.step(solver.initialise(both))
    torch.testing.assert_close(
        state.velocity_y[1] / 0.5, state.velocity_y[0] / 0.2, rtol=0, atol=1e-12
    )
    # Against the pressure-free lift b s in the middle of the cloud: same sign, less.
    lift = 0.2e-4 * float(start["smoke"].max())
    assert 0.2 * lift < state.velocity_y[0].max() < lift


def test_every_trajectory_of_a_batch_runs_alone():
    # Three parameters and three clouds: different sub-steps, one of them none for a while.
    grid = unit_box(20)
    equations = (
        BuoyantSmoke(viscosity=0.01, diffusivity=0.0, buoyancy=1.0),
        BuoyantSmoke(viscosity=0.05, diffusivity=0.02, buoyancy=30.0),
        BuoyantSmoke(viscosity=0.002, diffusivity=0.001, buoyancy=-5.0),
    )
    starts = [blob(20, centre=c) for c in ((0.4, 0.3), (0.3, 0.6), (0.6, 0.5))]
    together = {name: torch.cat([s[name] for s in starts]) for name in starts[0]}
    solver = equations[0].discretise(grid, 0.2, variants=equations, dtype=DOUBLE)
    state = repeat(solver.step, 3)(solver.initialise(together))
    for row, (equation, start) in enumerate(zip(equations, starts, strict=True)):
        alone = equation.discretise(grid, 0.2, dtype=DOUBLE)
        expected = repeat(alone.step, 3)(alone.initialise(start))
        for u, v in zip(state, expected, strict=True):
            torch.testing.assert_close(u[row : row + 1], v, rtol=0, atol=1e-11)


def test_the_company_of_a_trajectory_does_not_change_a_bit_of_it():
    # Same width of the batch, so products round alike; the second row takes more or fewer
    # sub-steps than the first, which waits.
    starts = [blob(20, centre=c) for c in ((0.4, 0.3), (0.3, 0.6))]
    together = {name: torch.cat([s[name] for s in starts]) for name in starts[0]}
    ends = []
    for company in (0.1, 80.0):
        equations = (BuoyantSmoke(buoyancy=20.0), BuoyantSmoke(buoyancy=company))
        solver = equations[0].discretise(unit_box(20), 0.4, variants=equations)
        ends.append(repeat(solver.step, 2)(solver.initialise(together)))
    for one, other in zip(*ends, strict=True):
        assert torch.equal(one[0], other[0])
        assert one.shape == other.shape
    assert not torch.equal(ends[0].velocity_y[1], ends[1].velocity_y[1])


def test_a_large_batch_is_computed_in_parts():
    grid, start = turbulent(160, seeds=(0, 1, 2))
    equations = tuple(BuoyantSmoke(buoyancy=b) for b in (0.1, 0.2, 0.5))
    solver = equations[0].discretise(grid, 0.5, variants=equations)
    state = solver.step(solver.initialise(start))
    solver = equations[2].discretise(grid, 0.5)
    alone = solver.step(solver.initialise({name: u[2:] for name, u in start.items()}))
    assert state.smoke.shape == (3, 160, 160)
    torch.testing.assert_close(state.velocity_y[2:], alone.velocity_y, rtol=0, atol=1e-5)


def test_mirror_symmetry_is_kept():
    start = blob(32, centre=(0.3, 0.5))
    solver = BuoyantSmoke(viscosity=0.01, buoyancy=10.0).discretise(
        unit_box(32), 0.25, dtype=DOUBLE
    )
    state = repeat(solver.step, 4)(solver.initialise(start))
    assert state.velocity_y.abs().max() > 0.5
    torch.testing.assert_close(state.smoke, state.smoke.flip(-1), rtol=0, atol=1e-10)
    torch.testing.assert_close(state.velocity_x, -state.velocity_x.flip(-1), rtol=0, atol=1e-10)


def test_gradient_through_steps_agrees_with_differences():
    equation = BuoyantSmoke(viscosity=0.02, diffusivity=0.01, buoyancy=10.0)
    solver = equation.discretise(unit_box(12), 0.02, dtype=DOUBLE)
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(12, 12, dtype=DOUBLE, generator=generator)

    def objective(smoke):
        state = repeat(solver.step, 3)(solver.initialise(at_rest(smoke)))
        seen = solver.observe(state, unit_box(12))
        return (seen["smoke"] * weight + seen["velocity_y"] * weight.T).sum()

    start = blob(12)["smoke"].requires_grad_()
    (gradient,) = torch.autograd.grad(objective(start), start)
    direction = blob(12, centre=(0.5, 0.6))["smoke"]
    step = 1e-8  # the flux has kinks, so no longer
    with torch.no_grad():
        difference = objective(start + step * direction) - objective(start - step * direction)
    assert float((gradient * direction).sum()) == pytest.approx(
        float(difference) / (2 * step), rel=1e-6
    )


def test_one_long_step_is_as_good_as_short_ones():
    # From rest, where no velocity says yet how short a sub-step must be.
    grid, start = turbulent(32)
    ends = []
    for dt, steps in ((6.0, 1), (0.1, 60)):
        solver = BuoyantSmoke().discretise(grid, dt, dtype=DOUBLE)
        ends.append(repeat(solver.step, steps)(solver.initialise(start)))
    assert relative(ends[0].smoke, ends[1].smoke) < 1e-3
    assert relative(ends[0].velocity_y, ends[1].velocity_y) < 1e-3


def test_observing_and_starting_on_other_rungs():
    grid, start = turbulent(32)
    solver = BuoyantSmoke().discretise(grid, 1.5, dtype=DOUBLE)
    state = solver.step(solver.initialise(start))
    fine, coarse = (solver.observe(state, grid.at_resolution(n)) for n in (32, 8))
    for name in fine:
        torch.testing.assert_close(coarse[name], average_cells(fine[name], (8, 8)))
    for n in (16, 64):
        other = BuoyantSmoke().discretise(grid.at_resolution(n), 1.5, dtype=DOUBLE)
        begun = other.initialise(fine)
        spacing = other.grid.spacing
        assert divergence(begun.velocity_x, begun.velocity_y, spacing).abs().max() < 1e-12
        assert begun.smoke.mean() == pytest.approx(float(fine["smoke"].mean()), rel=1e-13)
        seen = other.observe(begun, grid.at_resolution(16))
        expected = solver.observe(state, grid.at_resolution(16))
        assert relative(seen["velocity_y"], expected["velocity_y"]) < 0.05
        assert relative(seen["smoke"], expected["smoke"]) < 1e-12


def test_a_state_comes_back_from_what_is_observed_of_it():
    errors = []
    for n in (32, 64):
        solver = BuoyantSmoke().discretise(unit_box(n), 0.2, dtype=DOUBLE)
        state = repeat(solver.step, 5)(solver.initialise(blob(n)))
        again = solver.initialise(solver.observe(state, solver.grid))
        assert torch.equal(again.smoke, state.smoke)
        errors.append(relative(again.velocity_y, state.velocity_y))
    assert errors[0] < 0.01
    assert errors[1] < errors[0] / 6


def test_a_flow_that_has_blown_up_ends_and_is_seen():
    solver = BuoyantSmoke().discretise(unit_box(8), 0.1, dtype=DOUBLE)
    start = solver.initialise(at_rest(torch.ones(2, 8, 8, dtype=DOUBLE)))
    start.velocity_x[1, 3, 3] = 1e20
    end = solver.step(start)
    assert solver.courant_number(end).isfinite().tolist() == [True, False]
    assert end.smoke[0].isfinite().all()


def test_a_smaller_share_of_the_limits_takes_more_sub_steps(monkeypatch):
    grid, start = turbulent(16)
    solver = BuoyantSmoke().discretise(grid, 6.0, dtype=DOUBLE)
    taken, sub_step = [0], solver._sub_step

    def counted(*arguments):
        taken[-1] += 1
        return sub_step(*arguments)

    monkeypatch.setattr(solver, "_sub_step", counted)
    solver.step(solver.initialise(start))
    solver.substep_share = 0.25
    taken.append(0)
    solver.step(solver.initialise(start))
    assert 3 * taken[0] < taken[1] < 6 * taken[0]


def test_courant_number_by_hand_and_of_what_is_not_finite():
    grid = ClosedBox((4, 8), (1.0, 4.0))
    solver = BuoyantSmoke().discretise(grid, 0.1, dtype=DOUBLE)
    state = solver.initialise(at_rest(torch.ones(2, 4, 8, dtype=DOUBLE)))
    # Through the cell go 3 to the right over half a unit and nothing else.
    state.velocity_x[:, 1, 3:5] = 3.0
    assert solver.courant_number(state)[0] == pytest.approx(0.1 * 3.0 / 0.5)
    state.smoke[1, 0, 0] = math.nan
    assert solver.courant_number(state).isfinite().tolist() == [True, False]
    assert not solver.step(state).smoke[1].isfinite().all()


def test_wrong_use_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="viscosity must be finite and not negative, got -1"):
        BuoyantSmoke(viscosity=-1.0)
    with pytest.raises(ValueError, match="diffusivity must be finite and not negative, got inf"):
        BuoyantSmoke(diffusivity=math.inf)
    with pytest.raises(ValueError, match="buoyancy must be finite, got nan"):
        BuoyantSmoke(buoyancy=math.nan)
    with pytest.raises(ValueError, match="needs a ClosedBox, got PeriodicBox"):
        BuoyantSmoke().discretise(PeriodicBox((8, 8)), 0.1)
    with pytest.raises(ValueError, match="at least 4 cells a side"):
        BuoyantSmoke().discretise(ClosedBox((2, 8)), 0.1)
    with pytest.raises(ValueError, match="time step must be positive, got 0"):
        BuoyantSmoke().discretise(unit_box(8), 0.0)
    solver = BuoyantSmoke().discretise(unit_box(8), 0.1)
    with pytest.raises(ValueError, match="there is no `velocity_x`, only smoke"):
        solver.initialise({"smoke": torch.zeros(1, 8, 8)})
