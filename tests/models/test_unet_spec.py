import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import (
    ClassicalUNet,
    ConstrainedUNet,
    ConvNeXtUNet,
    MultiResNet,
    ResidualUNet,
    Strided,
)
from pdesurrogate.models.unet_spec import UNetSpec


def test_channels_double_towards_the_coarse_levels() -> None:
    assert ResidualUNet(width=8, levels=3).channels == (64, 32, 16, 8)


@pytest.mark.parametrize(
    ("model", "options", "complaint"),
    [
        (ClassicalUNet, {"width": 0}, "ClassicalUNet.width must be at least 1, got 0"),
        (MultiResNet, {"levels": 0}, "MultiResNet.levels must be at least 1, got 0"),
        (
            ResidualUNet,
            {"extra_decoder_blocks": -1},
            "ResidualUNet.extra_decoder_blocks must be at least 0, got -1",
        ),
        (MultiResNet, {"extra_decoder_blocks": -2}, "MultiResNet.extra_decoder_blocks"),
    ],
)
def test_nonsense_is_refused(model: type, options: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        model(**options)


@pytest.mark.parametrize(
    "model", [ClassicalUNet, ConstrainedUNet, ConvNeXtUNet, MultiResNet, ResidualUNet]
)
def test_a_grid_is_refused_before_anything_is_built(model: type[UNetSpec]) -> None:
    with pytest.raises(ValueError, match="cannot coarsen a grid of 32 x 32"):
        model(width=64, levels=30).build(1, 1, PeriodicBox((32, 32)))


def test_the_check_of_the_grid_draws_no_numbers() -> None:
    before = torch.get_rng_state()
    ResidualUNet().check_grid(PeriodicBox((32, 32)), Strided())
    assert torch.equal(torch.get_rng_state(), before)
