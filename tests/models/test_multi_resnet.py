import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import (
    BottleneckAttention,
    Haar,
    MaxPooling,
    MultiResNet,
    ResidualUNet,
    Space,
    Spectral,
    Strided,
    Wavelet,
    count_parameters,
)
from pdesurrogate.models.blocks import ChannelTiling
from tests.models.paper import CHANNELS, GRID, SIZE
from tests.models.restatement import average, convolve, decode, residual_block


@pytest.mark.parametrize(
    ("problem", "extra_blocks", "published"),
    [
        ("navier_stokes", 0, 15_719_811),
        ("shallow_water", 0, 15_716_355),
        ("navier_stokes", 3, 34_537_731),
        ("shallow_water", 3, 34_534_275),
    ],
)
def test_papers_parameter_count(problem: str, extra_blocks: int, published: int) -> None:
    spec = MultiResNet(**SIZE, extra_decoder_blocks=extra_blocks)
    assert count_parameters(spec.build(*CHANNELS[problem], GRID)) == published


@pytest.mark.parametrize("norm", ["none", "group"])
@pytest.mark.parametrize("extra_blocks", [0, 2])
def test_network_is_its_formula(norm: str, extra_blocks: int) -> None:
    torch.manual_seed(0)
    spec = MultiResNet(width=4, levels=2, norm=norm, extra_decoder_blocks=extra_blocks)
    network = spec.build(2, 3, PeriodicBox((8, 8)))
    w, v = network.state_dict(), torch.randn(2, 2, 8, 12)

    fine = residual_block(w, "lift", v)
    middle = torch.cat([average(fine)] * 2, 1)
    out = torch.cat([average(middle)] * 2, 1)
    out = decode(w, "decoders.0", out, middle, extra_blocks)
    out = decode(w, "decoders.1", out, fine, extra_blocks)
    torch.testing.assert_close(network(v), convolve(w, "head", out), atol=1e-5, rtol=1e-5)


def test_encoder_learns_nothing() -> None:
    network = MultiResNet(width=4, levels=3).build(2, 1, PeriodicBox((16, 16)))
    parts = (network.encoders, network.projections, network.bottleneck)
    assert sum(count_parameters(part) for part in parts) == 0


def test_every_level_sees_the_averaged_lift() -> None:
    torch.manual_seed(0)
    network = MultiResNet(width=4, levels=3).build(2, 1, PeriodicBox((16, 16)))
    seen = []
    network.bottleneck.register_forward_hook(lambda _part, _given, out: seen.append(out))
    v = torch.randn(1, 2, 16, 16)
    network(v)
    cells = network.lift(v).reshape(1, 4, 2, 8, 2, 8).mean((3, 5))
    torch.testing.assert_close(seen[0], cells)


def test_three_extra_blocks_give_back_what_the_encoder_saves() -> None:
    saved = ResidualUNet(**SIZE).build(12, 3, GRID)
    spent = MultiResNet(**SIZE, extra_decoder_blocks=3).build(12, 3, GRID)
    assert count_parameters(spent) == pytest.approx(count_parameters(saved), rel=1e-3)


@pytest.mark.parametrize("space", [Haar(), Wavelet("db2")])
def test_details_at_first_change_nothing(space: Space) -> None:
    v, outputs = torch.randn(1, 2, 16, 16), []
    for details in (False, True):
        torch.manual_seed(0)
        spec = MultiResNet(width=4, levels=2, space=space, details=details)
        outputs.append(spec.build(2, 1, PeriodicBox((16, 16)))(v))
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-6, rtol=1e-6)


def test_details_cost_nine_times_the_squared_channels() -> None:
    plain, detailed = (
        count_parameters(
            MultiResNet(width=4, levels=2, details=details).build(2, 1, PeriodicBox((16, 16)))
        )
        for details in (False, True)
    )
    assert detailed - plain == 9 * (4**2 + 8**2)


def test_details_are_those_that_the_projection_drops() -> None:
    torch.manual_seed(0)
    network = MultiResNet(width=4, levels=1, details=True).build(2, 1, PeriodicBox((8, 8)))
    decoder = network.decoders[0]
    torch.nn.init.normal_(decoder.embedding.weight)
    coarse, skip = torch.randn(1, 8, 4, 4), torch.randn(1, 4, 8, 8)
    blurred = average(skip).repeat_interleave(2, -2).repeat_interleave(2, -1)
    given = decoder.embedding(decoder.reduction(coarse), skip)
    without = decoder.embedding(decoder.reduction(coarse), blurred)
    torch.testing.assert_close(average(given), decoder.reduction(coarse), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(average(given - without), torch.zeros(1, 4, 4, 4), atol=1e-5, rtol=0)
    assert (given - without).abs().max() > 0.1


def test_details_need_the_spaces_of_a_wavelet() -> None:
    with pytest.raises(ValueError, match="MaxPooling has no wavelet details"):
        MultiResNet(space=MaxPooling(), details=True).build(2, 1, PeriodicBox((16, 16)))


@pytest.mark.parametrize("space", [Haar(), MaxPooling(), Wavelet("db2"), Spectral()])
@pytest.mark.parametrize("attention", [None, BottleneckAttention(heads=2)])
def test_untiled_levels_answer_as_tiled_ones(
    space: Space, attention: BottleneckAttention | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = MultiResNet(width=4, levels=3, space=space, attention=attention)
    untiled = spec.build(2, 1, PeriodicBox((32, 32))).double()
    monkeypatch.setattr(type(space), "acts_on_each_channel", False)
    tiled = spec.build(2, 1, PeriodicBox((32, 32))).double()
    tiled.load_state_dict(untiled.state_dict())
    assert isinstance(tiled.encoders[0], ChannelTiling)
    assert not any(isinstance(part, ChannelTiling) for part in untiled.encoders)
    v = torch.randn(2, 2, 32, 48, dtype=torch.float64)
    torch.testing.assert_close(untiled(v), tiled(v), rtol=1e-12, atol=1e-12)


def test_levels_take_the_untiled_field() -> None:
    network = MultiResNet(width=4, levels=3).build(2, 1, PeriodicBox((32, 32)))
    for i, channels in enumerate((4, 16, 8, 4)):
        assert network.level(i)(torch.randn(1, 4, 16, 16)).shape == (1, channels, 16, 16)


def test_channels_that_a_projection_mixes_stay_tiled() -> None:
    for spec in (MultiResNet(width=4, space=Strided()), MultiResNet(width=4, details=True)):
        assert isinstance(spec.build(2, 1, PeriodicBox((32, 32))).encoders[0], ChannelTiling)
