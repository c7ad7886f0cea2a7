import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import (
    FNO,
    ClassicalUNet,
    Haar,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    Strided,
    UNet,
    fine_level,
)
from pdesurrogate.models.blocks import ConvStyle

STYLE = ConvStyle(("circular", "circular"))
every_network = pytest.mark.parametrize(
    "spec", [ResidualUNet(4, 2), MultiResNet(4, 2), ClassicalUNet(4, 2)]
)


def cells(v: Tensor) -> Tensor:
    return v.reshape(*v.shape[:-2], v.shape[-2] // 2, 2, v.shape[-1] // 2, 2).mean((-3, -1))


def spread(w: Tensor) -> Tensor:
    return w.repeat_interleave(2, -1).repeat_interleave(2, -2)


def extended(spec: ModelSpec, count: int = 1) -> tuple[UNet, UNet]:
    torch.manual_seed(0)
    coarse = spec.build(2, 3, PeriodicBox((16, 16)))
    fine = coarse.extended(*(fine_level(2, 3, STYLE, Haar(), width=4) for _ in range(count)))
    return coarse, fine


@every_network
def test_extended_network_starts_as_the_embedded_coarse_one(spec: ModelSpec) -> None:
    coarse, fine = extended(spec)
    v = torch.randn(2, 2, 32, 48)
    torch.testing.assert_close(fine(v), spread(coarse(cells(v))), atol=1e-6, rtol=1e-6)


def test_two_levels_embed_twice() -> None:
    coarse, fine = extended(ResidualUNet(4, 2), count=2)
    v = torch.randn(2, 2, 64, 64)
    embedded = spread(spread(coarse(cells(cells(v)))))
    torch.testing.assert_close(fine(v), embedded, atol=1e-6, rtol=1e-6)


def test_any_network_can_be_the_bottleneck() -> None:
    torch.manual_seed(0)
    coarse = FNO(modes=3, width=4, layers=1).build(2, 3, PeriodicBox((16, 16)))
    fine = UNet(levels=[fine_level(2, 3, STYLE, Strided(), width=4)], bottleneck=coarse)
    v = torch.randn(2, 2, 32, 32)
    torch.testing.assert_close(fine(v), spread(coarse(cells(v))), atol=1e-6, rtol=1e-6)


def test_fine_level_learns_while_the_coarse_ones_are_frozen() -> None:
    coarse, fine = extended(ResidualUNet(4, 2))
    before = {name: value.clone() for name, value in coarse.state_dict().items()}
    fine.bottleneck.requires_grad_(False)
    free = [p for p in fine.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(free, lr=0.1)
    v, target = torch.randn(2, 2, 32, 32), torch.randn(2, 3, 32, 32)
    losses = []
    for _ in range(3):
        loss = (fine(v) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in free)
    assert all(torch.equal(before[name], value) for name, value in coarse.state_dict().items())
