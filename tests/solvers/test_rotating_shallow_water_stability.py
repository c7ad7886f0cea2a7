"""Up to which step rotating shallow water is stable."""

import math

import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import RotatingShallowWater, UniformRotation

DOUBLE = torch.float64
BOX = PeriodicBox((24, 24), (1e7, 1e7))
CELL = 1e7 / 24
LARGEST = 2 * math.pi * 7 / 1e7


def disturbance_after(equation: RotatingShallowWater, flow: float, dt: float) -> float:
    """What 200 steps make of noise of 1e-8 m on a uniform stream along x."""
    generator = torch.Generator().manual_seed(0)
    noise: list[Tensor] = [
        1e-8 * torch.randn(1, 24, 24, dtype=DOUBLE, generator=generator) for _ in range(3)
    ]
    start = {"height": 250 + noise[0], "velocity_x": flow + noise[1], "velocity_y": noise[2]}
    solver = equation.discretise(BOX, dt, dtype=DOUBLE)
    state = solver.initialise(start)
    assert float(solver.courant_number(state)) == pytest.approx(flow * dt / CELL, rel=1e-6)
    seen = solver.observe(repeat(solver.step, 200)(state), BOX)
    return float((seen["height"] - 250).abs().max())


@pytest.mark.parametrize(("courant", "is_stable"), [(1.28, True), (1.45, False)])
def test_the_courant_limit_parts_stable_from_unstable_steps(courant, is_stable):
    # Faster than the waves, which turn by 1.3 radians a step.
    equation = RotatingShallowWater(coriolis=UniformRotation(0.0))
    assert (disturbance_after(equation, 100.0, courant * CELL / 100) < 1e-6) == is_stable


def test_waves_that_turn_far_in_a_step_need_hyperviscosity():
    dt = 0.9 * CELL / 20
    assert math.sqrt(9.81 * 250) * LARGEST * dt > 4
    assert disturbance_after(RotatingShallowWater(coriolis=UniformRotation(0.0)), 20.0, dt) > 1e-4
    assert RotatingShallowWater(coriolis=UniformRotation(0.0)).advised_step(BOX, dt) < dt
    # The smallest scale falls by a factor of e in a step.
    damped = RotatingShallowWater(
        coriolis=UniformRotation(0.0), hyperviscosity=1 / (LARGEST**4 * dt)
    )
    assert disturbance_after(damped, 20.0, dt) < 1e-7
    assert damped.advised_step(BOX, dt) == dt


def test_the_advised_step_counts_the_largest_wavenumbers():
    equation = RotatingShallowWater(coriolis=UniformRotation(1e-3))
    frequency = math.sqrt(1e-6 + 9.81 * 250 * 2 * LARGEST**2)
    assert equation.advised_step(BOX, 1e4) == pytest.approx(2.5 / frequency)
