"""Shallow water on a rotating plane against exact waves, conservation laws and its order."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import ClosedBox, PeriodicBox
from pdesurrogate.initial_conditions import BalancedTurbulence
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import (
    Diagnosing,
    Equation,
    EquatorialPlane,
    RotatingShallowWater,
    Solver,
    UniformRotation,
)
from pdesurrogate.transfer import resample

DOUBLE = torch.float64
LENGTH = 1e7
BOX = PeriodicBox((32, 32), (LENGTH, LENGTH))
HOUR = 3600.0
IDEAL = RotatingShallowWater(gravity=9.81, mean_depth=250.0, coriolis=UniformRotation(1e-4))
SPEED = math.sqrt(9.81 * 250.0)
STATE = BalancedTurbulence(max_wavenumber=6, peak_wavenumber=3.0, rossby_range=(0.2, 0.2))


def sampled(grid: PeriodicBox = BOX, seed: int = 0) -> dict[str, Tensor]:
    fields = STATE.sample(np.random.default_rng(seed), grid)
    return {name: field[None] for name, field in fields.items()}


def run(
    equation: RotatingShallowWater,
    fields: dict[str, Tensor],
    dt: float,
    steps: int,
    grid: PeriodicBox = BOX,
) -> dict[str, Tensor]:
    solver = equation.discretise(grid, dt, dtype=DOUBLE)
    return solver.observe(repeat(solver.step, steps)(solver.initialise(fields)), grid)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def points(grid: PeriodicBox) -> tuple[Tensor, Tensor]:
    return torch.as_tensor(grid.y)[:, None], torch.as_tensor(grid.x)[None, :]


def test_it_keeps_the_contracts():
    assert isinstance(IDEAL, Equation)
    assert isinstance(IDEAL.discretise(BOX, 600.0), Solver)
    names = [field.name for field in IDEAL.fields if field.is_prognostic]
    assert names == ["height", "velocity_x", "velocity_y"]
    assert (IDEAL.time_units, IDEAL.length_units) == ("s", "m")
    seen = run(IDEAL, sampled(), HOUR, 1)
    assert list(seen) == [field.name for field in IDEAL.fields]


def poincare_wave(
    waves: tuple[int, int], f: float, grid: PeriodicBox, time: float, amplitude: float
) -> dict[str, Tensor]:
    """Textbook form: along k the velocity follows the depth, across k it lags by a quarter."""
    ky, kx = (2 * math.pi * n / e for n, e in zip(waves, grid.domain_extent, strict=True))
    k = math.hypot(kx, ky)
    frequency = math.sqrt(f**2 + SPEED**2 * k**2)
    y, x = points(grid)
    phase = kx * x + ky * y - frequency * time
    along = frequency / (k * 250.0) * amplitude * torch.cos(phase)
    across = f / (k * 250.0) * amplitude * torch.sin(phase)
    return {
        "height": (250.0 + amplitude * torch.cos(phase))[None],
        "velocity_x": ((kx * along - ky * across) / k)[None],
        "velocity_y": ((ky * along + kx * across) / k)[None],
    }


def wave_error(
    equation: RotatingShallowWater, waves: tuple[int, int], dt: float, steps: int
) -> float:
    grid, f = PeriodicBox((24, 16), (LENGTH, 0.8 * LENGTH)), equation.coriolis.mean
    end = run(equation, poincare_wave(waves, f, grid, 0.0, 1e-7), dt, steps, grid)
    expected = poincare_wave(waves, f, grid, dt * steps, 1e-7)
    end, expected = (
        {**seen, "height": (seen["height"] - 250.0) * SPEED / 250.0} for seen in (end, expected)
    )
    return relative(*(torch.stack([q[n] for n in expected]) for q in (end, expected)))


@pytest.mark.parametrize("f", [1e-4, -1e-4, 0.0])
@pytest.mark.parametrize("waves", [(0, 3), (2, 0), (-4, 3), (5, 5)])
def test_gravity_inertia_waves_have_their_frequency(f, waves):
    # Four to fourteen periods; what is left is the rounding of 250 m, 1e-13, beside 1e-7.
    equation = dataclasses.replace(IDEAL, coriolis=UniformRotation(f))
    assert wave_error(equation, waves, 3 * HOUR, 33) < 2e-6


def test_gravity_inertia_waves_have_their_frequency_whatever_depth_is_assumed():
    equation = dataclasses.replace(IDEAL, mean_depth=220.0)
    errors = [wave_error(equation, (-4, 3), 48 * HOUR / n, n) for n in (48, 96)]
    assert errors[1] < 1e-4
    assert errors[0] / errors[1] > 14


def test_the_mean_flow_turns_with_the_inertial_frequency():
    one = torch.ones(1, 32, 32, dtype=DOUBLE)
    end = run(IDEAL, {"height": 250 * one, "velocity_x": 3 * one, "velocity_y": 0 * one}, HOUR, 30)
    angle = 1e-4 * 30 * HOUR
    assert relative(end["velocity_x"], 3 * math.cos(angle) * one) < 1e-12
    assert relative(end["velocity_y"], -3 * math.sin(angle) * one) < 1e-12


@pytest.mark.parametrize("coriolis", [UniformRotation(1e-4), UniformRotation(-2e-5)])
def test_a_parallel_flow_in_geostrophic_balance_is_steady(coriolis):
    f, wave = coriolis.parameter, 2 * math.pi * 2 / LENGTH
    y, x = points(BOX)
    still = 0 * (x + y)[None]
    u = 10 * torch.cos(wave * y) + still
    height = 250.0 - f / 9.81 * 10 / wave * torch.sin(wave * y) + still
    equation = dataclasses.replace(IDEAL, coriolis=coriolis)
    end = run(equation, {"height": height, "velocity_x": u, "velocity_y": still}, HOUR, 240)
    assert relative(end["velocity_x"], u) < 1e-12
    assert relative(end["height"], height) < 1e-13
    assert end["velocity_y"].abs().max() < 1e-10
    # Turned by a right angle.
    turned = {"height": height.mT, "velocity_x": still, "velocity_y": -u.mT}
    end = run(equation, turned, HOUR, 240)
    assert relative(end["velocity_y"], -u.mT) < 1e-12
    assert end["velocity_x"].abs().max() < 1e-10


def kelvin_wave(grid: PeriodicBox, time: float, direction: int) -> dict[str, Tensor]:
    r"""A bump on the equator; $\int f dy = - f_0 L / 2\pi \cos(2\pi y / L)$."""
    (ly, lx), (y, x) = grid.domain_extent, points(grid)
    shape = torch.exp(4 * (torch.cos(2 * math.pi * (x - direction * SPEED * time) / lx) - 1))
    across = 2e-5 * ly / (2 * math.pi * SPEED) * (torch.cos(2 * math.pi * y / ly) - 1)
    anomaly = (1e-7 * shape * torch.exp(across))[None]
    u = direction * math.sqrt(9.81 / 250.0) * anomaly
    return {"height": 250.0 + anomaly, "velocity_x": u, "velocity_y": 0 * u}


def test_kelvin_waves_run_east_along_the_equator_in_their_shape():
    grid = PeriodicBox((32, 48), (LENGTH, LENGTH))
    equation = dataclasses.replace(IDEAL, coriolis=EquatorialPlane(2e-5))
    start = kelvin_wave(grid, 0.0, 1)
    once_round = LENGTH / SPEED
    for share in (0.3, 1.0):
        end = run(equation, start, share * once_round / 60, 60, grid)
        expected = kelvin_wave(grid, share * once_round, 1)
        assert relative(end["height"] - 250.0, expected["height"] - 250.0) < 1e-5
        assert relative(end["velocity_x"], expected["velocity_x"]) < 1e-5
        assert end["velocity_y"].abs().max() < 1e-5 * expected["velocity_x"].abs().max()


def test_there_is_no_kelvin_wave_to_the_west():
    grid = PeriodicBox((32, 48), (LENGTH, LENGTH))
    equation = dataclasses.replace(IDEAL, coriolis=EquatorialPlane(2e-5))
    passed = 0.3 * LENGTH / SPEED
    end = run(equation, kelvin_wave(grid, 0.0, -1), passed / 60, 60, grid)
    expected = kelvin_wave(grid, passed, -1)
    assert relative(end["height"] - 250.0, expected["height"] - 250.0) > 0.3
    assert end["velocity_y"].abs().max() > 0.1 * expected["velocity_x"].abs().max()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_wavelength_decays_at_its_own_rate_on_every_grid(order):
    wave = 2 * math.pi * 3 / LENGTH
    coefficient = 2 / (48 * HOUR * wave ** (2 * order))
    equation = dataclasses.replace(IDEAL, hyperviscosity=coefficient, hyperviscosity_order=order)
    for grid in (BOX, PeriodicBox((16, 24), (LENGTH, LENGTH))):
        y, x = points(grid)
        still = 0 * (x + y)[None]
        u = 1e-6 * torch.cos(wave * y) + still
        anomaly = -1e-4 / 9.81 * 1e-6 / wave * torch.sin(wave * y) + still
        start = {"height": 250.0 + anomaly, "velocity_x": u, "velocity_y": still}
        end = run(equation, start, HOUR, 48, grid)
        assert relative(end["velocity_x"], math.exp(-2) * u) < 1e-6
        assert relative(end["height"] - 250.0, math.exp(-2) * anomaly) < 1e-5


def drifts(equation: RotatingShallowWater, steps: int, grid: PeriodicBox) -> list[float]:
    """Relative changes of mass, energy and potential enstrophy in two days."""
    solver = equation.discretise(grid, 48 * HOUR / steps, dtype=DOUBLE)
    start = solver.initialise(sampled(grid))
    before, after = solver.diagnose(start), solver.diagnose(repeat(solver.step, steps)(start))
    return [float(after[d.name] / before[d.name]) - 1 for d in equation.diagnostics]


def test_the_diagnostics_are_the_means_that_they_claim_to_be():
    equation = dataclasses.replace(IDEAL, coriolis=EquatorialPlane(1e-4))
    y, x = points(BOX)
    wave = 2 * math.pi / LENGTH
    one = torch.ones(1, 32, 32, dtype=DOUBLE)
    flow = {
        "height": (250 + 10 * torch.cos(wave * x)) * one,
        "velocity_x": 20 * torch.cos(wave * y) * one,
        "velocity_y": 0 * one,
    }
    solver = equation.discretise(BOX, HOUR, dtype=DOUBLE)
    assert isinstance(solver, Diagnosing)
    found = solver.diagnose(solver.initialise(flow))
    assert list(found) == [d.name for d in equation.diagnostics]
    # Vorticity and f are both in sin(wave y): sum^2 has the mean 1/2, 1/h that of a Poisson kernel.
    expected = {
        "mass": 250.0,
        "energy": 0.5 * 250 * 200 + 0.5 * 9.81 * 50,
        "potential_enstrophy": 0.25 * (20 * wave + 1e-4) ** 2 / math.sqrt(250**2 - 10**2),
    }
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected)


@pytest.mark.parametrize("coriolis", [UniformRotation(1e-4), EquatorialPlane(1e-4)])
def test_mass_is_conserved_to_rounding_and_energy_up_to_the_order_in_time(coriolis):
    # On few enough points that the flow is not resolved: only the time step loses energy.
    grid = PeriodicBox((20, 20), (LENGTH, LENGTH))
    equation = dataclasses.replace(IDEAL, coriolis=coriolis)
    found = [drifts(equation, steps, grid) for steps in (48, 96, 192)]
    mass, energy, _ = zip(*found, strict=True)
    assert max(map(abs, mass)) < 1e-14
    orders = [math.log2(abs(a / b)) for a, b in itertools.pairwise(energy)]
    assert min(orders) > 3.7, (energy, orders)
    assert abs(energy[-1]) < 1e-6


def test_potential_enstrophy_drifts_with_the_order_in_time_and_spectrally_in_space():
    found = [drifts(IDEAL, n, PeriodicBox((64, 64), BOX.domain_extent))[2] for n in (48, 96, 192)]
    changes = [a - b for a, b in itertools.pairwise(found)]
    assert math.log2(changes[0] / changes[1]) > 3.6, found
    assert found[-1] < 2e-4
    assert drifts(IDEAL, 48, PeriodicBox((96, 96), BOX.domain_extent))[2] < 2e-5


@pytest.mark.parametrize("coriolis", [UniformRotation(1e-4), EquatorialPlane(1e-4)])
def test_the_scheme_is_of_fourth_order_in_time_on_a_nonlinear_flow(coriolis):
    equation = dataclasses.replace(IDEAL, coriolis=coriolis, hyperviscosity=1e15)
    ends = [run(equation, sampled(), 24 * HOUR / n, n)["vorticity"] for n in (8, 16, 32, 128)]
    errors = [relative(end, ends[-1]) for end in ends[:-1]]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert min(orders) > 3.7, (errors, orders)


def test_a_smooth_flow_converges_spectrally_in_space():
    equation = dataclasses.replace(IDEAL, hyperviscosity=1e17)
    seen_on, ends = PeriodicBox((20, 20), (LENGTH, LENGTH)), []
    for n in (24, 32, 48, 72):
        grid = PeriodicBox((n, n), (LENGTH, LENGTH))
        solver = equation.discretise(grid, HOUR, dtype=DOUBLE)
        state = repeat(solver.step, 24)(solver.initialise(sampled(grid)))
        ends.append(solver.observe(state, seen_on)["vorticity"])
    errors = [relative(end, ends[-1]) for end in ends[:-1]]
    assert all(e < most for e, most in zip(errors, (3e-2, 1e-3, 1e-5), strict=True)), errors


def test_shifting_the_start_shifts_the_end():
    start = sampled()
    shifted = {name: field.roll((3, 5), dims=(-2, -1)) for name, field in start.items()}
    end, other = (run(IDEAL, fields, HOUR, 24) for fields in (start, shifted))
    for name, field in end.items():
        assert relative(other[name], field.roll((3, 5), dims=(-2, -1))) < 1e-11, name


def test_the_mirror_image_turns_the_other_way():
    start = sampled()
    mirrored = {name: field.flip(-2).roll(1, dims=-2) for name, field in start.items()}
    mirrored["velocity_y"] = -mirrored["velocity_y"]
    opposite = dataclasses.replace(IDEAL, coriolis=UniformRotation(-1e-4))
    end, other = run(IDEAL, start, HOUR, 24), run(opposite, mirrored, HOUR, 24)
    for name, sign in (("height", 1), ("velocity_x", 1), ("vorticity", -1), ("divergence", 1)):
        assert relative(sign * other[name].flip(-2).roll(1, dims=-2), end[name]) < 1e-11, name


def test_a_batch_of_variants_equals_the_single_runs():
    variants = [
        IDEAL,
        RotatingShallowWater(5.0, 300.0, EquatorialPlane(5e-5), 1e14, 2),
        RotatingShallowWater(9.0, 260.0, UniformRotation(0.0), 1e20, 3),
    ]
    starts = [sampled(seed=seed) for seed in range(3)]
    start = {name: torch.cat([each[name] for each in starts]) for name in starts[0]}
    solver = IDEAL.discretise(BOX, HOUR, variants=variants, dtype=DOUBLE)
    together = solver.observe(repeat(solver.step, 12)(solver.initialise(start)), BOX)
    for row, (variant, own) in enumerate(zip(variants, starts, strict=True)):
        for name, field in run(variant, own, HOUR, 12).items():
            assert relative(together[name][row], field[0]) < 1e-12, name
    with pytest.raises(ValueError, match=r"given 3 variants .* initial state has 1 trajectories"):
        solver.initialise(starts[0])


def test_a_trajectory_does_not_depend_on_its_batch():
    starts = [sampled(seed=seed) for seed in range(3)]
    start = {name: torch.cat([each[name] for each in starts]) for name in starts[0]}
    together = run(IDEAL, start, HOUR, 12)
    for row, own in enumerate(starts):
        for name, field in run(IDEAL, own, HOUR, 12).items():
            assert relative(together[name][row], field[0]) < 1e-13, name


def test_gradients_are_those_of_finite_differences():
    grid = PeriodicBox((8, 10), (LENGTH, LENGTH))
    solver = IDEAL.discretise(grid, HOUR, dtype=DOUBLE)
    start = sampled(grid)

    def later(depth: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        fields = {**start, "height": 100 * depth, "velocity_x": 10 * flow}
        end = solver.observe(repeat(solver.step, 2)(solver.initialise(fields)), grid)
        return end["height"] / 100, end["velocity_x"] / 10

    depth = (start["height"] / 100).requires_grad_()
    flow = (start["velocity_x"] / 10).requires_grad_()
    assert torch.autograd.gradcheck(later, (depth, flow), fast_mode=True)


def test_single_precision_follows_double():
    end = run(IDEAL, sampled(), HOUR, 48)
    solver = IDEAL.discretise(BOX, HOUR)
    single = solver.observe(repeat(solver.step, 48)(solver.initialise(sampled())), BOX)
    assert single["height"].dtype == torch.float32
    assert relative(single["height"].double() - 250, end["height"] - 250) < 2e-5
    assert relative(single["vorticity"].double(), end["vorticity"]) < 2e-5


def test_a_coarse_grid_observes_the_truncated_fields():
    grid = PeriodicBox((48, 36), (LENGTH, LENGTH))
    solver = IDEAL.discretise(grid, HOUR, dtype=DOUBLE)
    state = repeat(solver.step, 8)(solver.initialise(sampled(grid)))
    coarse = PeriodicBox((16, 12), (LENGTH, LENGTH))
    fine, seen = solver.observe(state, grid), solver.observe(state, coarse)
    for name, field in fine.items():
        torch.testing.assert_close(resample(field, (16, 12)), seen[name], rtol=1e-12, atol=1e-11)
    # What is observed starts another solver where this one was.
    torch.testing.assert_close(
        solver.observe(solver.initialise(fine), grid), fine, rtol=1e-10, atol=1e-12
    )


def test_the_courant_number_counts_crossed_cells_and_shows_what_is_not_finite():
    one = torch.ones(1, 32, 32, dtype=DOUBLE)
    flow = {"height": 250 * one, "velocity_x": 20 * one, "velocity_y": -10 * one}
    cell = LENGTH / 32
    solver = IDEAL.discretise(BOX, 600.0, dtype=DOUBLE)
    number = float(solver.courant_number(solver.initialise(flow)))
    assert number == pytest.approx(30 * 600 / cell, rel=1e-12)
    # At rest, waves of another depth than the assumed one count twice the difference of speeds.
    rest = {"height": 360 * one, "velocity_x": 0 * one, "velocity_y": 0 * one}
    number = float(solver.courant_number(solver.initialise(rest)))
    excess = math.sqrt(9.81 * 360) - SPEED
    assert number == pytest.approx(2 * excess * math.sqrt(2) * 600 / cell, rel=1e-12)
    rest["height"] = torch.where(torch.arange(32) < 16, -50.0, 550.0) * one
    assert float(solver.courant_number(solver.initialise(rest))) == math.inf
    flow["height"][0, 0, 0] = math.nan
    assert not solver.courant_number(solver.initialise(flow)).isfinite().any()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"gravity": 0.0}, "gravity must be finite and positive, got 0.0"),
        ({"mean_depth": math.inf}, "mean_depth must be finite and positive, got inf"),
        ({"hyperviscosity": -1.0}, "hyperviscosity must be finite and not negative, got -1.0"),
        ({"hyperviscosity_order": 0}, "hyperviscosity_order must be at least 1, got 0"),
    ],
)
def test_impossible_parameters_are_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        RotatingShallowWater(**arguments)


def test_what_cannot_be_solved_is_refused():
    with pytest.raises(ValueError, match="needs a PeriodicBox, got ClosedBox"):
        IDEAL.discretise(ClosedBox((8, 16)), 1.0)
    with pytest.raises(ValueError, match="time step must be positive"):
        IDEAL.discretise(BOX, 0.0)
    IDEAL.check_stable(BOX, 1e6)
    with pytest.raises(ValueError, match=r"at most 2\.8e\+04 s are stable"):
        dataclasses.replace(IDEAL, coriolis=EquatorialPlane(1e-4)).check_stable(BOX, 3e4)
    solver = IDEAL.discretise(BOX, 1.0)
    with pytest.raises(ValueError, match="starts from `velocity_y`"):
        solver.initialise({name: torch.zeros(1, 32, 32) for name in ("height", "velocity_x")})
