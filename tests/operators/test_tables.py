import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from pdesurrogate.operators.tables import made_once


def test_made_for_the_first_caller_only() -> None:
    calls = []

    @made_once(maxsize=4)
    def ones(n: int) -> Tensor:
        calls.append(n)
        return torch.ones(n)

    assert ones(2) is ones(2)
    assert ones(3).shape == (3,)
    assert calls == [2, 3]


def test_made_in_inference_mode_serves_training_too() -> None:
    ones = made_once(maxsize=4)(lambda n: torch.ones(n))
    with torch.inference_mode():
        ones(2)
    v = torch.ones(2, requires_grad=True)
    (v * ones(2)).sum().backward()
    assert torch.equal(v.grad, torch.ones(2))


def test_made_while_exporting_is_not_kept() -> None:
    ones = made_once(maxsize=4)(lambda n: torch.ones(n))

    class Scale(torch.nn.Module):
        def forward(self, v: Tensor) -> Tensor:
            return v * ones(v.shape[-1])

    exported = torch.export.export(Scale(), (torch.ones(1, 3),), strict=False)
    assert torch.equal(exported.module()(torch.ones(1, 3)), torch.ones(1, 3))
    assert not isinstance(ones(3), FakeTensor)
