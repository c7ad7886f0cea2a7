"""Shallow water on a sphere against exact solutions, conservation laws and its stated order."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.initial_conditions import BarotropicJet, RossbyHaurwitzWave, SolidBodyRotation
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import (
    Diagnosing,
    Equation,
    ForcedSphericalShallowWater,
    Solver,
    SphericalShallowWater,
)
from tests.solvers.sphere import (
    DAY,
    DOUBLE,
    HOUR,
    IDEAL,
    RADIUS,
    T21,
    T42,
    Hills,
    mean,
    relative,
    run,
    sampled,
)


def test_it_keeps_the_contracts():
    assert isinstance(IDEAL, Equation)
    assert isinstance(IDEAL.discretise(T21, 600.0), Solver)
    assert [field.name for field in IDEAL.fields if field.is_prognostic] == [
        "height",
        "velocity_x",
        "velocity_y",
    ]


@pytest.mark.parametrize("days", [1, pytest.param(5, marks=pytest.mark.slow, id="5 days")])
def test_solid_body_rotation_is_steady(days):
    start = sampled(SolidBodyRotation(), T42)
    equation = dataclasses.replace(IDEAL, mean_depth=2500.0)
    end = run(equation, start, 1800.0, 48 * days)
    assert relative(end["height"], start["surface"]) < 1e-14 * days
    assert relative(end["velocity_x"], start["velocity_x"]) < 1e-13 * days
    assert end["velocity_y"].abs().max() < 1e-11 * days


def test_without_rotation_a_flow_across_the_poles_is_steady():
    start = sampled(SolidBodyRotation(tilt=65.0, rotation_rate=0.0), T42)
    equation = dataclasses.replace(IDEAL, rotation_rate=0.0, mean_depth=3000.0)
    end = run(equation, start, 1800.0, 48)
    assert relative(end["height"], start["surface"]) < 1e-13
    for name in ("velocity_x", "velocity_y"):
        assert relative(end[name], start[name]) < 1e-12


def test_a_fluid_at_rest_over_hills_stays_at_rest():
    equation = dataclasses.replace(IDEAL, mean_depth=5000.0, orography=Hills())
    ground = Hills().on(T42)[None]
    zeros = torch.zeros_like(ground)
    start = {"height": 5000.0 - ground, "velocity_x": zeros, "velocity_y": zeros}
    end = run(equation, start, 1200.0, 36)
    assert end["velocity_x"].abs().max() < 1e-10
    assert relative(end["height"], start["height"]) < 1e-13
    torch.testing.assert_close(end["orography"], ground, rtol=0, atol=1e-9)


@pytest.mark.parametrize("assumed_depth", [10000.0, 8000.0])
def test_gravity_waves_have_their_frequency_whatever_depth_is_assumed(assumed_depth):
    # Without rotation, h = H + e cos(w t) Y with w² = g H l (l + 1) / a².
    equation = dataclasses.replace(IDEAL, rotation_rate=0.0, mean_depth=assumed_depth)
    degree, order, depth = 7, 3, 10000.0
    c = torch.zeros(22, 22, dtype=torch.complex128)
    c[degree, order] = 1.0
    wave = spherical_harmonics(T21, 21, DOUBLE).synthesise(c)[None]
    zeros = torch.zeros_like(wave)
    start = {"height": depth + 1e-4 * wave, "velocity_x": zeros, "velocity_y": zeros}
    frequency = math.sqrt(9.80616 * depth * degree * (degree + 1)) / 6.37122e6
    for steps in (10, 25):
        end = run(equation, start, 600.0, steps, T21)
        amplitude = (end["height"] - depth) / 1e-4
        expected = math.cos(frequency * 600.0 * steps) * wave
        assert (amplitude - expected).abs().max() < 1e-6


def test_every_harmonic_decays_at_its_own_rate():
    # Vorticity of one degree that turns as a solid body does nothing else: order zero.
    equation = SphericalShallowWater(
        rotation_rate=0.0, hyperdiffusion_order=2, hyperdiffusion_time=DAY
    )
    c = torch.zeros(22, 22, dtype=torch.complex128)
    c[6, 0] = 1e-9
    sht = spherical_harmonics(T21, 21, DOUBLE)
    u, v = (6.37122e6 * part[None] for part in sht.velocity(c, 0 * c))
    start = {"height": torch.full_like(u, 10000.0), "velocity_x": u, "velocity_y": v}
    end = run(equation, start, HOUR, 24, T21)
    rate = (6 * 7 / (21 * 22)) ** 2
    assert relative(end["velocity_x"], math.exp(-rate) * u, T21) < 1e-5


@pytest.mark.parametrize("with_hills", [False, True])
def test_what_the_equation_conserves_is_conserved_while_the_flow_is_resolved(with_hills):
    equation = dataclasses.replace(IDEAL, orography=Hills(500.0) if with_hills else None)
    solver = equation.discretise(T42, 900.0, dtype=DOUBLE)
    state = solver.initialise(sampled(RossbyHaurwitzWave(), T42))
    before, after = (solver.diagnose(s) for s in (state, repeat(solver.step, 96)(state)))
    assert float(after["mass"]) == float(before["mass"])
    # The part of the energy that a level surface of this mean depth has cannot be used.
    level = 0.5 * 9.80616 * before["mass"] ** 2
    assert float(after["energy"] - level) == pytest.approx(
        float(before["energy"] - level), rel=5e-8
    )
    assert float(after["potential_enstrophy"]) == pytest.approx(
        float(before["potential_enstrophy"]), rel=5e-8
    )
    # Hills that vary along longitude exert a torque.
    change = abs(float(after["angular_momentum"] / before["angular_momentum"]) - 1)
    assert change > 1e-5 if with_hills else change < 1e-10, change


def test_diagnostics_have_their_formulas():
    equation = dataclasses.replace(IDEAL, mean_depth=2400.0, orography=Hills(300.0))
    assert isinstance(equation.discretise(T21, 600.0), Diagnosing)
    solver = equation.discretise(T42, 600.0, dtype=DOUBLE)
    state = solver.initialise(sampled(SolidBodyRotation(speed=20.0), T42))
    fields, found = solver.observe(state, T42), solver.diagnose(state)
    assert set(found) == {diagnostic.name for diagnostic in equation.diagnostics}
    latitude = torch.tensor(T42.y).deg2rad()[:, None]
    h, u, b, g, f = (
        *(fields[name] for name in ("height", "velocity_x", "orography")),
        9.80616,
        2 * 7.292e-5 * latitude.sin(),
    )
    expected = {
        "mass": h,
        "energy": 0.5 * h * u**2 + g * h * (0.5 * h + b),
        "potential_enstrophy": (40.0 / RADIUS * latitude.sin() + f) ** 2 / (2 * h),
        "angular_momentum": RADIUS * h * latitude.cos() * (u + RADIUS * 7.292e-5 * latitude.cos()),
    }
    for name, density in expected.items():
        assert float(found[name]) == pytest.approx(float(mean(density, T42)), rel=1e-12), name


def test_order_in_time_is_four_on_a_nonlinear_flow():
    start = sampled(RossbyHaurwitzWave(), T21)
    solutions = [
        run(IDEAL, start, 6 * HOUR / steps, steps, T21)["vorticity"] for steps in (6, 12, 24, 96)
    ]
    errors = [relative(s, solutions[-1], T21) for s in solutions[:-1]]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert min(orders) > 3.7, (errors, orders)


@pytest.mark.parametrize("state", [RossbyHaurwitzWave(), BarotropicJet(bump=0.0)])
def test_balanced_states_start_without_divergence_growing(state):
    # The terms of the divergence equation, of some 1e-10 / s², cancel.
    grid = GaussianSphere((128, 256))
    solver = IDEAL.discretise(grid, 1.0, dtype=DOUBLE)
    fields = solver.observe(solver.step(solver.initialise(sampled(state, grid))), grid)
    unbalanced = sampled(state, grid)
    unbalanced["height"] = torch.full_like(unbalanced["height"], 10000.0)
    grown = solver.observe(solver.step(solver.initialise(unbalanced)), grid)
    assert fields["divergence"].abs().max() < 2e-4 * grown["divergence"].abs().max()


def test_a_smooth_flow_converges_spectrally_in_space():
    equation = dataclasses.replace(IDEAL, orography=Hills(500.0))
    seen_on, ends = GaussianSphere((20, 40)), []
    for latitudes in (24, 32, 48, 64):
        grid = GaussianSphere((latitudes, 2 * latitudes))
        solver = equation.discretise(grid, 900.0, dtype=DOUBLE)
        state = repeat(solver.step, 48)(solver.initialise(sampled(RossbyHaurwitzWave(), grid)))
        ends.append(solver.observe(state, seen_on)["vorticity"])
    errors = [relative(end, ends[-1], seen_on) for end in ends[:-1]]
    assert all(e < most for e, most in zip(errors, (5e-3, 5e-4, 1e-5), strict=True)), errors


def test_with_a_degree_of_its_own_hyperdiffusion_is_the_same_on_every_grid():
    # kappa nabla^4 with kappa = a^4 / (tau (L (L + 1))^2).
    equation = SphericalShallowWater(
        hyperdiffusion_order=2, hyperdiffusion_time=HOUR, hyperdiffusion_degree=15
    )
    start = sampled(RossbyHaurwitzWave(), T21)
    relative_to_grid = dataclasses.replace(equation, hyperdiffusion_degree=None)
    apart = []
    for each in (equation, relative_to_grid):
        ends = [run(each, start, 900.0, 24, grid)["vorticity"] for grid in (T21, T42)]
        fine = spherical_harmonics(T42, 21, DOUBLE).analyse(ends[1])
        coarse = spherical_harmonics(T21, 21, DOUBLE).analyse(ends[0])
        apart.append(float((coarse - fine).norm() / fine.norm()))
    assert apart[0] < 1e-4
    assert apart[1] > 30 * apart[0]
    for grid in (T21, T42):
        solver = equation.discretise(grid, 900.0, dtype=DOUBLE)
        assert float(solver.linear[0, 0, 15, 0].real) == pytest.approx(-1 / HOUR)
        kappa = (RADIUS**2 / (15 * 16)) ** 2 / HOUR
        rate = kappa * (7 * 8 / RADIUS**2) ** 2
        assert float(solver.linear[0, 0, 7, 0].real) == pytest.approx(-rate)


@pytest.mark.parametrize(("courant", "is_stable"), [(1.28, True), (1.45, False)])
def test_the_courant_limit_parts_stable_from_unstable_steps(courant, is_stable):
    # Solid rotation carries the waves of the highest order round the equator at its full speed.
    state = SolidBodyRotation(speed=20.0, equatorial_depth=10010.0, rotation_rate=0.0)
    equation = dataclasses.replace(IDEAL, rotation_rate=0.0)
    dt = courant * math.pi * 6.37122e6 / 32 / 20.0
    solver = equation.discretise(T21, dt, dtype=DOUBLE)
    fields = sampled(state, T21)
    noise = torch.randn(1, 32, 64, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    fields["velocity_y"] = fields["velocity_y"] + 1e-8 * noise
    start = solver.initialise(fields)
    assert float(solver.courant_number(start)) == pytest.approx(courant, rel=0.06)
    end = solver.observe(repeat(solver.step, 120)(start), T21)["velocity_y"]
    assert bool(end.abs().max() < 1e-6) == is_stable


def test_a_coarse_grid_observes_the_truncated_fields():
    start = sampled(RossbyHaurwitzWave(), T42)
    solver = IDEAL.discretise(T42, 900.0, dtype=DOUBLE)
    state = repeat(solver.step, 8)(solver.initialise(start))
    coarse, fine = solver.observe(state, T21), solver.observe(state, T42)
    kept = spherical_harmonics(T42, 31, DOUBLE).analyse(fine["vorticity"])
    there = spherical_harmonics(T21, 31, DOUBLE).analyse(coarse["vorticity"])
    assert float((kept - there).norm() / kept.norm()) < 1e-12
    # What is observed starts another solver where this one was.
    again = solver.initialise(fine)
    torch.testing.assert_close(solver.observe(again, T42), fine, rtol=1e-10, atol=1e-12)
    lower = IDEAL.discretise(T21, 900.0, dtype=DOUBLE).initialise(fine)
    assert lower.shape == (1, 3, 22, 22)


def test_winds_on_a_coarse_grid_have_exactly_the_truncated_vorticity_and_divergence():
    start = sampled(BarotropicJet(), T42)
    solver = IDEAL.discretise(T42, 900.0, dtype=DOUBLE)
    state = repeat(solver.step, 24)(solver.initialise(start))
    coarse, fine = solver.observe(state, T21), solver.observe(state, T42)
    # One degree below the grid's: there its quadrature of winds is exact.
    low = spherical_harmonics(T21, 30, DOUBLE)
    found = low.vorticity_and_divergence(coarse["velocity_x"], coarse["velocity_y"])
    for name, c in zip(("vorticity", "divergence"), found, strict=True):
        kept = spherical_harmonics(T42, 30, DOUBLE).analyse(fine[name])
        assert float((c / RADIUS - kept).norm() / kept.norm()) < 1e-11, name


@pytest.mark.parametrize("depth", [8000.0, 5960.0])
def test_a_mean_depth_too_far_from_the_mean_is_refused(depth):
    # At rest but for noise: waves of 5960 m drift too fast from those of 10 km, of 8 km do not.
    noise = torch.randn(1, 32, 64, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    zeros = torch.zeros_like(noise)
    start = {"height": depth + 1e-6 * noise, "velocity_x": zeros, "velocity_y": zeros}
    solver, allowing = (IDEAL.discretise(T21, 4800.0, dtype=DOUBLE) for _ in range(2))
    allowing.courant_limit = math.inf
    end = repeat(allowing.step, 150)(allowing.initialise(start))
    stays = bool((allowing.observe(end, T21)["height"] - depth).abs().max() < 1e-4)
    assert stays is (depth == 8000)
    if stays:
        solver.initialise(start)
        return
    with pytest.raises(ValueError, match=r"mean of `height` is 5960 m but mean_depth is 10000 m"):
        solver.initialise(start)
    closer = dataclasses.replace(IDEAL, mean_depth=6100.0)
    both = {name: u.expand(2, -1, -1) for name, u in start.items()}
    with pytest.raises(ValueError, match="mean_depth is 10000 m"):
        IDEAL.discretise(T21, 4800.0, variants=[closer, IDEAL], dtype=DOUBLE).initialise(both)


def test_a_start_from_the_surface_leaves_the_ground_its_place():
    equation = dataclasses.replace(IDEAL, mean_depth=5000.0, orography=Hills(400.0))
    zeros = torch.zeros(1, 64, 128, dtype=DOUBLE)
    start = {"surface": zeros + 5000.0, "velocity_x": zeros, "velocity_y": zeros}
    solver = equation.discretise(T42, 600.0, dtype=DOUBLE)
    fields = solver.observe(solver.initialise(start), T42)
    torch.testing.assert_close(fields["height"][0], 5000.0 - Hills(400.0).on(T42))
    # A coarser start leaves out of the ground what it leaves out of the surface.
    coarse = {name: u[:, :8, :16] for name, u in start.items()}
    fields = solver.observe(solver.initialise(coarse), T42)
    assert (fields["height"] + fields["orography"] - 5000.0).abs().max() < 1e-8


def test_a_batch_of_variants_equals_the_single_runs():
    variants = [
        SphericalShallowWater(orography=Hills(300.0)),
        SphericalShallowWater(5.0, 8000.0, 1e-4, 5e6, 2, 7200.0, None, Hills(100.0)),
    ]
    one = sampled(RossbyHaurwitzWave(), T21)
    start = {name: field.expand(2, -1, -1) for name, field in one.items()}
    solver = variants[0].discretise(T21, 600.0, variants=variants, dtype=DOUBLE)
    together = solver.observe(repeat(solver.step, 12)(solver.initialise(start)), T21)
    for row, variant in enumerate(variants):
        for name, field in run(variant, one, 600.0, 12, T21).items():
            assert relative(together[name][row], field[0], T21) < 1e-12, name
    with pytest.raises(ValueError, match=r"given 2 variants .* initial state has 1 trajectories"):
        solver.initialise(one)


def test_gradients_are_those_of_finite_differences():
    grid = GaussianSphere((8, 16))
    solver = IDEAL.discretise(grid, 1800.0, dtype=DOUBLE)
    start = sampled(RossbyHaurwitzWave(wavenumber=2), grid)

    def later(depth: Tensor, wind: Tensor) -> tuple[Tensor, Tensor]:
        fields = {**start, "height": 1000 * depth, "velocity_x": 10 * wind}
        end = solver.observe(repeat(solver.step, 2)(solver.initialise(fields)), grid)
        return end["height"] / 1000, end["velocity_x"] / 10

    depth = (start["height"] / 1000).requires_grad_()
    wind = (start["velocity_x"] / 10).requires_grad_()
    assert torch.autograd.gradcheck(later, (depth, wind), fast_mode=True)


def test_single_precision_follows_double():
    start = sampled(BarotropicJet(), T21)
    end = run(SphericalShallowWater(), start, 1200.0, 36, T21)
    solver = SphericalShallowWater().discretise(T21, 1200.0)
    single = solver.observe(repeat(solver.step, 36)(solver.initialise(start)), T21)
    assert single["height"].dtype == torch.float32
    assert relative(single["height"].double(), end["height"], T21) < 1e-6
    assert relative(single["vorticity"].double(), end["vorticity"], T21) < 1e-4


def test_a_single_precision_start_keeps_what_varies():
    # A millimetre on ten kilometres, a part of which single precision would round away.
    wave = 1e-3 * torch.tensor(T21.sine_of_latitude)[None, :, None].expand(1, *T21.num_points)
    start = {"height": 10000.0 + wave, "velocity_x": 0 * wave, "velocity_y": 0 * wave}
    solver = SphericalShallowWater().discretise(T21, 600.0)
    anomaly = solver.initialise(start)[:, 1].to(torch.complex128)
    found = spherical_harmonics(T21, 21, DOUBLE).synthesise(anomaly)
    torch.testing.assert_close(found, wave.contiguous(), rtol=0, atol=1e-9)


def test_diagnostics_in_single_precision_have_the_exact_parameters():
    depth = 8192.0  # Which single precision holds, as it does not the others.
    solver = dataclasses.replace(IDEAL, mean_depth=depth).discretise(T21, 600.0)
    still = torch.zeros(1, *T21.num_points)
    found = solver.diagnose(
        solver.initialise({"height": still + depth, "velocity_x": still, "velocity_y": still})
    )
    cosine2, rate = 2 / 3, 7.292e-5
    expected = {
        "mass": depth,
        "energy": 0.5 * 9.80616 * depth**2,
        "potential_enstrophy": (2 * rate) ** 2 / 3 / (2 * depth),
        "angular_momentum": RADIUS**2 * depth * rate * cosine2,
    }
    assert {n: float(v) for n, v in found.items()} == pytest.approx(expected, rel=1e-12)


def test_a_mean_depth_that_single_precision_does_not_hold_is_the_mean():
    depth = 9523.1
    solver = dataclasses.replace(IDEAL, mean_depth=depth).discretise(T21, 600.0)
    still = torch.zeros(1, *T21.num_points, dtype=DOUBLE)
    state = solver.initialise({"height": still + depth, "velocity_x": still, "velocity_y": still})
    assert float(solver.diagnose(state)["mass"]) == pytest.approx(depth, rel=1e-13)


def test_the_courant_number_counts_crossed_rows_and_shows_what_is_not_finite():
    equation = dataclasses.replace(IDEAL, gravity=1e-9)
    solver = equation.discretise(T42, 600.0, dtype=DOUBLE)
    fields = sampled(SolidBodyRotation(), T42)
    fields["height"] = torch.full_like(fields.pop("surface"), 10000.0)
    row = math.pi * 6.37122e6 / 64
    number = float(solver.courant_number(solver.initialise(fields)))
    assert number == pytest.approx(38.61 * 600 / row, rel=2e-3)
    # At rest, waves of another depth than the assumed one count twice the difference of speeds.
    rest = dict.fromkeys(fields, torch.zeros_like(fields["height"])) | {"height": fields["height"]}
    shallow = dataclasses.replace(IDEAL, mean_depth=8100.0).discretise(T42, 600.0, dtype=DOUBLE)
    number = float(shallow.courant_number(shallow.initialise(rest)))
    assert number == pytest.approx(2 * math.sqrt(9.80616) * (100 - 90) * 600 / row, rel=1e-6)
    fields["height"][0, 0, 0] = math.nan
    assert not solver.courant_number(solver.initialise(fields)).isfinite().any()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"gravity": 0.0}, "gravity must be finite and positive, got 0.0"),
        ({"mean_depth": -1.0}, "mean_depth must be finite and positive"),
        ({"radius": math.inf}, "radius must be finite and positive"),
        ({"rotation_rate": math.nan}, "rotation_rate must be finite"),
        ({"hyperdiffusion_order": 0}, "hyperdiffusion_order must be at least 1"),
        ({"hyperdiffusion_time": 0.0}, "hyperdiffusion_time must be positive"),
        ({"hyperdiffusion_degree": 0}, "hyperdiffusion_degree must be at least 1, or None"),
    ],
)
def test_impossible_parameters_are_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        SphericalShallowWater(**arguments)


def test_undamped_waves_that_turn_far_in_a_step_shorten_the_advised_one():
    turn = math.sqrt(9.80616 * 10000 * 42 * 43) / RADIUS * 1800  # 3.76 radians at T42.
    assert IDEAL.advised_step(T42, 1800.0) == pytest.approx(1800 * 2.5 / turn)
    assert ForcedSphericalShallowWater(IDEAL).advised_step(T42, 1800.0) < 1800
    assert IDEAL.advised_step(T42, 1190.0) == 1190.0
    # The highest degree, 42, is damped faster than the named one, 21.
    faster = (42 * 43 / (21 * 22)) ** 2
    for decay, is_advised in ((0.051, True), (0.049, False)):
        damped = dataclasses.replace(
            IDEAL,
            hyperdiffusion_order=2,
            hyperdiffusion_degree=21,
            hyperdiffusion_time=faster * 1800 / decay,
        )
        assert (damped.advised_step(T42, 1800.0) == 1800) == is_advised


def test_what_cannot_be_solved_is_refused():
    with pytest.raises(ValueError, match="needs a GaussianSphere, got PeriodicBox"):
        IDEAL.discretise(PeriodicBox((8, 16)), 1.0)
    with pytest.raises(ValueError, match="time step must be positive"):
        IDEAL.discretise(T21, 0.0)
    hills = dataclasses.replace(IDEAL, orography=Hills())
    with pytest.raises(ValueError, match="must all have an orography, or none"):
        IDEAL.discretise(T21, 1.0, variants=[IDEAL, hills])
    with pytest.raises(ValueError, match=r"at most 1\.92e"):
        IDEAL.check_stable(T21, 20000.0)
    solver = IDEAL.discretise(T21, 1.0)
    with pytest.raises(ValueError, match="starts from `velocity_y`"):
        solver.initialise({name: torch.zeros(1, 32, 64) for name in ("height", "velocity_x")})
    with pytest.raises(ValueError, match="not observed on a PeriodicBox"):
        solver.observe(torch.zeros(1, 3, 22, 22, dtype=torch.complex64), PeriodicBox((8, 16)))
    with pytest.raises(ValueError, match="needs a GaussianSphere, got PeriodicBox"):
        SolidBodyRotation().sample(np.random.default_rng(0), PeriodicBox((8, 16)))
