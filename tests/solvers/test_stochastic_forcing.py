"""The random force: one function per seed, with the stated variance, correlation and input."""

import itertools
import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.operators import wavenumbers
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import KolmogorovForcing, PeriodicNavierStokes, StochasticForcing
from pdesurrogate.transfer import resample

BOX = PeriodicBox((24, 24))
DOUBLE = torch.float64


def correlation(lag: float, forcing: StochasticForcing) -> float:
    """The B-spline of order 8 in units of the splines' spacing, by its truncated powers."""
    s = abs(lag) / (forcing.correlation_time * 302 / 315) + 4
    terms = ((-1) ** i * math.comb(8, i) * max(s - i, 0.0) ** 7 for i in range(9))
    return sum(terms) / math.factorial(7) / (151 / 315)


def test_the_same_seed_is_the_same_function_on_every_grid_and_at_every_time():
    force = StochasticForcing(seed=3)
    for time in (0.0, 0.2, 7.3):
        fine = force.vorticity_source(PeriodicBox((64, 64)), time)
        torch.testing.assert_close(
            resample(fine, (24, 24)), force.vorticity_source(BOX, time), rtol=0, atol=1e-13
        )
    other = StochasticForcing(seed=4).vorticity_source(BOX)
    assert (other - force.vorticity_source(BOX)).abs().max() > 0.1


def test_only_the_ring_is_forced_and_it_is_a_circle_in_a_wide_box():
    box = PeriodicBox((24, 48), (1.0, 2.0))
    force = StochasticForcing(min_wavenumber=3, max_wavenumber=5)
    assert force.highest_wavenumbers(box.domain_extent) == (5, 10)
    spectrum = torch.fft.rfft2(force.vorticity_source(box, 1.0), norm="forward").abs()
    ky, kx = wavenumbers(box)
    radius = (ky**2 + kx**2).sqrt() / (2 * math.pi)
    inside = (radius > 3 - 1e-9) & (radius < 5 + 1e-9)
    assert spectrum[~inside].max() < 1e-15
    assert spectrum[inside].min() > 1e-5
    assert spectrum[0, 10] > 1e-5


def test_variance_and_correlation_in_time_are_as_stated():
    # 300 seeds of 30 independent complex modes each: one standard error is 1% of the variance.
    lags = (0.0, 0.25, 0.5, 1.0)
    small, products = PeriodicBox((12, 12)), np.zeros(len(lags))
    for seed in range(300):
        force = StochasticForcing(amplitude=2.0, correlation_time=0.5, seed=seed)
        first = force.vorticity_source(small, 0.4)
        for i, lag in enumerate(lags):
            later = force.vorticity_source(small, 0.4 + lag)
            products[i] += float((first * later).mean()) / 300
    expected = [4.0 * correlation(lag, force) for lag in lags]
    np.testing.assert_allclose(products, expected, rtol=0, atol=4 * 0.04)
    assert expected[0] == pytest.approx(4.0, rel=1e-12)


def test_the_weights_in_time_have_the_stated_correlation_and_correlation_time():
    # The normals are independent: E g(t) g(t + s) = A² Σ_j w_j(t) w_j(t + s), here averaged over t.
    force = StochasticForcing(correlation_time=0.7)
    times = [10 + 0.7 * 302 / 315 * (i + 0.5) / 32 for i in range(32)]
    lags = np.linspace(0, 3, 121)
    measured = []
    for lag in lags:
        products = 0.0
        for time in times:
            now, later = force.weights(time), force.weights(time + float(lag))
            products += sum(weight * later.get(j, 0.0) for j, weight in now.items()) / 32
        measured.append(products)
    expected = [correlation(float(lag), force) for lag in lags]
    np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-5)
    assert measured[0] == pytest.approx(1.0, rel=1e-6)
    assert np.trapezoid(measured, lags) == pytest.approx(0.7, rel=1e-4)


def test_the_source_is_twice_continuously_differentiable_in_time():
    force = StochasticForcing(correlation_time=0.3, seed=1)
    step = 1e-3
    at = torch.stack([force.vorticity_source(BOX, i * step)[3, 5] for i in range(1200)])
    second = at.diff(n=2) / step**2
    jumps = second.diff().abs()
    # A jump of the second derivative would be of its own size; smooth, it moves by O(step).
    assert jumps.max() < 0.02 * second.abs().max()


@pytest.mark.slow
def test_the_linear_response_has_the_analytic_variance_and_input():
    # ω' = -λ ω + g, λ = ν k² + α: <ω g> = A² I, <ω²> = A² I / λ, I = ∫ ρ(s) exp(-λ s) ds.
    # At an amplitude of 1e-6 advection is nothing.
    count, forcing = 96, StochasticForcing(1e-6, 2, 2, 0.4)
    variants = [
        PeriodicNavierStokes(
            viscosity=0.1, drag=0.6, forcing=StochasticForcing(1e-6, 2, 2, 0.4, seed)
        )
        for seed in range(count)
    ]
    solver = variants[0].discretise(PeriodicBox((8, 8)), 0.2, variants=variants, dtype=DOUBLE)
    state = solver.initialise({"vorticity": torch.zeros(count, 8, 8, dtype=DOUBLE)})
    state = repeat(solver.step, 40)(state)
    variance, injection = [], []
    for _ in range(10):
        state = repeat(solver.step, 5)(state)
        w = solver.observe(state, solver.grid)["vorticity"] / 1e-6
        g = torch.stack(
            [e.forcing.vorticity_source(solver.grid, float(state.time[0])) for e in variants]
        )
        variance.append(float((w**2).mean()))
        injection.append(float((w * g / 1e-6).mean()))
    rate = 0.1 * 4 + 0.6
    lags = np.linspace(0, 1.6, 2001)
    weights = [correlation(float(lag), forcing) * math.exp(-rate * lag) for lag in lags]
    expected = float(np.trapezoid(weights, lags))
    # 96 seeds of two complex modes at ten times one unit apart: three per cent.
    assert np.mean(injection) == pytest.approx(expected, rel=0.09)
    assert np.mean(variance) == pytest.approx(expected / rate, rel=0.09)


def test_order_in_time_is_four_across_the_knots_of_the_splines():
    equation = PeriodicNavierStokes(
        viscosity=0.05, forcing=StochasticForcing(3.0, 1, 3, correlation_time=0.5, seed=2)
    )

    def end(steps: int) -> torch.Tensor:
        solver = equation.discretise(BOX, 2 / steps, dtype=DOUBLE)
        start = solver.initialise({"vorticity": torch.zeros(1, 24, 24, dtype=DOUBLE)})
        return solver.observe(repeat(solver.step, steps)(start), BOX)["vorticity"]

    exact = end(1600)
    errors = [float((end(n) - exact).norm() / exact.norm()) for n in (25, 50, 100, 200)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert min(orders) > 3.8
    assert errors[-1] < 1e-6


def test_a_run_may_be_continued_from_a_stored_field():
    equation = PeriodicNavierStokes(viscosity=0.05, forcing=StochasticForcing(seed=5))
    solver = equation.discretise(BOX, 0.05, dtype=DOUBLE)
    start = {"vorticity": torch.zeros(2, 24, 24, dtype=DOUBLE)}
    middle = repeat(solver.step, 20)(solver.initialise(start))
    through = solver.observe(repeat(solver.step, 20)(middle), BOX)["vorticity"]
    again = equation.discretise(BOX, 0.05, dtype=DOUBLE)
    stored = again.initialise(solver.observe(middle, BOX), time=1.0)
    continued = again.observe(repeat(again.step, 20)(stored), BOX)["vorticity"]
    torch.testing.assert_close(continued, through, rtol=0, atol=1e-13)
    forgotten = again.initialise(solver.observe(middle, BOX))
    wrong = again.observe(repeat(again.step, 20)(forgotten), BOX)["vorticity"]
    assert (wrong - through).abs().max() > 0.01


def test_a_gradient_may_be_taken_after_a_run_without():
    equation = PeriodicNavierStokes(viscosity=0.05, forcing=StochasticForcing(seed=5))
    solver = equation.discretise(BOX, 0.05, dtype=DOUBLE)
    start = torch.zeros(1, 24, 24, dtype=DOUBLE)
    with torch.inference_mode():
        without = solver.observe(solver.step(solver.initialise({"vorticity": start})), BOX)
    start.requires_grad_()
    end = solver.observe(solver.step(solver.initialise({"vorticity": start})), BOX)["vorticity"]
    end.square().sum().backward()
    assert start.grad.abs().max() > 0
    assert torch.equal(end.detach(), without["vorticity"])


def test_wrong_use_is_refused_in_a_sentence():
    for bad, complaint in (
        ({"amplitude": 0.0}, "amplitude must be positive and finite, got 0.0"),
        ({"correlation_time": math.inf}, "correlation_time must be positive and finite"),
        ({"min_wavenumber": 6}, "min_wavenumber <= max_wavenumber, got 6 and 5"),
        ({"seed": -1}, "seed must not be negative, got -1"),
    ):
        with pytest.raises(ValueError, match=complaint):
            StochasticForcing(**bad)
    mixed = [PeriodicNavierStokes(forcing=f) for f in (KolmogorovForcing(), StochasticForcing())]
    with pytest.raises(ValueError, match="no force, all steady forces or all unsteady ones"):
        mixed[0].discretise(BOX, 0.1, variants=mixed)
    solver = mixed[1].discretise(BOX, 0.1)
    state = solver.initialise({"vorticity": torch.zeros(2, 24, 24)})
    with pytest.raises(ValueError, match="share their time"):
        solver.step(state._replace(time=torch.tensor([0.0, 1.0], dtype=DOUBLE)))
