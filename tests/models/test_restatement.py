"""The named networks in the paper's shape against their formulas, with the same weights."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import ClassicalUNet, ModelSpec, MultiResNet, ResidualUNet
from tests.models.restatement import classical_unet, multi_resnet, residual_unet

LEVELS = 4
SIZE = {"width": 8, "levels": LEVELS}

CASES = [
    (ResidualUNet(**SIZE, norm="group"), lambda w, v: residual_unet(w, v, LEVELS, 0)),
    (MultiResNet(**SIZE, norm="group"), lambda w, v: multi_resnet(w, v, LEVELS, 0)),
    (
        MultiResNet(**SIZE, norm="group", extra_decoder_blocks=3),
        lambda w, v: multi_resnet(w, v, LEVELS, 3),
    ),
    (
        MultiResNet(**SIZE, norm="group", details=True),
        lambda w, v: multi_resnet(w, v, LEVELS, 0),
    ),
    (ClassicalUNet(**SIZE, norm="group"), lambda w, v: classical_unet(w, v, LEVELS)),
    (ClassicalUNet(**SIZE), lambda w, v: classical_unet(w, v, LEVELS)),
]


@pytest.mark.parametrize(("spec", "formula"), CASES, ids=[repr(spec) for spec, _ in CASES])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_network_is_its_formula(
    spec: ModelSpec,
    formula: Callable[[dict[str, Tensor], Tensor], Tensor],
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    torch.manual_seed(0)
    network = spec.build(12, 3, PeriodicBox((32, 32))).to(dtype)
    for name, parameter in network.named_parameters():
        if name.endswith("embedding.weight"):  # zero at first
            torch.nn.init.normal_(parameter, std=0.1)
    v = torch.randn(2, 12, 32, 48, dtype=dtype)
    expected = formula(network.state_dict(), v)
    assert (network(v) - expected).abs().max() <= tolerance * expected.abs().max()
