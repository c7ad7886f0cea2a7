from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.models import (
    FNO,
    ClassicalUNet,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    count_flops,
    count_parameters,
    match,
)

GRID = PeriodicBox((16, 16))


@dataclass(frozen=True)
class InPairs(ModelSpec):
    """Only even widths of at least six can be built."""

    width: int = 6

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        if self.width < 6 or self.width % 2:
            raise ValueError(f"InPairs.width must be even and at least 6, got {self.width}")
        return nn.Conv2d(self.width, 10, 1, bias=False)


@dataclass(frozen=True)
class Rigid(ModelSpec):
    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return nn.Conv2d(in_channels, out_channels, 1)


def search(spec: ModelSpec, target: str, value: int) -> tuple[int, int]:
    found = match(spec, target=target, value=value, grid=GRID, in_channels=3, out_channels=2)
    assert found.wanted == value
    assert found.spec == replace(spec, width=found.spec.width)
    return found.spec.width, found.achieved


def cost(spec: ModelSpec, width: int, target: str) -> int:
    network = replace(spec, width=width).build(3, 2, GRID)
    return count_parameters(network) if target == "parameters" else count_flops(network, 3, GRID)


@pytest.mark.parametrize(
    "spec",
    [
        ResidualUNet(levels=2, norm="group"),
        MultiResNet(levels=3, extra_decoder_blocks=1),
        ClassicalUNet(levels=1),
        FNO(modes=3, layers=2),
    ],
    ids=lambda spec: type(spec).__name__,
)
@pytest.mark.parametrize("target", ["parameters", "flops"])
def test_no_width_comes_nearer(spec: ModelSpec, target: str) -> None:
    costs = {width: cost(spec, width, target) for width in range(2, 25)}
    for value in (costs[2], costs[7], (2 * costs[7] + costs[8]) // 3, costs[20] - 1):
        nearest = min(costs, key=lambda width: abs(costs[width] - value))
        assert search(spec, target, value) == (nearest, costs[nearest])


def test_the_papers_width_is_found_again() -> None:
    spec = MultiResNet(width=5, levels=4, norm="group")
    found = match(
        spec, target="parameters", value=15_719_811, grid=GRID, in_channels=12, out_channels=3
    )
    assert (found.spec.width, found.achieved, found.relative_difference) == (64, 15_719_811, 0)


def test_difference_is_relative_to_what_was_asked_for() -> None:
    found = match(
        InPairs(), target="parameters", value=70, grid=GRID, in_channels=1, out_channels=1
    )
    assert (found.spec.width, found.achieved) == (6, 60)
    assert found.relative_difference == pytest.approx(-1 / 7)


def test_widths_that_cannot_be_built_are_passed_over() -> None:
    assert search(InPairs(), "parameters", 190) == (18, 180)
    assert search(InPairs(), "parameters", 1_004) == (100, 1000)


def test_searching_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    search(FNO(modes=3, layers=2), "parameters", 5_000)
    assert torch.equal(torch.rand(3), expected)


def test_what_no_width_reaches_is_refused() -> None:
    least = cost(ResidualUNet(levels=2), 1, "parameters")
    sentence = f"ResidualUNet has at least {least} parameters with these options, at width 1; 100 "
    with pytest.raises(ValueError, match=sentence):
        search(ResidualUNet(levels=2), "parameters", 100)


def test_model_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="Rigid has no option 'width'"):
        search(Rigid(), "parameters", 100)


def test_what_cannot_be_built_at_any_width_says_why() -> None:
    with pytest.raises(ValueError, match="cannot coarsen a grid of 16 x 16"):
        search(MultiResNet(levels=5), "parameters", 10_000)
