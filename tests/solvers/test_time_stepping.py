"""ETDRK4 on scalar problems with known solutions."""

import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import etdrk4


@dataclass
class Bernoulli:
    r"""$\dot u = \lambda u - u^2$, whose solution is known in closed form."""

    rate: float

    @property
    def linear(self) -> Tensor:
        return torch.tensor([self.rate], dtype=torch.float64)

    def nonlinear(self, state: Tensor) -> Tensor:
        return -(state**2)

    def solution(self, start: float, time: float) -> float:
        growth = math.exp(self.rate * time)
        return self.rate * start * growth / (self.rate + start * (growth - 1))


@pytest.mark.parametrize("rate", [-2.0, 1.0])
def test_order_is_four(rate):
    equation = Bernoulli(rate)
    start = torch.tensor([0.8], dtype=torch.complex128)
    errors = []
    for steps in (4, 8, 16, 32):
        end = repeat(etdrk4(equation, 1 / steps), steps)(start)
        errors.append(abs(end.item().real - equation.solution(0.8, 1.0)))
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert min(orders[1:]) > 3.9


@pytest.mark.parametrize("rate", [0.0, -1e-6, -1e3])
def test_the_linear_part_is_exact_at_any_stiffness(rate):
    @dataclass
    class Constant:
        linear = torch.tensor([rate], dtype=torch.float64)

        def nonlinear(self, state: Tensor) -> Tensor:
            return torch.full_like(state, 2.0)

    # u' = L u + 2 from u = 3 over a time of 0.7, in one step.
    expected = 3 * math.exp(rate * 0.7) + 2 * (math.expm1(rate * 0.7) / rate if rate else 0.7)
    end = etdrk4(Constant(), 0.7)(torch.tensor([3.0], dtype=torch.complex128))
    assert end.item() == pytest.approx(expected, rel=1e-12)
