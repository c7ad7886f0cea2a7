import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import Level, ResidualUNet, UNet
from pdesurrogate.models.spaces import HaarEmbedding, HaarProjection
from pdesurrogate.models.unet import Decoder


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, v: Tensor) -> Tensor:
        return self.factor * v


class WeightedSum(Decoder):
    def __init__(self, coarse_weight: float, skip_weight: float) -> None:
        super().__init__()
        self.coarse_weight, self.skip_weight = coarse_weight, skip_weight

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.coarse_weight * HaarEmbedding()(coarse, skip) + self.skip_weight * skip


def linear_unet() -> UNet:
    return UNet(
        lift=Scale(0.5),
        levels=[
            Level(Scale(2.0), HaarProjection(), WeightedSum(5.0, 7.0)),
            Level(Scale(3.0), HaarProjection(), WeightedSum(11.0, 13.0)),
        ],
        bottleneck=Scale(17.0),
        head=Scale(0.1),
    )


def test_composition_of_linear_parts_is_their_polynomial() -> None:
    # On a constant every projection is the identity: U_0 = 17, U_1 = 5 U_0 2 + 7 2,
    # U_2 = 11 U_1 3 + 13 3, and the whole is 0.1 U_2 0.5.
    u_1 = 5 * 17 * 2 + 7 * 2
    u_2 = 11 * u_1 * 3 + 13 * 3
    out = linear_unet()(torch.ones(1, 1, 4, 8))
    torch.testing.assert_close(out, torch.full((1, 1, 4, 8), 0.1 * u_2 * 0.5))


def test_detail_reaches_only_the_level_that_holds_it() -> None:
    checkerboard = torch.ones(1, 1, 4, 4)
    checkerboard[..., ::2, 1::2] = checkerboard[..., 1::2, ::2] = -1
    out = linear_unet()(checkerboard)
    torch.testing.assert_close(out, 0.1 * 13 * 3 * 0.5 * checkerboard)


@pytest.mark.parametrize("i", [1, 2, 3])
def test_level_is_the_recursion(i: int) -> None:
    torch.manual_seed(0)
    unet = ResidualUNet(width=4, levels=3).build(2, 1, PeriodicBox((16, 16)))
    channels = {1: 8, 2: 4, 3: 2}[i]  # what the projection of the finer level hands down
    v = torch.randn(1, channels, 16, 16)
    skip = unet.encoders[i - 1](v)
    coarse = unet.level(i - 1)(unet.projections[i - 1](skip))
    torch.testing.assert_close(unet.level(i)(v), unet.decoders[i - 1](coarse, skip))


def test_top_level_between_lift_and_head_is_the_network() -> None:
    torch.manual_seed(0)
    unet = ResidualUNet(width=4, levels=2).build(2, 1, PeriodicBox((16, 16)))
    v = torch.randn(1, 2, 16, 16)
    torch.testing.assert_close(unet.head(unet.level(2)(unet.lift(v))), unet(v))


def test_level_shares_its_weights() -> None:
    unet = linear_unet()
    ones = torch.ones(1, 1, 4, 4)
    before = unet(ones)
    with torch.no_grad():
        unet.level(0).bottleneck.factor.mul_(2)
    assert not torch.equal(unet(ones), before)
    assert set(unet.level(1).parameters()) < set(unet.parameters())


@pytest.mark.parametrize("i", [-1, 3])
def test_level_that_does_not_exist_is_refused(i: int) -> None:
    with pytest.raises(ValueError, match=f"levels 0 to 2, not {i}"):
        linear_unet().level(i)


@pytest.mark.parametrize("i", [0, 3])
def test_only_levels_have_preconditioners(i: int) -> None:
    with pytest.raises(ValueError, match=f"levels 1 to 2, not {i}"):
        linear_unet().preconditioner(i)


@pytest.mark.parametrize("i", [1, 2])
def test_preconditioner_is_the_coarser_networks_answer(i: int) -> None:
    torch.manual_seed(0)
    unet = ResidualUNet(width=4, levels=2).build(2, 1, PeriodicBox((16, 16)))
    v = torch.randn(1, {1: 4, 2: 2}[i], 16, 16)
    encoder, projection, decoder = unet.levels[i - 1]
    skip = encoder(v)
    coarse = unet.level(i - 1)(projection(skip))
    up = decoder.reduction(coarse).repeat_interleave(2, -1).repeat_interleave(2, -2)
    first = decoder.block._first(torch.cat([skip, up], 1))
    torch.testing.assert_close(unet.preconditioner(i)(v), first)
    residual = decoder.block._second(first)
    torch.testing.assert_close(unet.level(i)(v), unet.preconditioner(i)(v) + residual)


@pytest.mark.parametrize(
    ("num_points", "levels", "nearest"),
    [
        ((36, 32), 3, "36 x 32 points so often; nearest that works: 32 x 32 or 40 x 32"),
        ((40, 70), 4, "40 x 70 points so often; nearest that works: 32 x 64 or 48 x 80"),
        ((8, 8), 4, "8 x 8 points so often; nearest that works: 16 x 16"),
    ],
)
def test_grid_that_does_not_fit_is_refused(
    num_points: tuple[int, int], levels: int, nearest: str
) -> None:
    with pytest.raises(ValueError, match=nearest):
        ResidualUNet(width=2, levels=levels).build(1, 1, PeriodicBox(num_points))
    network = ResidualUNet(width=2, levels=levels).build(1, 1, PeriodicBox((32, 32)))
    with pytest.raises(ValueError, match=nearest):
        network(torch.zeros(1, 1, *num_points))


@pytest.mark.parametrize("num_points", [(32, 32), (48, 96), (16, 64)])
def test_grid_that_fits_is_accepted(num_points: tuple[int, int]) -> None:
    network = ResidualUNet(width=2, levels=4).build(1, 1, PeriodicBox(num_points))
    assert network(torch.randn(1, 1, *num_points)).shape == (1, 1, *num_points)
