"""Random states in nonlinear balance on a rotating plane."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import ClosedBox, PeriodicBox
from pdesurrogate.initial_conditions import BalancedTurbulence
from pdesurrogate.metrics import power_spectrum
from pdesurrogate.operators import derivative, inverse_laplacian, vorticity_from_velocity
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import RotatingShallowWater
from pdesurrogate.transfer import resample

EXTENT = (1e7, 1e7)
BOX = PeriodicBox((64, 64), EXTENT)
STATE = BalancedTurbulence(max_wavenumber=10, peak_wavenumber=4.0)


def drawn(state: BalancedTurbulence, grid: PeriodicBox = BOX, seed: int = 0) -> dict[str, Tensor]:
    return state.sample(np.random.default_rng(seed), grid)


def vorticity(fields: dict[str, Tensor], grid: PeriodicBox = BOX) -> Tensor:
    return vorticity_from_velocity(fields["velocity_x"], fields["velocity_y"], grid)


def test_every_draw_has_a_rossby_number_in_the_range():
    numbers = [
        float(vorticity(drawn(STATE, seed=seed)).square().mean().sqrt()) / 1e-4
        for seed in range(40)
    ]
    assert 0.1 <= min(numbers) < 0.13
    assert 0.27 < max(numbers) <= 0.3
    fixed = replace(STATE, rossby_range=(0.2, 0.2))
    number = float(vorticity(drawn(fixed)).square().mean().sqrt()) / 1e-4
    assert number == pytest.approx(0.2, rel=1e-12)


def test_the_flow_is_free_of_divergence_and_the_depth_has_its_mean():
    fields = drawn(STATE)
    u, v = fields["velocity_x"], fields["velocity_y"]
    spread = derivative(u, BOX, "x") + derivative(v, BOX, "y")
    assert spread.abs().max() < 1e-12 * vorticity(fields).abs().max()
    assert float(fields["height"].mean()) == pytest.approx(250.0, rel=1e-14)


def test_the_flow_does_not_begin_to_diverge():
    # div(u . grad u) = f vorticity - g lap h, with derivatives of the velocity on the grid.
    fields = drawn(STATE)
    u, v = fields["velocity_x"], fields["velocity_y"]
    advection = [u * derivative(q, BOX, "x") + v * derivative(q, BOX, "y") for q in (u, v)]
    spread = derivative(advection[0], BOX, "x") + derivative(advection[1], BOX, "y")
    h = fields["height"]
    bend = derivative(derivative(h, BOX, "x"), BOX, "x")
    bend = bend + derivative(derivative(h, BOX, "y"), BOX, "y")
    residual = spread - 1e-4 * vorticity(fields) + 9.81 * bend
    assert residual.abs().max() < 1e-12 * (9.81 * bend).abs().max()


def test_nonlinear_balance_keeps_divergence_far_below_that_of_a_merely_geostrophic_start():
    grid = PeriodicBox((64, 64), EXTENT)
    # In deep fluid, where waves are much faster than the flow.
    balanced = drawn(replace(STATE, mean_depth=10000.0, rossby_range=(0.1, 0.1)), grid)
    psi = inverse_laplacian(vorticity(balanced), grid)
    geostrophic = {**balanced, "height": 10000.0 + 1e-4 / 9.81 * psi}
    largest = []
    for fields in (balanced, geostrophic):
        batch = {name: field[None] for name, field in fields.items()}
        equation = RotatingShallowWater(mean_depth=10000.0, hyperviscosity=1e14)
        solver = equation.discretise(grid, 1800.0, dtype=torch.float64)
        state, seen = solver.initialise(batch), []
        for _ in range(24):
            state = repeat(solver.step, 2)(state)
            seen.append(solver.observe(state, grid)["divergence"].square().mean().sqrt())
        largest.append(float(max(seen)))
    assert largest[0] < 0.02 * 1e-5  # of the vorticity
    assert largest[0] < 0.25 * largest[1], largest


def test_the_energy_peaks_where_it_is_told():
    state = replace(STATE, max_wavenumber=20, peak_wavenumber=6.0)
    total = torch.zeros(32, dtype=torch.float64)
    for seed in range(10):
        fields = drawn(state, seed=seed)
        for name in ("velocity_x", "velocity_y"):
            spectrum = power_spectrum(fields[name], BOX)
            total[: len(spectrum)] += spectrum[:32]
    assert int(total.argmax()) in (5, 6, 7)


def test_a_function_is_the_same_on_every_grid():
    fine = drawn(STATE)
    coarse = drawn(STATE, PeriodicBox((24, 24), EXTENT))
    for name, field in fine.items():
        torch.testing.assert_close(resample(field, (24, 24)), coarse[name], rtol=1e-12, atol=1e-11)
    again = drawn(STATE)
    assert all(torch.equal(again[name], field) for name, field in fine.items())
    other = drawn(STATE, seed=1)
    assert (other["height"] - fine["height"]).abs().max() > 1


def test_on_a_long_box_the_spectrum_counts_waves_per_height():
    grid = PeriodicBox((32, 64), (1e7, 2e7))
    fields = drawn(replace(STATE, max_wavenumber=14), grid)
    along = fields["velocity_y"].std() / fields["velocity_x"].std()
    assert 0.7 < float(along) < 1.4


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"max_wavenumber": 0}, "max_wavenumber must be at least 1, got 0"),
        ({"peak_wavenumber": 0.0}, "peak_wavenumber must be positive and finite, got 0.0"),
        ({"mean_depth": math.inf}, "mean_depth must be positive and finite, got inf"),
        ({"coriolis": 0.0}, "coriolis must be finite and not zero, got 0.0"),
        ({"rossby_range": (0.3, 0.1)}, r"rossby_range must be two positive, ordered .* 0\.3, 0\.1"),
    ],
)
def test_impossible_arguments_are_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        BalancedTurbulence(**arguments)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="needs a PeriodicBox, got ClosedBox"):
        STATE.sample(np.random.default_rng(0), ClosedBox((8, 8)))
    with pytest.raises(ValueError, match=r"Rossby number 0\.3 needs a mean_depth above .* got 10"):
        drawn(replace(STATE, mean_depth=10.0))
