"""Sub-steps that each trajectory chooses for itself."""

import math
from typing import NamedTuple

import pytest
import torch

from pdesurrogate.grids import ClosedBox
from pdesurrogate.solvers import ShallowWater
from pdesurrogate.solvers.equation import SubStepping
from pdesurrogate.solvers.sub_steps import advance_in_sub_steps


class Clock(NamedTuple):
    elapsed: torch.Tensor
    steps: torch.Tensor


def advance(rates, dt=1.0):
    def sub_step(state, lengths):
        lengths = torch.tensor(lengths, dtype=torch.float64)[:, None, None]
        return Clock(state.elapsed + lengths, state.steps + 1)

    start = Clock(*torch.zeros(2, len(rates), 1, 1, dtype=torch.float64))
    wanted = torch.tensor(rates, dtype=torch.float64)
    end = advance_in_sub_steps(start, dt, lambda state: wanted, sub_step)
    return end.elapsed.flatten().tolist(), end.steps.flatten().tolist()


def test_every_trajectory_arrives_in_its_own_sub_steps():
    elapsed, steps = advance([0.5, 3.0, 7.3], dt=2.0)
    assert elapsed == pytest.approx([2.0, 2.0, 2.0], rel=1e-14)
    assert steps == [1, 6, 15]


@pytest.mark.parametrize("rate", [math.nan, math.inf, 1e9])
def test_what_has_blown_up_ends_and_is_seen(rate):
    elapsed, steps = advance([2.0, rate])
    assert elapsed[0] == pytest.approx(1.0)
    assert math.isnan(elapsed[1])
    assert steps == [2, 1]


def test_a_retry_takes_shorter_sub_steps():
    grid = ClosedBox((8, 8), (1.0, 1.0))
    solver = ShallowWater(gravity=1.0).discretise(grid, 0.3, dtype=torch.float64)
    assert isinstance(solver, SubStepping)
    y = torch.as_tensor(grid.y)[:, None].expand(1, 8, 8)
    still = torch.zeros_like(y)
    fields = {"height": 1 + 0.2 * y, "velocity_x": still, "velocity_y": still}
    start = solver.initialise(fields)
    once = solver.step(start)
    solver.substep_share = 0.25
    finer = solver.step(start)
    difference = (once.height - finer.height).abs().max()
    assert 1e-8 < difference < 1e-2
