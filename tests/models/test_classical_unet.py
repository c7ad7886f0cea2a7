from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import ClassicalUNet, count_parameters
from tests.models.paper import CHANNELS, GRID, SIZE


@pytest.mark.parametrize(("problem", "first_inputs"), [("navier_stokes", 12), ("shallow_water", 6)])
def test_parameters_of_the_papers_size_are_those_counted_by_hand(
    problem: str, first_inputs: int
) -> None:
    def block(inputs: int, outputs: int) -> int:
        return 9 * outputs * (inputs + outputs) + 2 * outputs + 4 * outputs

    widths = [64, 128, 256, 512, 1024]
    expected = block(first_inputs, 64) + 9 * 64 * 3 + 3
    for fine, coarse in pairwise(widths):
        expected += block(fine, coarse) + 4 * coarse * fine + fine + block(2 * fine, fine)
    network = ClassicalUNet(**SIZE).build(*CHANNELS[problem], GRID)
    assert count_parameters(network) == expected


def test_one_level_is_the_classical_recipe() -> None:
    torch.manual_seed(0)
    network = ClassicalUNet(width=4, levels=1).build(2, 3, PeriodicBox((8, 8)))
    weights = network.state_dict()
    v = torch.randn(2, 2, 8, 12)

    def convolve(v: torch.Tensor, name: str) -> torch.Tensor:
        v = F.pad(v, (1, 1, 1, 1), mode="circular")
        return F.conv2d(v, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def block(v: torch.Tensor, name: str) -> torch.Tensor:
        return F.gelu(convolve(F.gelu(convolve(v, f"{name}.conv1")), f"{name}.conv2"))

    skip = block(v, "encoders.0")
    coarse = block(F.max_pool2d(skip, 2), "bottleneck")
    up = F.conv_transpose2d(
        coarse, weights["decoders.0.upsampling.weight"], weights["decoders.0.upsampling.bias"], 2
    )
    out = convolve(block(torch.cat([skip, up], 1), "decoders.0.block"), "head")
    torch.testing.assert_close(network(v), out)


def test_signal_reaches_the_coarsest_level() -> None:
    torch.manual_seed(0)
    network = ClassicalUNet(width=16, levels=3).build(2, 1, PeriodicBox((32, 32)))
    seen = []
    network.bottleneck.register_forward_hook(lambda _part, _given, out: seen.append(out))
    with torch.no_grad():
        out = network(torch.randn(4, 2, 32, 32))
    assert 0.1 < seen[0].std() < 10
    assert 0.1 < out.std() < 10
