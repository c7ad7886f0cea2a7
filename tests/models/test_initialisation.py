"""Where networks without normalisation layers begin."""

import math

import pytest
import torch
from torch import nn

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import (
    FNO,
    BottleneckAttention,
    ClassicalUNet,
    ConstrainedUNet,
    MultiResNet,
    ResidualUNet,
    Strided,
)
from pdesurrogate.models.attention import SelfAttention
from pdesurrogate.models.blocks import ConvStyle, ResidualBlock
from pdesurrogate.models.initialisation import halve_residual, keep_variance
from pdesurrogate.models.unet_spec import UNetSpec


@pytest.mark.parametrize(
    ("part", "taps"), [(nn.Conv2d(64, 48, 3), 9), (nn.ConvTranspose2d(64, 48, 2, stride=2), 1)]
)
def test_weights_have_the_variance_of_he(part: nn.Module, taps: int) -> None:
    torch.manual_seed(0)
    part.apply(keep_variance)
    expected = math.sqrt(2 / (taps * 64))
    assert float(part.weight.detach().std()) == pytest.approx(expected, rel=0.03)
    assert part.bias is not None
    assert part.bias.abs().max() == 0


def test_only_the_second_convolution_of_a_residual_block_is_halved() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(32, 32, ConvStyle(("circular", "circular"), "none")).apply(keep_variance)
    before = [float(c.weight.detach().std()) for c in (block.conv1, block.conv2)]
    block.apply(halve_residual)
    after = [float(c.weight.detach().std()) for c in (block.conv1, block.conv2)]
    assert after[0] == before[0]
    assert after[1] == pytest.approx(before[1] / 2, rel=0.05)


@pytest.mark.parametrize("model", [ClassicalUNet, ConstrainedUNet, ResidualUNet, MultiResNet])
def test_attention_starts_in_its_own_way(model: type[UNetSpec]) -> None:
    torch.manual_seed(0)
    spec = model(width=4, levels=2, attention=BottleneckAttention(2))
    network = spec.build(1, 1, PeriodicBox((16, 16)))
    attention = next(part for part in network.modules() if isinstance(part, SelfAttention))
    for convolution in (attention.look_up, attention.read_off):
        assert convolution.weight.abs().max() <= convolution.in_channels**-0.5
        assert convolution.bias.abs().max() > 0


def test_learned_spaces_start_as_haar() -> None:
    v = torch.randn(1, 1, 16, 16)
    network = ResidualUNet(width=4, levels=2, space=Strided()).build(1, 1, PeriodicBox((16, 16)))
    haar = ResidualUNet(width=4, levels=2).build(1, 1, PeriodicBox((16, 16)))
    haar.load_state_dict(network.state_dict(), strict=False)
    outputs = [made(v) for made in (network, haar)]
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_the_signal_neither_fades_nor_explodes_in_a_residual_unet(levels: int) -> None:
    torch.manual_seed(levels)
    network = ResidualUNet(width=8, levels=levels).build(1, 1, PeriodicBox((32, 32)))
    seen: list[float] = []
    network.decoders[-1].register_forward_hook(lambda m, v, made: seen.append(float(made.std())))
    with torch.no_grad():
        network(torch.randn(4, 1, 32, 32))
    assert 0.1 < seen[0] < 10


def test_every_model_brings_the_rate_at_which_it_learns() -> None:
    assert FNO().learning_rate == 1e-2
    assert MultiResNet().learning_rate == 2e-3
    assert ResidualUNet().learning_rate == 2e-3


def test_the_rate_of_a_wide_fno_is_lower_in_proportion() -> None:
    assert [FNO(width=width).learning_rate for width in (14, 32, 128)] == [1e-2, 1e-2, 2.5e-3]


@pytest.mark.parametrize("model", [ClassicalUNet, MultiResNet, ResidualUNet])
def test_the_rate_of_a_wide_u_net_is_lower_in_proportion(model: type[UNetSpec]) -> None:
    assert [model(width=width).learning_rate for width in (16, 32, 64, 128)] == [
        2e-3,
        2e-3,
        1e-3,
        5e-4,
    ]
