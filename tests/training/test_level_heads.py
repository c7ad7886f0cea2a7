from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.models import (
    FNO,
    ClassicalUNet,
    Decoder,
    Extended,
    FiLM,
    Level,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    Spectral,
    Strided,
    UNet,
    Wavelet,
)
from pdesurrogate.models.spaces import HaarProjection
from pdesurrogate.training.level_heads import LevelHeads
from pdesurrogate.transfer import restrict

BOX = PeriodicBox((8, 8))


class LinearDecoder(Decoder):
    r"""$D(w \mid v) = a\,Q w + b\,v$ with numbers $a$ and $b$."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(b))

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.a * spread(coarse) + self.b * skip


class Scaling(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, v: Tensor) -> Tensor:
        return self.factor * v


def cells(v: Tensor) -> Tensor:
    return v.unflatten(-1, (-1, 2)).mean(-1).unflatten(-2, (-1, 2)).mean(-2)


def spread(w: Tensor) -> Tensor:
    return w.repeat_interleave(2, -1).repeat_interleave(2, -2)


def linear() -> UNet:
    """Two levels above a bottleneck that multiplies."""
    levels = [
        Level(nn.Identity(), HaarProjection(), LinearDecoder(a, b))
        for a, b in ((0.5, 2.0), (0.3, -1.0))
    ]
    return UNet(levels=levels, bottleneck=Scaling(0.7)).double()


def heads_of(network: nn.Module, grid: Grid = BOX, channels: int = 1, out: int = 1) -> LevelHeads:
    return LevelHeads(network, channels, out, grid, "the network")


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_loss_and_gradients_of_a_linear_network_are_those_of_the_formula() -> None:
    network, v, target = linear(), noise(3, 1, 8, 8), noise(3, 1, 8, 8)
    heads = heads_of(network)
    with torch.no_grad():
        for head, (weight, bias) in zip(heads.heads, ((1.5, 0.1), (-0.4, 0.2)), strict=True):
            head.weight.fill_(weight)
            head.bias.fill_(bias)
    heads.reset()
    network(v)
    loss = heads.loss(target)
    loss.backward()

    v1, v0, w1 = cells(v), cells(cells(v)), cells(target)
    u0 = 0.7 * v0
    e0 = 1.5 * u0 + 0.1 - cells(w1)
    e1 = -0.4 * (0.5 * spread(u0) + 2.0 * v1) + 0.2 - w1
    torch.testing.assert_close(loss, (e0.square().mean() + e1.square().mean()) / 2)

    # The mean over two levels of mean squares: the gradient is the mean of e times de.
    coarse, fine = network.decoders
    torch.testing.assert_close(coarse.a.grad, (e1 * -0.4 * spread(u0)).mean())
    torch.testing.assert_close(coarse.b.grad, (e1 * -0.4 * v1).mean())
    expected = (e0 * 1.5 * v0).mean() + (e1 * -0.4 * 0.5 * spread(v0)).mean()
    torch.testing.assert_close(network.bottleneck.factor.grad, expected)
    torch.testing.assert_close(heads.heads[0].bias.grad, e0.mean()[None])
    assert fine.a.grad is None


@pytest.mark.parametrize(
    ("spec", "num_levels"),
    [
        (ResidualUNet(width=4, levels=2), 2),
        (MultiResNet(width=4, levels=2), 2),
        (MultiResNet(width=4, levels=2, space=Spectral()), 2),
        (MultiResNet(width=4, levels=2, space=Strided()), 2),
        (MultiResNet(width=4, levels=2, space=Wavelet("db2")), 2),
        (ClassicalUNet(width=4, levels=2), 2),
        (ResidualUNet(width=4, levels=1, film=FiLM(hidden=4)), 1),
        (Extended(FNO(modes=3, width=4, layers=1), width=4), 1),
        (Extended(ResidualUNet(width=4, levels=1), width=4), 2),
        (Extended(ResidualUNet(width=4, levels=1, film=FiLM(hidden=4)), width=4), 2),
        (Extended(Extended(ResidualUNet(width=4, levels=1), width=4), width=4), 3),
    ],
    ids=str,
)
def test_all_levels_learn(spec: ModelSpec, num_levels: int) -> None:
    network = spec.build_conditioned(3, 2, PeriodicBox((32, 32)), (2,))
    heads = heads_of(network, PeriodicBox((32, 32)), 3, 2)
    assert len(heads.heads) == num_levels
    assert not {id(p) for p in heads.parameters()} & {id(p) for p in network.parameters()}
    v, target = torch.randn(2, 3, 32, 48), torch.randn(2, 2, 32, 48)
    v[:, 2] = v[:, 2, :1, :1]
    heads.reset()
    (network(v) - target).square().mean().add(heads.loss(target)).backward()
    for name, parameter in [*network.named_parameters(), *heads.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert all(parameter.grad.any() for parameter in heads.parameters())


def test_a_level_sees_the_target_of_its_rung() -> None:
    grid = PeriodicBox((32, 32))
    network = Extended(MultiResNet(width=4, levels=1), width=4).build(3, 2, grid)
    heads, target = heads_of(network, grid, 3, 2), torch.randn(2, 2, 32, 32)
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter.zero_()
    heads.reset()
    network(torch.randn(2, 3, 32, 32))
    on_rung = restrict(target, grid, grid.at_resolution(16))
    expected = (cells(on_rung).square().mean() + on_rung.square().mean()) / 2
    torch.testing.assert_close(heads.loss(target), expected)


@pytest.mark.parametrize(
    "spec", [ClassicalUNet(width=4, levels=1), ResidualUNet(width=4, levels=1)], ids=str
)
def test_where_a_projection_is_no_fixed_linear_map_the_target_is_averaged(spec: ModelSpec) -> None:
    network = spec.build(1, 1, ClosedBox((8, 8)))
    heads, target = heads_of(network, ClosedBox((8, 8))), torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter.zero_()
    heads.reset()
    network(torch.randn(2, 1, 8, 8))
    torch.testing.assert_close(heads.loss(target), cells(target).square().mean())


def test_errors_on_a_sphere_are_weighed_by_area() -> None:
    grid = GaussianSphere((16, 32))
    network = Extended(MultiResNet(width=4, levels=1), width=4).build(1, 1, grid)
    heads, target = heads_of(network, grid), torch.zeros(1, 1, 16, 32)
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter.zero_()
        heads.heads[1].bias.fill_(2.0)
    heads.reset()
    network(torch.randn(1, 1, 16, 32))
    torch.testing.assert_close(heads.loss(target), torch.tensor(2.0))  # (0 + 2 ** 2) / 2
    heads.reset()
    network(torch.randn(1, 1, 16, 32))
    latitude = torch.tensor(grid.y, dtype=torch.float32).deg2rad()
    target = latitude.sin()[:, None].expand(1, 1, 16, 32) + 2
    with torch.no_grad():
        heads.heads[0].bias.fill_(2.0)
    # The mean of the sine's square over a sphere is 1/3, not 1/2; level 0's cells see a bit less.
    assert heads.loss(target).item() == pytest.approx(1 / 3, abs=0.02)


def test_only_the_first_pass_after_a_reset_counts() -> None:
    network, target = linear(), noise(1, 1, 8, 8)
    heads, first, second = heads_of(network), noise(1, 1, 8, 8), noise(1, 1, 8, 8)

    def loss(*inputs: Tensor) -> float:
        heads.reset()
        for v in inputs:
            network(v)
        return heads.loss(target).item()

    alone = loss(first)
    assert loss(first, second) == alone
    assert loss(second) != alone
    heads.reset()
    with pytest.raises(RuntimeError, match="not been applied since"):
        heads.loss(target)


def test_it_serves_grids_of_every_size() -> None:
    network = MultiResNet(width=4, levels=2).build(1, 1, BOX)
    heads = heads_of(network)
    for ny, nx in ((8, 8), (16, 24)):
        heads.reset()
        network(torch.randn(2, 1, ny, nx))
        assert heads.loss(torch.randn(2, 1, ny, nx)).isfinite()


def test_at_weight_zero_and_between_steps_the_network_is_as_without() -> None:
    network, v, target = linear(), noise(2, 1, 8, 8), noise(2, 1, 8, 8)
    network(v).sub(target).square().mean().backward()
    expected = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    heads = heads_of(network)
    heads.reset()
    loss = network(v).sub(target).square().mean()
    (loss + 0.0 * heads.loss(target)).backward()
    assert all(torch.equal(a, p.grad) for a, p in zip(expected, network.parameters(), strict=True))
    assert not any(part._forward_hooks for part in network.modules())
    assert torch.equal(pickle.loads(pickle.dumps(copy.deepcopy(network)))(v), network(v))


def test_trying_the_network_out_leaves_it_alone() -> None:
    network = ResidualUNet(width=4, levels=1).build(1, 1, BOX)
    network.bottleneck = nn.Sequential(nn.BatchNorm2d(4), network.bottleneck)
    before = copy.deepcopy(network.state_dict())
    heads_of(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_objective_without_gradients_in_its_first_step_is_refused() -> None:
    network, heads = (made := linear()), heads_of(made)
    heads.reset()
    with torch.no_grad():
        network(noise(1, 1, 8, 8))
    network(noise(1, 1, 8, 8))
    with pytest.raises(ValueError, match="level_loss needs an objective in whose first step"):
        heads.loss(noise(1, 1, 8, 8))


def test_networks_without_levels_and_compiled_ones_are_refused() -> None:
    fno = FNO(modes=3, width=4, layers=1).build(1, 1, BOX)
    with pytest.raises(ValueError, match=r"^FNO has no levels .* level_loss is for U-Nets$"):
        LevelHeads(fno, 1, 1, BOX, "FNO")
    with pytest.raises(ValueError, match=r"^Flat has no levels"):
        LevelHeads(UNet(levels=[], bottleneck=Scaling(1.0)), 1, 1, BOX, "Flat")
    in_place = linear()
    in_place.compile()
    for compiled in (torch.compile(linear()), in_place):
        with pytest.raises(ValueError, match="of U cannot be looked at once it is compiled"):
            LevelHeads(compiled, 1, 1, BOX, "U")
