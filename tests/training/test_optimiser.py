"""Clipping complex gradients through their real parts is clipping them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from pdesurrogate.training.optimiser import real_parameter


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(1)
    made = [
        nn.Parameter(torch.randn(3, 4)),
        nn.Parameter(torch.randn(2, 5, dtype=torch.complex64)),
        nn.Parameter(torch.randn(6, dtype=torch.complex64)),
        nn.Parameter(torch.randn(2)),
    ]
    for parameter in made[:-1]:
        parameter.grad = torch.randn_like(parameter)
    return made


@pytest.mark.parametrize("greatest", [0.5, 100.0, float("inf")])
def test_complex_gradients_are_clipped_in_place_as_torch_clips_them(greatest: float) -> None:
    expected, found = parameters(), parameters()
    norm = clip_grad_norm_(expected, greatest)
    torch.testing.assert_close(clip_grad_norm_(map(real_parameter, found), greatest), norm)
    for one, other in zip(found, expected, strict=True):
        if other.grad is None:
            assert one.grad is None
            continue
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad)


def test_only_complex_ones_are_looked_at_otherwise() -> None:
    made = parameters()
    assert real_parameter(made[0]) is made[0]
    assert real_parameter(made[3]) is made[3]
    assert not real_parameter(made[1]).is_complex()
