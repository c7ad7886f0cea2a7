import pytest
import torch
from torch.nn import functional as F

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import ConvNeXtUNet, Haar, UNet
from pdesurrogate.models.blocks import ConvStyle
from pdesurrogate.models.convnext_unet import ConvNeXtBlock

STYLE = ConvStyle(("circular", "circular"), "layer")


def test_block_is_its_formula() -> None:
    torch.manual_seed(0)
    block, v = ConvNeXtBlock(3, STYLE), torch.randn(2, 3, 8, 9)
    around = torch.zeros_like(v) + block.look_around.bias[:, None, None]
    for a in range(-3, 4):
        for b in range(-3, 4):
            tap = block.look_around.weight[:, 0, 3 + a, 3 + b, None, None]
            around = around + tap * v.roll((-a, -b), (-2, -1))
    points = F.layer_norm(around.movedim(1, -1), (3,), eps=1e-6)
    hidden = F.gelu(points @ block.expand.weight[..., 0, 0].T + block.expand.bias)
    mixed = hidden @ block.contract.weight[..., 0, 0].T + block.contract.bias
    torch.testing.assert_close(block(v), v + 0.1 * mixed.movedim(-1, 1))


def test_each_level_is_its_preconditioner_and_a_residual() -> None:
    torch.manual_seed(0)
    unet = ConvNeXtUNet(width=4, levels=2).build(2, 1, PeriodicBox((16, 16)))
    assert isinstance(unet, UNet)
    v = torch.randn(1, 4, 16, 16)
    encoder, projection, decoder = unet.levels[1]
    skip = encoder(v)
    coarse = decoder.reduction(unet.level(1)(projection(skip)))
    joined = torch.cat([skip, coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)], 1)
    torch.testing.assert_close(unet.preconditioner(2)(v), decoder.merge(joined))
    torch.testing.assert_close(unet.level(2)(v), decoder.blocks(unet.preconditioner(2)(v)))


def test_spaces_are_pluggable() -> None:
    network = ConvNeXtUNet(width=4, levels=1, space=Haar()).build(2, 1, PeriodicBox((16, 16)))
    assert not any("projections" in name for name, _ in network.named_parameters())


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ConvNeXtUNet.blocks must be at least 1, got 0"):
        ConvNeXtUNet(blocks=0)
    with pytest.raises(ValueError, match="cannot coarsen a grid of 12 x 16 points so often"):
        ConvNeXtUNet(width=4).build(2, 1, PeriodicBox((12, 16)))
