import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import DilatedResNet, count_parameters
from pdesurrogate.models.blocks import ConvStyle
from pdesurrogate.models.dilated_resnet import DILATIONS, DilatedBlock

STYLE = ConvStyle(("circular", "circular"), activation="relu")


def test_block_is_its_formula() -> None:
    torch.manual_seed(0)
    block, v = DilatedBlock(2, STYLE), torch.randn(1, 2, 20, 24)
    residual = v
    for convolution, dilation in zip(block.convolutions, (1, 2, 4, 8, 4, 2, 1), strict=True):
        out = convolution.bias.reshape(1, 2, 1, 1)
        for a in (-1, 0, 1):
            for b in (-1, 0, 1):
                seen = residual.roll((-a * dilation, -b * dilation), (-2, -1))
                tap = convolution.weight[:, :, 1 + a, 1 + b]
                out = out + torch.einsum("oi,biyx->boyx", tap, seen)
        residual = out.relu()
    torch.testing.assert_close(block(v), v + residual)


def test_block_sees_22_points_in_every_direction() -> None:
    torch.manual_seed(0)
    block = DilatedBlock(4, ConvStyle(STYLE.edges, activation="tanh")).double()
    v = torch.randn(1, 4, 64, 64, dtype=torch.float64, requires_grad=True)
    block(v)[0, 0, 32, 32].backward()
    seen = v.grad[0].abs().amax(0).nonzero()
    assert sum(DILATIONS) == 22
    assert seen.min(0).values.tolist() == [10, 10]
    assert seen.max(0).values.tolist() == [54, 54]


def test_any_grid_goes() -> None:
    network = DilatedResNet(width=4, blocks=1).build(2, 1, PeriodicBox((16, 16)))
    for ny, nx in [(2, 3), (5, 7), (17, 8)]:
        assert network(torch.randn(1, 2, ny, nx)).shape == (1, 1, ny, nx)


def test_signal_keeps_its_size() -> None:
    torch.manual_seed(0)
    network = DilatedResNet(width=32).build(2, 1, PeriodicBox((16, 16)))
    v = network[0](torch.randn(1, 2, 32, 32))
    assert 0.5 < float((network[1](v).std() / v.std()).detach()) < 4


def test_parameters_of_the_paper() -> None:
    # Width 48, four blocks: 28 convolutions of 48 * 48 * 9 + 48, encoder and decoder.
    network = DilatedResNet().build(3, 3, PeriodicBox((16, 16)))
    assert count_parameters(network) == 28 * 20784 + (27 * 48 + 48) + (48 * 27 + 3)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"DilatedResNet.blocks must be at least 1, got 0"):
        DilatedResNet(blocks=0)
