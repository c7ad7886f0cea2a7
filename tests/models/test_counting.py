import math

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import (
    FNO,
    MultiResNet,
    ResidualUNet,
    count,
    count_activation_bytes,
    count_flops,
    count_parameters,
)
from pdesurrogate.models.blocks import BoundaryConv2d

GRID = PeriodicBox((8, 16))
POINTS = 8 * 16


class Transforms(nn.Module):
    def forward(self, v: Tensor) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(v), s=v.shape[-2:])


class ComplexTransform(nn.Module):
    def forward(self, v: Tensor) -> Tensor:
        return torch.fft.fft(v + 0j, dim=-1)


class ComplexProduct(nn.Module):
    def forward(self, v: Tensor) -> Tensor:
        return (v + 0j) @ (v + 0j).mT


def test_complex_parameters_count_twice() -> None:
    module = nn.Linear(3, 2)
    assert count_parameters(module) == 8
    module.weight = nn.Parameter(torch.zeros(2, 3, dtype=torch.complex64))
    assert count_parameters(module) == 14


def test_frozen_parameters_do_not_count() -> None:
    module = nn.Linear(3, 2)
    module.bias.requires_grad_(False)
    assert count_parameters(module) == 6


@pytest.mark.parametrize("edges", [("circular", "circular"), ("replicate", "circular")])
def test_convolution(edges: tuple[str, str]) -> None:
    assert count_flops(BoundaryConv2d(3, 5, edges), 3, GRID) == 2 * 9 * 3 * 5 * POINTS


def test_transposed_convolution() -> None:
    upsampling = nn.ConvTranspose2d(4, 2, kernel_size=2, stride=2)
    assert count_flops(upsampling, 4, GRID) == 2 * 4 * 4 * 2 * POINTS


def test_real_transforms_cost_half_of_complex_ones() -> None:
    assert count_flops(Transforms(), 3, GRID) == 3 * 5 * POINTS * math.log2(POINTS)
    assert count_flops(ComplexTransform(), 3, GRID) == 3 * 5 * POINTS * math.log2(16)


def test_complex_product_costs_four_real_ones() -> None:
    assert count_flops(ComplexProduct(), 3, GRID) == 3 * 8 * 8 * 8 * 16
    assert count_flops(nn.Linear(16, 4, bias=False), 3, GRID) == 2 * 3 * 8 * 16 * 4


def test_fourier_layer() -> None:
    modes, width = 3, 4
    network = FNO(modes=modes, width=width).build(1, 1, GRID)
    layer = network.operator.fno_blocks.convs[0]
    transforms = 5 * width * POINTS * math.log2(POINTS)
    contraction = 8 * width**2 * (2 * modes + 1) * (modes + 1)
    assert count_flops(layer, width, GRID) == round(transforms + contraction)


def test_flops_of_a_convolutional_network_grow_with_the_points() -> None:
    network = MultiResNet(width=4, levels=2).build(2, 1, GRID)
    assert count_flops(network, 2, PeriodicBox((16, 32))) == 4 * count_flops(network, 2, GRID)


def test_counting_leaves_no_trace() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.Dropout())
    network[2].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_flops(network, 2, GRID)
    assert [part.training for part in network] == [True, True, False]
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_double_precision_networks_are_counted() -> None:
    assert count_flops(nn.Conv2d(2, 2, 1).double(), 2, GRID) == 2 * 2 * 2 * POINTS


def test_activations_that_are_kept() -> None:
    # The convolution keeps its input, the perceptron's tanh its output; the sum keeps nothing.
    kept = count_activation_bytes(nn.Conv2d(3, 5, 1), 3, GRID)
    assert kept == 4 * 3 * POINTS
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Tanh())
    assert count_activation_bytes(network, 3, GRID) == 4 * (3 + 5) * POINTS
    assert count_activation_bytes(network.double(), 3, GRID) == 8 * (3 + 5) * POINTS
    assert count_activation_bytes(nn.Identity(), 3, GRID) == 0


def test_what_is_kept_twice_counts_once() -> None:
    class Square(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 5, 1)

        def forward(self, v: Tensor) -> Tensor:
            a = self.conv(v)
            return a * a.flatten().view_as(a)

    assert count_activation_bytes(Square(), 3, GRID) == 4 * (3 + 5) * POINTS


def test_normalisation_keeps_statistics_but_its_own_are_no_activations() -> None:
    network = nn.BatchNorm2d(3)
    with_input = count_activation_bytes(network, 3, GRID)
    assert 4 * 3 * POINTS <= with_input <= 4 * 3 * POINTS + 100


def test_activations_grow_with_the_points() -> None:
    network = ResidualUNet(width=4, levels=2).build(2, 1, GRID)
    coarse = count_activation_bytes(network, 2, GRID)
    fine = count_activation_bytes(network, 2, PeriodicBox((16, 32)))
    assert 3.3 * coarse < fine < 4 * coarse  # but for the padded edges


def test_summed_weights_are_kept_once_for_all_samples() -> None:
    network = MultiResNet(width=4, levels=2).build(2, 1, GRID)
    one, two, three = (count_activation_bytes(network, 2, GRID, batch) for batch in (1, 2, 3))
    assert three - two == two - one
    assert 0 < 2 * one - two < 100_000


def test_cost_says_it_all() -> None:
    network = FNO(modes=3, width=4, layers=2).build(2, 1, GRID)
    cost = count(network, GRID, 2)
    assert cost.num_points == (8, 16)
    assert cost.parameters == count_parameters(network)
    assert cost.flops == count_flops(network, 2, GRID)
    assert cost.activation_bytes == count_activation_bytes(network, 2, GRID)
    assert cost.forward_seconds > 0
    assert cost.training_seconds > 0
    assert (cost.threads, cost.device) == (torch.get_num_threads(), "cpu")


def test_counting_costs_leaves_no_trace() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.Dropout())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count(network, GRID, 2)
    assert all(part.training for part in network)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("network", [nn.Identity(), nn.Conv2d(2, 2, 1).requires_grad_(False)])
def test_networks_that_learn_nothing_are_counted(network: nn.Module) -> None:
    assert count(network, GRID, 2).parameters == 0
