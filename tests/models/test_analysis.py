import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.grids import ClosedBox, PeriodicBox
from pdesurrogate.models import (
    FNO,
    BottleneckAttention,
    ClassicalUNet,
    ConstrainedUNet,
    ConvNeXtUNet,
    FiLM,
    Haar,
    Level,
    MaxPooling,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    Spectral,
    Strided,
    UNet,
    Wavelet,
    fine_level,
    preconditioned_residual,
    residual_energy,
)
from pdesurrogate.models.blocks import ConvStyle
from pdesurrogate.models.spaces import HaarEmbedding, HaarProjection
from pdesurrogate.models.unet import Decoder

STYLE = ConvStyle(("circular", "circular"))

RESIDUAL = [
    ResidualUNet(4, 3),
    ResidualUNet(4, 2, norm="group", extra_decoder_blocks=2, space=Strided()),
    ResidualUNet(4, 2, space=MaxPooling()),
    MultiResNet(4, 3),
    MultiResNet(4, 2, norm="group", extra_decoder_blocks=3),
    MultiResNet(4, 2, space=Wavelet("db2"), details=True),
    ResidualUNet(4, 2, space=Spectral(), norm="layer", attention=BottleneckAttention(heads=2)),
    ConvNeXtUNet(4, 2),
    ConstrainedUNet(4, 2),
]
every_network = pytest.mark.parametrize("spec", RESIDUAL, ids=str)


class Added(Decoder):
    """`pre` times the embedded coarse field plus `res` times the skip."""

    def __init__(self, pre: float, res: float) -> None:
        super().__init__()
        self.pre, self.res = pre, res

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.precondition(coarse, skip) + self.res * skip

    def precondition(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.pre * HaarEmbedding()(coarse, skip)


def network_of(spec: ModelSpec, dtype: torch.dtype = torch.float64) -> UNet:
    torch.manual_seed(0)
    return spec.build(2, 3, PeriodicBox((16, 16))).to(dtype)


def level_inputs(unet: UNet, v: Tensor) -> list[Tensor]:
    """What each level is given, coarse to fine, before its encoder operator."""
    given = [unet.lift(v)]
    for encoder, projection, _ in reversed(unet.levels[1:]):
        given.insert(0, projection(encoder(given[0])))
    return given


@every_network
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 2e-6), (torch.float64, 2e-15)])
def test_every_level_is_the_sum_of_preconditioner_and_residual(
    spec: ModelSpec, dtype: torch.dtype, rounding: float
) -> None:
    unet = network_of(spec, dtype)
    v = torch.randn(2, 2, 16, 32, dtype=dtype)
    found = preconditioned_residual(unet, v)
    assert len(found) == unet.num_levels
    for i, (v_i, (pre, res)) in enumerate(zip(level_inputs(unet, v), found, strict=True), 1):
        answer = unet.level(i)(v_i)
        assert (pre + res - answer).abs().max() <= rounding * answer.abs().max()
        assert (pre - unet.preconditioner(i)(v_i)).abs().max() <= rounding * pre.abs().max()
        assert res.abs().max() > 1e-3


@every_network
def test_the_network_is_its_last_sum_read_off(spec: ModelSpec) -> None:
    unet = network_of(spec)
    v = torch.randn(1, 2, 16, 16).double()
    pre, res = preconditioned_residual(unet, v)[-1]
    torch.testing.assert_close(unet.head(pre + res), unet(v), atol=1e-14, rtol=1e-14)


@every_network
def test_residual_has_a_path_of_its_own(spec: ModelSpec) -> None:
    for decoder in network_of(spec).decoders:
        assert type(decoder).residual is not Decoder.residual


def test_extended_network_has_the_levels_of_both() -> None:
    coarse = network_of(MultiResNet(4, 2))
    fine = coarse.extended(*(fine_level(2, 3, STYLE, Haar(), width=4) for _ in range(2)))
    fine = fine.double()
    nn.init.normal_(fine.decoders[0].read_off.weight)
    v = torch.randn(2, 2, 64, 64).double()
    found = preconditioned_residual(fine, v)
    assert [pre.shape[-1] for pre, _ in found] == [8, 16, 32, 64]
    cells = HaarProjection()(HaarProjection()(v))
    for ours, alone in zip(found, preconditioned_residual(coarse, cells), strict=False):
        torch.testing.assert_close(ours, alone)
    assert found[2].residual.abs().max() > 1e-3
    assert not found[3].residual.any()
    coarser = sum(found[2]).repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(found[3].preconditioner, coarser, atol=1e-14, rtol=1e-14)
    torch.testing.assert_close(sum(found[3]), fine(v), atol=1e-14, rtol=1e-14)


def test_a_network_around_a_unet_is_looked_into() -> None:
    unet = network_of(ResidualUNet(4, 2), torch.float32)
    wrapped = nn.Sequential(nn.Conv2d(1, 2, 1), unet)
    v = torch.randn(1, 1, 16, 16)
    inside = preconditioned_residual(unet, wrapped[0](v))
    torch.testing.assert_close(preconditioned_residual(wrapped, v), inside)


def test_modulated_network_is_split_with_its_parameters() -> None:
    torch.manual_seed(0)
    spec = MultiResNet(4, 2, film=FiLM(hidden=4))
    network = spec.build_conditioned(3, 1, PeriodicBox((16, 16)), (2,)).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    v = torch.randn(2, 3, 16, 16).double()
    v[:, 2] = torch.tensor([1.0, -1.0]).double()[:, None, None]
    found = preconditioned_residual(network, v)
    answer = network.network.head(sum(found[-1]))
    torch.testing.assert_close(answer, network(v), atol=1e-13, rtol=1e-13)
    assert (residual_energy(network, v)["output_change"] > 0).all()


def test_linear_network_by_hand() -> None:
    unet = UNet(
        levels=[Level(nn.Identity(), HaarProjection(), Added(2.0, 3.0))],
        bottleneck=nn.Identity(),
        head=nn.Conv2d(1, 1, 1, bias=False),
    )
    nn.init.constant_(unet.head.weight, 7.0)
    v = torch.tensor([[1.0, 1.0], [1.0, 1.0]])[None, None]  # a constant: U_1 = 2 v + 3 v
    ((pre, res),) = preconditioned_residual(unet, v)
    torch.testing.assert_close((pre, res), (2 * v, 3 * v))
    energy = residual_energy(unet, v)
    assert energy["residual_energy"].item() == pytest.approx(9 / 25)
    assert energy["output_change"].item() == pytest.approx(9 / 25)
    detail = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[None, None]  # nothing for the coarse level
    energy = residual_energy(unet, torch.cat([detail, v]))
    assert energy["residual_energy"].values.tolist() == [pytest.approx([1, 9 / 25])]


@every_network
def test_energy_is_that_of_the_summands(spec: ModelSpec) -> None:
    unet = network_of(spec)
    v = torch.randn(3, 2, 32, 16).double()
    energy = residual_energy(unet, v)
    assert energy["residual_energy"].dims == ("level", "sample")
    for i, (pre, res) in enumerate(preconditioned_residual(unet, v), 1):
        at = energy.sel(level=i)
        assert (int(at["num_points_y"]), int(at["num_points_x"])) == pre.shape[-2:]
        expected = res.square().sum((1, 2, 3)) / (pre + res).square().sum((1, 2, 3))
        assert at["residual_energy"].values == pytest.approx(expected.detach().numpy(), rel=1e-12)


def test_switching_the_finest_level_off_leaves_its_preconditioner() -> None:
    unet = network_of(MultiResNet(4, 2))
    v = torch.randn(3, 2, 16, 16).double()
    without = unet.head(unet.preconditioner(2)(unet.lift(v)))
    out = unet(v)
    change = (out - without).square().sum((1, 2, 3)) / out.square().sum((1, 2, 3))
    found = residual_energy(unet, v)["output_change"].sel(level=2).values
    assert found == pytest.approx(change.detach().numpy(), rel=1e-12)


def test_switching_a_coarse_level_off_is_felt_above() -> None:
    unet = network_of(ResidualUNet(4, 2))
    v = torch.randn(1, 2, 16, 16).double()
    fine, middle = level_inputs(unet, v)[::-1]
    skip = unet.encoders[1](fine)
    without = unet.head(unet.decoders[1](unet.preconditioner(1)(middle), skip))
    out = unet(v)
    change = (out - without).square().sum() / out.square().sum()
    found = residual_energy(unet, v)["output_change"].sel(level=1).item()
    assert found == pytest.approx(change.item(), rel=1e-12)


def test_measuring_leaves_no_trace() -> None:
    unet = network_of(MultiResNet(4, 2))
    v = torch.randn(1, 2, 16, 16).double()
    before = unet(v)
    residual_energy(unet, v)
    assert torch.equal(unet(v), before)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in unet.modules())


def test_summands_are_differentiable() -> None:
    unet = network_of(ResidualUNet(2, 1))
    v = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: preconditioned_residual(unet, v)[0], (v,))


def test_closed_box() -> None:
    torch.manual_seed(0)
    unet = ResidualUNet(4, 2, extra_decoder_blocks=1).build(2, 1, ClosedBox((16, 16))).double()
    v = torch.randn(1, 2, 16, 16).double()
    torch.testing.assert_close(unet.head(sum(preconditioned_residual(unet, v)[-1])), unet(v))


def test_decoder_without_summands_is_refused() -> None:
    unet = network_of(ClassicalUNet(4, 2), torch.float32)
    with pytest.raises(ValueError, match="ConcatenatingDecoder is no sum of a preconditioner"):
        preconditioned_residual(unet, torch.randn(1, 2, 16, 16))
    with pytest.raises(ValueError, match="ConcatenatingDecoder is no sum of a preconditioner"):
        residual_energy(unet, torch.randn(1, 2, 16, 16))


def test_network_without_levels_is_refused() -> None:
    operator = FNO(modes=3, width=4, layers=1).build(2, 3, PeriodicBox((16, 16)))
    with pytest.raises(ValueError, match="FourierNeuralOperator has no levels"):
        preconditioned_residual(operator, torch.randn(1, 2, 16, 16))
