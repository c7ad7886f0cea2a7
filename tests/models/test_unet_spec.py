import pytest

from pdesurrogate.models import ClassicalUNet, MultiResNet, ResidualUNet


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
