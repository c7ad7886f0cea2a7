"""ETDRK4 on scalar problems with known solutions."""

import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from pdesurrogate.solvers import etdrk4
from pdesurrogate.solvers.time_stepping import advised_step


@dataclass
class Bernoulli:
    r"""$\dot u = \lambda u - u^2$, whose solution is known in closed form."""

    rate: float

    @property
    def linear(self) -> Tensor:
        return torch.tensor([self.rate], dtype=torch.float64)

    def nonlinear(self, state: Tensor, time: Tensor) -> Tensor:
        return -(state**2)

    def solution(self, start: float, time: float) -> float:
        growth = math.exp(self.rate * time)
        return self.rate * start * growth / (self.rate + start * (growth - 1))


def run(equation, start: float, steps: int, dt: float) -> complex:
    step = etdrk4(equation, dt, torch.complex128)
    u, time = torch.tensor([start], dtype=torch.complex128), torch.zeros(1, dtype=torch.float64)
    for _ in range(steps):
        u, time = step(u, time), time + dt
    return u.item()


@pytest.mark.parametrize("rate", [-2.0, 1.0])
def test_order_is_four(rate):
    equation = Bernoulli(rate)
    errors = []
    for steps in (4, 8, 16, 32):
        end = run(equation, 0.8, steps, 1 / steps)
        errors.append(abs(end.real - equation.solution(0.8, 1.0)))
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert min(orders[1:]) > 3.9


def test_order_is_four_when_the_equation_depends_on_time():
    @dataclass
    class Driven:
        """u' = -3 u - u² cos t + f(t) with f such that u = 1 + sin(2 t) / 2."""

        linear = torch.tensor([-3.0], dtype=torch.float64)

        def nonlinear(self, state: Tensor, time: Tensor) -> Tensor:
            u = 1 + torch.sin(2 * time) / 2
            source = torch.cos(2 * time) + 3 * u + u**2 * torch.cos(time)
            return source - state**2 * torch.cos(time)

    exact = 1 + math.sin(2.0) / 2
    errors = [abs(run(Driven(), 1.0, n, 1 / n) - exact) for n in (8, 16, 32, 64)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert min(orders[1:]) > 3.9


def test_a_diagonal_per_trajectory_equals_single_runs():
    @dataclass
    class Many:
        linear: Tensor

        def nonlinear(self, state: Tensor, time: Tensor) -> Tensor:
            return -(state**2)

    # More values than are worked on at a time, laid out in memory the other way round.
    rates = -torch.linspace(0, 50, 2 * 17000, dtype=torch.float64).reshape(17000, 2).mT
    start = torch.full((2, 17000), 0.5, dtype=torch.complex128)
    time = torch.zeros(1, dtype=torch.float64)
    together = etdrk4(Many(rates), 0.1, torch.complex128)(start, time)
    for row in range(2):
        alone = etdrk4(Many(rates[row : row + 1]), 0.1, torch.complex128)
        torch.testing.assert_close(
            together[row : row + 1], alone(start[:1], time), rtol=1e-13, atol=0
        )


@pytest.mark.parametrize("rate", [0.0, -1e-6, -1e3])
def test_the_linear_part_is_exact_at_any_stiffness(rate):
    @dataclass
    class Constant:
        linear = torch.tensor([rate], dtype=torch.float64)

        def nonlinear(self, state: Tensor, time: Tensor) -> Tensor:
            return torch.full_like(state, 2.0)

    # u' = L u + 2 from u = 3 over a time of 0.7, in one step.
    expected = 3 * math.exp(rate * 0.7) + 2 * (math.expm1(rate * 0.7) / rate if rate else 0.7)
    assert run(Constant(), 3.0, 1, 0.7) == pytest.approx(expected, rel=1e-12)


def largest_growth(turn: float, decay: float, carried: float) -> float:
    """Of waves per step, over all flows that turn them by up to `carried` radians in it."""

    class Carried:
        linear = torch.full((301,), -decay + 1j * turn, dtype=torch.complex128)
        speeds = torch.linspace(-carried, carried, 301, dtype=torch.float64)

        def nonlinear(self, state: Tensor, time: Tensor) -> Tensor:
            return 1j * self.speeds * state

    one = torch.ones(301, dtype=torch.complex128)
    step = etdrk4(Carried(), 1.0, torch.complex128)
    return float(step(one, torch.zeros(1, dtype=torch.float64)).abs().max()) - 1


def test_the_advised_step_is_one_in_which_waves_hardly_grow():
    turns = [0.5 * n for n in range(1, 25)]
    assert 0.06 < largest_growth(5.0, 0.0, 1.5) < 0.075
    assert all(largest_growth(turn, 0.0, 1.5) < 0.01 for turn in turns if turn <= 2.5)
    assert all(largest_growth(turn, 0.05, 1.0) < 0 for turn in turns)
    assert largest_growth(4.0, 0.0, 1.0) > 0.015
    assert advised_step(2.4, 0.0, 1.0) == 1.0
    assert advised_step(5.0, 0.0, 1.0) == 0.5
    assert advised_step(10.0, 0.09, 0.5) == 0.25
    assert advised_step(10.0, 0.11, 0.5) == 0.5
