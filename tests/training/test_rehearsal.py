from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.data import Ladder
from pdesurrogate.grids import Grid
from pdesurrogate.models import ModelSpec, MultiResNet
from pdesurrogate.models.user_code import UserCodeError
from pdesurrogate.models.user_model import UserModel
from pdesurrogate.training import TrainingConfig
from pdesurrogate.training.rehearsal import rehearse

CONFIG = TrainingConfig(epochs=1, validation_steps=2)


@dataclass(frozen=True, slots=True)
class Untrainable(ModelSpec):
    """A network that cannot be trained, as one finds out in the first step."""

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return Exploding(in_channels, out_channels)


class Exploding(nn.Conv2d):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    def forward(self, v: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise AssertionError("this is no rehearsal")
        return super().forward(v)


class Shrinking(Exploding):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v)[..., 1:]


@pytest.mark.parametrize(
    "spec", [MultiResNet(width=4, levels=1), Untrainable(), UserModel.of(Exploding)]
)
def test_nothing_is_trained_and_the_random_state_is_left_alone(
    spec: ModelSpec, flow: Ladder
) -> None:
    before = torch.get_rng_state()
    rehearse(spec, flow, 8, CONFIG)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_train_would_refuse_is_refused(flow: Ladder) -> None:
    with pytest.raises(ValueError, match="resolution 12 is not in kolmogorov"):
        rehearse(MultiResNet(width=4, levels=1), flow, 12, CONFIG)
    with pytest.raises(ValueError, match=r"history 7 and .* have 8"):
        rehearse(MultiResNet(width=4, levels=1), flow, 8, replace(CONFIG, history=7))
    with pytest.raises(ValueError, match="9 levels cannot coarsen a grid of 8 x 8"):
        rehearse(MultiResNet(width=4, levels=9), flow, 8, CONFIG)


def test_a_network_of_ones_own_is_tried(flow: Ladder) -> None:
    with pytest.raises(UserCodeError, match=r"must give a tensor of shape \(1, 1, 8, 8\)"):
        rehearse(UserModel.of(Shrinking), flow, 8, CONFIG)
