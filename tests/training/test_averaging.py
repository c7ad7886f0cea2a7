import pytest
import torch
from torch import nn

from pdesurrogate.training.averaging import WeightAverage


def test_the_average_follows_the_formula() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    average = WeightAverage(module, decay=0.15)
    with torch.no_grad():
        module.weight.fill_(3.0)
    average.update(step=0)  # decay min(0.15, 1/10)
    assert average.state_dict()["weight"].item() == pytest.approx(0.1 * 1 + 0.9 * 3)
    average.update(step=100)  # decay 0.15
    assert average.state_dict()["weight"].item() == pytest.approx(0.15 * 2.8 + 0.85 * 3)


def test_buffers_are_copied_and_the_module_is_left_alone() -> None:
    module = nn.BatchNorm2d(2)
    average = WeightAverage(module, decay=0.9)
    module.running_mean.fill_(5.0)
    average.update(step=3)
    assert average.state_dict()["running_mean"].tolist() == [5.0, 5.0]
    assert module.weight.requires_grad
    assert not average.state_dict()["weight"].requires_grad


def test_applied_the_module_has_the_average_and_afterwards_its_own() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    average = WeightAverage(module, decay=0.5)
    with torch.no_grad():
        module.weight.fill_(3.0)
    with average.applied():
        assert module.weight.item() == 1.0
    assert module.weight.item() == 3.0
    assert average.state_dict()["weight"].item() == 1.0


def test_complex_weights_are_averaged() -> None:
    module = nn.Module()
    module.register_parameter("weight", nn.Parameter(torch.tensor([1 + 2j])))
    average = WeightAverage(module, decay=0.5)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([3 + 4j]))
    average.update(step=1000)
    assert average.state_dict()["weight"].item() == pytest.approx(2 + 3j)
