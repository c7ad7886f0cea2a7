"""Derivatives by input and weights are those of finite differences, in double precision."""

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from tests.models.named_networks import NAMED, build, given


# neuraloperator's layers compute in single precision whatever they are given.
@pytest.mark.parametrize("name", sorted(NAMED.keys() - {"FNO", "TFNO", "UNO"}))
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    network = build(NAMED[name]).double()
    # Pooled maxima and ReLUs have kinks; at random values no difference meets one.
    torch.manual_seed(0)
    v = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    weights = {k: p.detach().clone().requires_grad_() for k, p in network.named_parameters()}

    def response(v: Tensor, *values: Tensor) -> Tensor:
        given = dict(zip(weights, values, strict=True))
        return functional_call(network, given, (v,))

    assert torch.autograd.gradcheck(
        response, (v, *weights.values()), eps=1e-6, atol=1e-6, rtol=1e-4, fast_mode=True
    )


def test_input_of_the_neural_operators_is_what_they_answer_to() -> None:
    for name in ("FNO", "TFNO", "UNO"):
        network, v = build(NAMED[name]), given()
        direction = torch.randn(v.shape, generator=torch.Generator().manual_seed(0))
        derivative = torch.func.jvp(network, (v,), (direction,))[1]
        difference = (network(v + 1e-2 * direction) - network(v - 1e-2 * direction)) / 2e-2
        torch.testing.assert_close(derivative, difference, atol=2e-3, rtol=2e-2)
