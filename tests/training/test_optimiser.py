"""What moves the weights, and how far."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from pdesurrogate.demo import DEMO_MODELS
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import ResidualUNet
from pdesurrogate.training.optimiser import (
    rate_shares,
    real_parameter,
    weight_decaying_optimiser,
)


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


def wide() -> nn.ModuleDict:
    """Layers of 1728, 2304, 3456, 1800, 99 and (transposed) any number of inputs."""
    torch.manual_seed(0)
    layers = {
        "edge": nn.Conv2d(192, 4, 3),
        "wider": nn.Conv2d(256, 4, 3),
        "twice": nn.Conv1d(1152, 4, 3),
        "linear": nn.Linear(1800, 2),
        "narrow": nn.Conv2d(11, 1000, 3),
        "transposed": nn.ConvTranspose2d(2000, 4, 1),
    }
    return nn.ModuleDict(layers)


SHARES = {"wider": 0.75, "twice": 0.5, "linear": 0.96}


@pytest.mark.parametrize("slows_wide_layers", [True, False])
def test_the_first_step_of_adam_is_the_layers_share_of_the_rate(slows_wide_layers: bool) -> None:
    """Every weight moves by the rate, whatever its gradient."""
    module = wide()
    before = {name: w.detach().clone() for name, w in module.named_parameters()}
    optimiser = weight_decaying_optimiser(module, 0.0, slows_wide_layers=slows_wide_layers)
    for group in optimiser.param_groups:
        group["lr"] = 1e-2 * group["rate_share"]
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimiser.step()
    for name, weight in module.named_parameters():
        layer, kind = name.split(".")
        share = SHARES.get(layer, 1.0) if slows_wide_layers and kind == "weight" else 1.0
        moved = (weight.detach() - before[name]).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, 1e-2 * share), rtol=1e-3, atol=0)


def test_what_decays_and_what_does_not() -> None:
    module = wide()
    module["narrow"].requires_grad_(False)
    optimiser = weight_decaying_optimiser(module, 0.1, slows_wide_layers=True)
    decays = {
        id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]
    }
    for name, parameter in module.named_parameters():
        if name.startswith("narrow"):
            assert id(parameter) not in decays
        else:
            assert decays[id(parameter)] == (0.1 if parameter.ndim > 1 else 0.0)


@pytest.mark.parametrize("name", DEMO_MODELS)
def test_networks_for_which_rates_were_searched_have_no_wide_layers(name: str) -> None:
    assert rate_shares(DEMO_MODELS[name].build(1, 1, PeriodicBox((32, 32)))) == {}


def test_the_papers_network_has_some() -> None:
    network = ResidualUNet(width=64, levels=4).build(12, 3, PeriodicBox((32, 32)))
    assert min(rate_shares(network).values()) == 1728 / (9 * 1024)
