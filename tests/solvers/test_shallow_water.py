"""Shallow water: exact solutions, water at rest, drying, budgets, symmetries, edges, orders."""

import itertools
import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import Channel, ClosedBox, OpenBox, PeriodicBox
from pdesurrogate.initial_conditions import RadialDam, RandomDams
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import (
    OpenShallowWater,
    PeriodicShallowWater,
    RandomHills,
    ShallowWater,
    ShallowWaterState,
)
from pdesurrogate.transfer import average_cells
from tests.solvers.dam_break import ritter, stoker

DOUBLE = torch.float64
ISLANDS = RandomHills(count=6, height_range=(0.4, 1.5), width_range=(0.8, 1.5), seed=3)


def strip(kind, n, length):
    """Two rows of square cells: one dimension."""
    return kind((2, n), (2 * length / n, length))


def still(height):
    return {name: torch.zeros_like(height) for name in ("velocity_x", "velocity_y")}


def of_depth(height):
    return {"height": height, **still(height)}


def basin(n=32):
    return ClosedBox((n, n), (10.0, 10.0))


def dams(seeds, grid):
    """Water behind dams over islands, parts of it dry."""
    drawn = [RandomDams().sample(np.random.default_rng(seed), grid) for seed in seeds]
    return {name: torch.stack([fields[name] for fields in drawn]) for name in drawn[0]}


def energy(solver, state, gravity, bed=0.0):
    seen = solver.observe(state, solver.grid)
    h, speed2 = seen["height"], seen["velocity_x"] ** 2 + seen["velocity_y"] ** 2
    return (0.5 * h * speed2 + gravity * h * (0.5 * h + bed)).sum(dim=(-2, -1))


def relative_l1(a, b):
    return float(np.abs(a - b).mean() / np.abs(b).mean())


def dam_break_errors(n, right, exact, time=0.5):
    """Relative L1 errors of depth and momentum along a strip of length 4, dam in the middle."""
    grid = strip(OpenBox, n, 4.0)
    x = torch.as_tensor(grid.x) - 2.0
    height = torch.where(x < 0, 1.0, right).expand(1, 2, n)
    solver = OpenShallowWater(gravity=1.0, dry_depth=1e-6).discretise(grid, time, dtype=DOUBLE)
    seen = solver.observe(solver.step(solver.initialise(of_depth(height))), grid)
    fine = (np.arange(16 * n) + 0.5) * (4.0 / (16 * n)) - 2.0
    depth, velocity = exact(fine / time)
    depth, momentum = (u.reshape(n, 16).mean(axis=1) for u in (depth, depth * velocity))
    computed = seen["height"][0, 0].numpy()
    return (
        relative_l1(computed, depth),
        relative_l1(computed * seen["velocity_x"][0, 0].numpy(), momentum),
    )


def test_a_dam_break_onto_water_is_stokers():
    errors = [dam_break_errors(n, 0.2, lambda xi: stoker(xi, 1.0, 0.2, 1.0)) for n in (100, 400)]
    # One cell at the bore, and the corners of the fan: first order in L1.
    assert errors[1][0] < 1.5e-3
    assert errors[1][1] < 8e-3
    assert all(a / b > 3.0 for a, b in zip(*errors, strict=True))


def test_a_dam_break_onto_dry_land_is_ritters():
    errors = [dam_break_errors(n, 0.0, lambda xi: ritter(xi, 1.0, 1.0)) for n in (100, 400)]
    assert errors[1][0] < 2e-3
    assert errors[1][1] < 1.2e-2
    assert all(a / b > 3.0 for a, b in zip(*errors, strict=True))


def simple_wave(x, time, gravity=1.0, amplitude=0.2):
    """Depth and velocity of a wave that runs to the right and steepens, exact until it breaks.

    Along a characteristic of speed `u + c` both are constant, with `u = 2 (c - c_0)`.
    """
    start = x.copy()
    for _ in range(200):
        c = np.sqrt(gravity * (1 + amplitude * np.sin(2 * np.pi * start)))
        start = x - (3 * c - 2 * math.sqrt(gravity)) * time
    return c**2 / gravity, 2 * (c - math.sqrt(gravity))


@pytest.mark.parametrize("axis", [-1, -2])
def test_order_on_a_steepening_wave(axis):
    errors = []
    for n in (64, 128, 256):
        grid = strip(PeriodicBox, n, 1.0)
        if axis == -2:
            grid = PeriodicBox(grid.num_points[::-1], grid.domain_extent[::-1])
        nodes = np.arange(n) / n
        inside = (np.arange(8) + 0.5) / (8 * n) - 0.5 / n

        def averages(time, points=nodes[:, None] + inside):
            h, u = simple_wave(points, time)
            h, m = h.mean(axis=1), (h * u).mean(axis=1)
            lines = (torch.from_numpy(v).expand(1, 2, -1) for v in (h, m))
            return [v if axis == -1 else v.mT.contiguous() for v in lines]

        h, m = averages(0.0)
        names = ("velocity_x", "velocity_y") if axis == -1 else ("velocity_y", "velocity_x")
        fields = {"height": h, names[0]: m / h, names[1]: torch.zeros_like(h)}
        solver = PeriodicShallowWater(gravity=1.0).discretise(grid, 0.3, dtype=DOUBLE)
        state = solver.step(solver.initialise(fields))
        errors.append(float((state.height - averages(0.3)[0]).abs().mean()))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders.min() > 1.8
    assert errors[-1] < 1e-4


def test_order_over_a_bed_in_two_dimensions():
    # Against itself: differences of successive grids, no wave has broken yet.
    bed = RandomHills(count=5, height_range=(0.1, 0.3), width_range=(0.15, 0.25), seed=1)
    equation = ShallowWater(gravity=1.0, bathymetry=bed)
    heights = []
    for n in (32, 64, 128, 256):
        grid = ClosedBox((n, n), (1.0, 1.0))
        y, x = torch.as_tensor(grid.y)[:, None], torch.as_tensor(grid.x)[None, :]
        surface = 1 + 0.1 * torch.cos(math.pi * x) * torch.cos(2 * math.pi * y)
        solver = equation.discretise(grid, 0.2, dtype=DOUBLE)
        state = solver.step(solver.initialise({"surface": surface[None], **still(surface[None])}))
        heights.append(solver.observe(state, grid.at_resolution(32))["height"])
    steps = [float((a - b).abs().mean()) for a, b in itertools.pairwise(heights)]
    assert np.log2(np.array(steps[:-1]) / steps[1:]).min() > 1.8


@pytest.mark.parametrize(("dtype", "tolerance"), [(DOUBLE, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("kind", [ShallowWater, OpenShallowWater, PeriodicShallowWater])
def test_a_lake_stays_at_rest_over_any_bed(kind, dtype, tolerance):
    grid = kind.grid_type((48, 40), (12.0, 10.0))
    variants = [kind(bathymetry=RandomHills(8, (-1.0, 2.0), (0.4, 1.5), seed)) for seed in range(4)]
    solver = variants[0].discretise(grid, 0.5, variants=variants, dtype=dtype)
    surface = torch.full((4, 48, 40), 0.3, dtype=dtype)
    start = solver.initialise({"surface": surface, **still(surface)})
    state = repeat(solver.step, 10)(start)
    dry = start.height == 0
    assert dry.any(dim=(-2, -1)).all()
    assert not dry.all(dim=(-2, -1)).any()
    assert (state.height - start.height).abs().max() < tolerance
    assert max(state.momentum_x.abs().max(), state.momentum_y.abs().max()) < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(DOUBLE, 1e-13), (torch.float32, 1e-5)])
def test_violent_drying_keeps_depths_positive_and_mass(dtype, tolerance):
    # Deep water falls off the islands, over dry land and back from the walls.
    grid = basin()
    solver = ShallowWater(bathymetry=ISLANDS).discretise(grid, 0.2, dtype=dtype)
    fields = dams(range(4), grid)
    fields["velocity_x"] = torch.where(fields["surface"] > 1, 8.0, -8.0)
    start = state = solver.initialise(fields)
    assert (start.height == 0).any()
    for _ in range(20):
        state = solver.step(state)
        assert state.height.min() >= 0
        assert all(u.isfinite().all() for u in state)
    mass, before = (s.height.double().sum(dim=(-2, -1)) for s in (state, start))
    assert ((mass - before) / before).abs().max() < tolerance
    assert (state.height - start.height).abs().max() > 0.5


def test_no_cell_gives_more_water_than_it_has():
    # Two columns rush apart at eight times the speed of waves.
    grid = strip(ClosedBox, 64, 1.0)
    x = torch.as_tensor(grid.x).expand(1, 2, 64)
    height = torch.where((x - 0.5).abs() < 0.1, 1.0, 0.0)
    fields = of_depth(height) | {"velocity_x": 8 * (x - 0.5).sign()}
    solver = ShallowWater(gravity=1.0).discretise(grid, 0.01, dtype=DOUBLE)
    start = state = solver.initialise(fields)
    for _ in range(8):
        state = solver.step(state)
        assert state.height.min() >= 0
        assert float(state.height.sum()) == pytest.approx(float(start.height.sum()), rel=1e-14)
    assert float(state.height[..., 31:33].max()) < 3e-3


@pytest.mark.parametrize("kind", [ShallowWater, PeriodicShallowWater])
def test_mass_is_conserved_and_momentum_where_nothing_pushes(kind):
    grid = kind.grid_type((24, 32), (3.0, 4.0))
    generator = torch.Generator().manual_seed(0)
    h = torch.rand(2, 24, 32, dtype=DOUBLE, generator=generator) + 0.2
    u, v = torch.randn(2, 2, 24, 32, dtype=DOUBLE, generator=generator)
    solver = kind(gravity=1.0).discretise(grid, 0.1, dtype=DOUBLE)
    start = solver.initialise({"height": h, "velocity_x": u, "velocity_y": v})
    state = repeat(solver.step, 10)(start)
    for now, then in list(zip(state, start, strict=True))[: 1 if kind is ShallowWater else 3]:
        drift = (now - then).sum(dim=(-2, -1)).abs() / then.abs().sum(dim=(-2, -1))
        assert drift.max() < 1e-13


def test_mirrored_and_turned_water_flows_alike():
    grid = basin(24)
    solver = ShallowWater(gravity=9.81).discretise(grid, 0.3, dtype=DOUBLE)
    surface = dams([0], grid)["surface"].clamp(min=0)
    noise = torch.randn(2, 1, 24, 24, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))

    def run(h, u, v):
        fields = {"height": h, "velocity_x": u, "velocity_y": v}
        return repeat(solver.step, 4)(solver.initialise(fields))

    h, p, q = run(surface, *noise)
    mirrored = run(surface.flip(-1), -noise[0].flip(-1), noise[1].flip(-1))
    for a, b in zip(mirrored, (h.flip(-1), -p.flip(-1), q.flip(-1)), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)
    turned = run(surface.mT, noise[1].mT, noise[0].mT)
    for a, b in zip(turned, (h.mT, q.mT, p.mT), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


def test_a_round_dam_stays_round():
    grid = OpenBox((64, 64), (5.0, 5.0))
    fields = RadialDam().sample(np.random.default_rng(0), grid)
    solver = OpenShallowWater(gravity=1.0).discretise(grid, 1.0, dtype=DOUBLE)
    state = solver.step(solver.initialise({name: u[None] for name, u in fields.items()}))
    torch.testing.assert_close(state.height, state.height.mT, rtol=0, atol=1e-12)
    torch.testing.assert_close(state.height, state.height.flip(-1), rtol=0, atol=1e-12)
    # Along the axes and along the diagonals, at the same distances.
    profile = torch.as_tensor(np.interp(np.arange(10) / 5, grid.x - 2.5, state.height[0, 32]))
    slant = np.diagonal(state.height[0].numpy())
    diagonal = torch.as_tensor(np.interp(np.arange(10) / 5, (grid.x - 2.5) * math.sqrt(2), slant))
    assert float((profile - diagonal).abs().max()) < 0.06


def test_long_waves_run_at_the_root_of_g_h():
    # The seiche of a closed basin: period 2 L / sqrt(g H).
    depth, gravity, n, length = 2.5, 9.81, 64, 3.0
    grid = strip(ClosedBox, n, length)
    mode = torch.cos(math.pi * torch.as_tensor(grid.x) / length).expand(1, 2, n)
    quarter = length / (2 * math.sqrt(gravity * depth))
    solver = ShallowWater(gravity=gravity).discretise(grid, quarter / 50, dtype=DOUBLE)
    state = solver.initialise(of_depth(depth + 1e-5 * mode))
    amplitudes = []
    for _ in range(100):
        state = solver.step(state)
        amplitudes.append(float(((state.height - depth) * mode).mean() / 5e-6))
    crossing = float(np.interp(0.0, -np.array(amplitudes), np.arange(1, 101) / 50))
    assert crossing == pytest.approx(1.0, rel=2e-3)
    assert amplitudes[-1] == pytest.approx(-1.0, abs=0.01)


def energies(fields, bathymetry, frames=40):
    """After every frame, relative to the first, in the basin."""
    grid = basin()
    solver = ShallowWater(bathymetry=bathymetry).discretise(grid, 0.05, dtype=DOUBLE)
    bed = 0.0 if bathymetry is None else bathymetry.cell_averages(grid)
    state = solver.initialise(fields)
    values = [energy(solver, state, 9.81, bed)]
    for _ in range(frames):
        state = solver.step(state)
        values.append(energy(solver, state, 9.81, bed))
    return torch.stack(values) / values[0]


def test_energy_does_not_grow():
    fields = dams(range(3), basin())
    deep = {**fields, "surface": fields["surface"] + 2}
    assert energies(deep, ISLANDS).diff(dim=0).max() < 0
    assert (
        energies({**fields, "surface": fields["surface"].clamp(min=0.5)}, None).diff(dim=0).max()
        < 0
    )
    # Where water runs onto dry land too much is lost at first, and a little of it comes back.
    over_land = energies(fields, ISLANDS)
    assert over_land.diff(dim=0).max() < 6e-3
    assert (over_land[1:] < 1).all()
    assert (over_land[-1] < 0.9).all()


def test_a_bore_loses_the_energy_that_it_must():
    # g (h_2 - h_1)^3 / (4 h_1 h_2) per unit of mass that passes (Stoker 1957, §10.6).
    grid = strip(OpenBox, 400, 4.0)
    high, low, gravity = 2.0, 1.0, 1.0
    speed = math.sqrt(gravity * high * (high + low) / (2 * low))
    u = speed * (high - low) / high
    behind = torch.as_tensor(grid.x < 1.0).expand(1, 2, 400)
    fields = of_depth(torch.where(behind, high, low).double())
    fields["velocity_x"] = torch.where(behind, u, 0.0).double()
    solver = OpenShallowWater(gravity=gravity).discretise(grid, 0.5, dtype=DOUBLE)
    states = [solver.initialise(fields)]
    for _ in range(2):
        states.append(solver.step(states[-1]))
    before, after = (float(energy(solver, s, gravity)[0]) / 2 * 0.01 for s in states[1:])
    inflow = u * (0.5 * high * u**2 + gravity * high**2) * 0.5
    lost = (before + inflow - after) / 0.5
    mass = low * speed
    assert lost == pytest.approx(mass * gravity * (high - low) ** 3 / (4 * low * high), rel=0.02)


def test_a_wall_is_a_mirror():
    wide, half = strip(OpenBox, 128, 4.0), ClosedBox((2, 64), (4 / 64, 2.0))
    x = torch.as_tensor(half.x)
    hump = (1 + 0.4 * torch.exp(-(((x - 1.2) / 0.2) ** 2))).expand(1, 2, 64)
    mirrored = torch.cat([hump, hump.flip(-1)], dim=-1)
    walled = ShallowWater(gravity=1.0).discretise(half, 0.8, dtype=DOUBLE)
    free = OpenShallowWater(gravity=1.0).discretise(wide, 0.8, dtype=DOUBLE)
    one = walled.step(walled.initialise(of_depth(hump)))
    two = free.step(free.initialise(of_depth(mirrored)))
    assert float((one.height[..., -1] - 1).max()) > 0.1
    # The left end of the one is a wall, of the other open: the wave has not come back from there.
    torch.testing.assert_close(one.height[..., 48:], two.height[..., 48:64], rtol=0, atol=1e-12)


def test_beyond_an_open_side_all_is_as_in_the_last_cell():
    short, long = strip(OpenBox, 32, 1.0), OpenBox((2, 40), (2 / 32, 40 / 32))
    height = (1 + torch.rand(1, 2, 32, dtype=DOUBLE)).cumsum(dim=-1)
    longer = torch.cat([height[..., :1]] * 4 + [height] + [height[..., -1:]] * 4, dim=-1)
    changes = []
    for grid, h in ((short, height), (long, longer)):
        solver = OpenShallowWater(gravity=1.0).discretise(grid, 1e-6, dtype=DOUBLE)
        state = solver.step(solver.initialise(of_depth(h) | {"velocity_x": 0.1 * h}))
        changes.append(state.height - h)
    torch.testing.assert_close(changes[0], changes[1][..., 4:-4], rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("axis", [-1, -2])
def test_waves_leave_an_open_box(axis):
    grid = strip(OpenBox, 128, 4.0)
    hump = 0.2 * torch.exp(-((torch.as_tensor(grid.x) - 2.0) ** 2) / 0.1)
    height = (1 + hump).expand(1, 2, 128)
    if axis == -2:
        grid = OpenBox(grid.num_points[::-1], grid.domain_extent[::-1])
        height = height.mT.contiguous()
    solver = OpenShallowWater(gravity=1.0).discretise(grid, 5.0, dtype=DOUBLE)
    state = solver.step(solver.initialise(of_depth(height)))
    assert float((state.height - 1).abs().max()) < 0.005 * 0.2
    walled = ShallowWater(gravity=1.0).discretise(
        ClosedBox(grid.num_points, grid.domain_extent), 5.0, dtype=DOUBLE
    )
    state = walled.step(walled.initialise(of_depth(height)))
    assert float((state.height - 1).abs().max()) > 0.2 * 0.2


def test_the_step_can_be_differentiated():
    grid = ClosedBox((12, 10), (1.2, 1.0))
    y, x = torch.as_tensor(grid.y)[:, None], torch.as_tensor(grid.x)[None, :]
    weights = torch.sin(3 * x + y)
    solver = ShallowWater(gravity=1.0).discretise(grid, 0.1, dtype=DOUBLE)

    def outcome(amplitude):
        surface = 1 + amplitude * torch.cos(math.pi * x + 0.3) * torch.cos(math.pi * y / 1.2 + 0.1)
        return (weights * solver.step(solver.initialise(of_depth(surface[None]))).height).sum()

    amplitude = torch.tensor(0.1, dtype=DOUBLE, requires_grad=True)
    outcome(amplitude).backward()
    with torch.no_grad():
        slope = (outcome(amplitude + 1e-6) - outcome(amplitude - 1e-6)) / 2e-6
    assert float(amplitude.grad) == pytest.approx(float(slope), rel=1e-6)


def test_gradients_are_finite_on_dry_land():
    grid = basin(16)
    solver = ShallowWater(bathymetry=ISLANDS).discretise(grid, 0.2, dtype=DOUBLE)
    fields = dams([0], grid)
    surface = fields["surface"].requires_grad_()
    state = repeat(solver.step, 2)(solver.initialise({**fields, "surface": surface}))
    assert (state.height == 0).any()
    sum(u.square().sum() for u in state).backward()
    assert surface.grad.isfinite().all()
    assert surface.grad.abs().max() > 0


def test_variants_are_runs_of_their_own():
    grid = basin(24)
    equations = [
        ShallowWater(gravity=9.81, bathymetry=RandomHills(seed=1), dry_depth=1e-4),
        ShallowWater(gravity=3.7, bathymetry=RandomHills(seed=2), dry_depth=1e-3),
        ShallowWater(gravity=1.6, bathymetry=ISLANDS),
    ]
    fields = dams(range(3), grid)
    together = equations[0].discretise(grid, 0.4, variants=equations, dtype=DOUBLE)
    coarse = grid.at_resolution(12)
    state = repeat(together.step, 3)(together.initialise(fields))
    seen, rates = together.observe(state, coarse), together.courant_number(state)
    for i, equation in enumerate(equations):
        alone = equation.discretise(grid, 0.4, dtype=DOUBLE)
        own = repeat(alone.step, 3)(
            alone.initialise({name: u[i : i + 1] for name, u in fields.items()})
        )
        for name, values in alone.observe(own, coarse).items():
            assert torch.equal(values[0], seen[name][i])
        assert alone.courant_number(own)[0] == rates[i]


def test_a_large_batch_is_worked_on_in_parts():
    grid = basin(128)
    equations = [ShallowWater(bathymetry=RandomHills(seed=seed)) for seed in range(5)]
    solver = equations[0].discretise(grid, 0.02, variants=equations)
    fields = {name: u.float() for name, u in dams(range(5), grid).items()}
    state = solver.step(solver.initialise(fields))
    alone = equations[4].discretise(grid, 0.02)
    own = alone.step(alone.initialise({name: u[4:] for name, u in fields.items()}))
    assert torch.equal(state.height[4:], own.height)


def test_what_is_observed():
    grid = basin(16)
    flat = ShallowWater()
    assert [f.name for f in flat.fields] == ["height", "velocity_x", "velocity_y"]
    equation = ShallowWater(bathymetry=ISLANDS)
    assert equation.fields[-1].is_static
    solver = equation.discretise(grid, 0.1, dtype=DOUBLE)
    state = repeat(solver.step, 3)(solver.initialise(dams([0], grid)))
    seen = solver.observe(state, grid.at_resolution(8))
    assert list(seen) == [f.name for f in equation.fields]
    torch.testing.assert_close(seen["height"], average_cells(state.height, (8, 8)))
    torch.testing.assert_close(
        seen["bathymetry"][0], average_cells(ISLANDS.cell_averages(grid), (8, 8))
    )
    full = solver.observe(state, grid)
    torch.testing.assert_close(seen["velocity_x"], average_cells(full["velocity_x"], (8, 8)))
    wet = full["height"] > equation.dry_depth
    torch.testing.assert_close((full["height"] * full["velocity_x"])[wet], state.momentum_x[wet])


def test_starting_from_other_rungs_keeps_mass_and_rest():
    grid = basin(32)
    solver = ShallowWater(bathymetry=ISLANDS).discretise(grid, 0.1, dtype=DOUBLE)
    state = repeat(solver.step, 3)(solver.initialise(dams([1], grid)))
    low = solver.observe(state, grid.at_resolution(16))
    again = solver.initialise(low)
    torch.testing.assert_close(average_cells(again.height, (16, 16)), low["height"])
    coarse = ShallowWater(bathymetry=ISLANDS).discretise(grid.at_resolution(16), 0.1, dtype=DOUBLE)
    down = coarse.initialise(solver.observe(state, grid))
    torch.testing.assert_close(down.momentum_x, average_cells(state.momentum_x, (16, 16)))
    # A lake that covers the bed is level on the finer grid too.
    deep = torch.full((1, 32, 32), 4.0, dtype=DOUBLE)
    lake = solver.initialise({"surface": deep, **still(deep)})
    finer = ShallowWater(bathymetry=ISLANDS).discretise(basin(64), 0.1, dtype=DOUBLE)
    height = finer.initialise(solver.observe(lake, grid)).height
    assert (height + ISLANDS.cell_averages(basin(64)) - 4).abs().max() < 1e-4


def test_a_lost_trajectory_is_told_and_leaves_the_others():
    grid = basin(16)
    solver = ShallowWater().discretise(grid, 0.1, dtype=DOUBLE)
    height = torch.ones(2, 16, 16, dtype=DOUBLE)
    height[0, 3, 3] = math.nan
    state = solver.step(solver.initialise(of_depth(height)))
    assert solver.courant_number(state).isfinite().tolist() == [False, True]
    assert isinstance(state, ShallowWaterState)
    torch.testing.assert_close(state.height[1], height[1])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"gravity": 0.0}, "gravity must be positive and finite, got 0.0"),
        ({"gravity": math.inf}, "gravity must be positive and finite, got inf"),
        ({"dry_depth": -1.0}, "dry_depth must be positive and finite, got -1.0"),
    ],
)
def test_impossible_parameters_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        ShallowWater(**change)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="ShallowWater needs a ClosedBox, got Channel"):
        ShallowWater().discretise(Channel((8, 8)), 0.1)
    with pytest.raises(ValueError, match="OpenShallowWater needs a OpenBox, got ClosedBox"):
        OpenShallowWater().discretise(basin(), 0.1)
    with pytest.raises(ValueError, match="time step must be positive, got 0"):
        ShallowWater().discretise(basin(), 0.0)
    with pytest.raises(ValueError, match="there is no `velocity_y`, only surface, velocity_x"):
        ShallowWater().discretise(basin(), 0.1).initialise(
            {name: torch.ones(1, 32, 32) for name in ("surface", "velocity_x")}
        )
    with pytest.raises(ValueError, match=r"narrowest hill is 1\.3 cells wide on 16 x 16 cells"):
        ShallowWater(bathymetry=ISLANDS).check_resolved(basin(16))
    ShallowWater(bathymetry=ISLANDS).check_resolved(basin(32))
    ShallowWater().check_resolved(basin(4))
