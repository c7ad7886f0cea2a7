from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.fields import Field
from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, OpenBox, PeriodicBox
from pdesurrogate.models import (
    FNO,
    Extended,
    FiLM,
    Haar,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    Spectral,
    Strided,
    UNet,
)
from pdesurrogate.models.extended import rung_space
from pdesurrogate.models.user_model import UserModel
from pdesurrogate.transfer import prolong_fields, restrict_fields
from tests.unknown_grid import UnknownGrid

SCALARS = (Field("height", "m", "height"), Field("tracer", "1", "tracer"))
GRIDS = [
    PeriodicBox((32, 48)),
    ClosedBox((32, 48), (1.0, 1.5)),
    Channel((16, 32), (1.0, 2.0)),
    OpenBox((32, 32)),
    GaussianSphere((32, 64)),
    GaussianSphere((24, 48)),
]
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)


class Pointwise(nn.Conv2d):
    """A network of the user's own."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)


BASES = [
    MultiResNet(width=4, levels=2),
    FNO(modes=3, width=4, layers=1),
    UserModel.of(Pointwise),
    Extended(ResidualUNet(width=4, levels=1), width=3),
]


def coarse_of(grid: Grid) -> Grid:
    return grid.at_resolution(grid.resolution // 2)


def fields(grid: Grid, channels: int = 2) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(3, channels, *grid.num_points, dtype=torch.float64)


@every_grid
def test_the_maps_between_levels_are_those_between_rungs(grid: Grid) -> None:
    space, coarse = rung_space(grid), coarse_of(grid)
    project, embed = space.projection(2, grid.padding), space.embedding(2, grid.padding)
    u, w = fields(grid), fields(coarse)
    torch.testing.assert_close(project(u), restrict_fields(u, SCALARS, grid, coarse))
    embedded = prolong_fields(w, SCALARS, coarse, grid)
    torch.testing.assert_close(embed(w, u), embedded)
    w = restrict_fields(embedded, SCALARS, grid, coarse)  # without a Nyquist mode
    torch.testing.assert_close(project(embed(w, u)), w)


@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
@pytest.mark.parametrize(
    "grid", [PeriodicBox((32, 48)), ClosedBox((32, 32)), GaussianSphere((32, 64))], ids=str
)
def test_it_starts_as_the_embedding_of_what_its_base_answers(base: ModelSpec, grid: Grid) -> None:
    network = Extended(base, width=4).build(3, 2, grid)
    u, coarse = fields(grid, 3).float(), coarse_of(grid)
    answer = network.bottleneck(restrict_fields(u, (), grid, coarse))
    expected = prolong_fields(answer, (), coarse, grid)
    torch.testing.assert_close(network(u), expected, atol=2e-5, rtol=1e-5)


def test_its_bottleneck_is_the_network_that_the_base_builds() -> None:
    base, grid = MultiResNet(width=4, levels=1), PeriodicBox((16, 16))
    torch.manual_seed(0)
    alone = base.build(3, 2, coarse_of(grid))
    torch.manual_seed(0)
    bottleneck = Extended(base, width=4).build(3, 2, grid).bottleneck
    assert isinstance(bottleneck, UNet)
    for (name, a), (other, b) in zip(
        alone.state_dict().items(), bottleneck.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(a, b)


def test_extended_twice_it_embeds_twice() -> None:
    base, grid = MultiResNet(width=4, levels=1), PeriodicBox((32, 32))
    network = Extended(Extended(base, width=4), width=4).build(3, 2, grid).double()
    u, coarsest = fields(grid, 3), grid.at_resolution(8)
    inner = network.bottleneck
    assert isinstance(inner, UNet)
    answer = inner.bottleneck(restrict_fields(u, (), grid, coarsest))
    torch.testing.assert_close(network(u), prolong_fields(answer, (), coarsest, grid))


@pytest.mark.parametrize("grid", [PeriodicBox((16, 16)), GaussianSphere((16, 32))], ids=str)
def test_a_base_that_is_modulated_is_told_the_same_parameters(grid: Grid) -> None:
    spec = Extended(ResidualUNet(width=4, levels=1, film=FiLM(hidden=4)), width=4)
    network = spec.build_conditioned(4, 2, grid, (1, 3)).double()
    with torch.no_grad():
        for parameter in network.bottleneck.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    u, coarse = fields(grid, 4), coarse_of(grid)
    u[:, [1, 3]] = u[:, [1, 3], :1, :1]
    given = restrict_fields(u, (), grid, coarse)
    given[:, [1, 3]] = u[:, [1, 3], :1, :1]
    answer = network.bottleneck(given)
    torch.testing.assert_close(network(u), prolong_fields(answer, (), coarse, grid))
    u[:, 1] += 1
    assert (network(u) - prolong_fields(answer, (), coarse, grid)).abs().max() > 1e-3
    with pytest.raises(ValueError, match="build_conditioned"):
        spec.build(4, 2, grid)
    assert spec.least_parameters == 1


def test_spaces_may_be_chosen() -> None:
    base = MultiResNet(width=4, levels=1)
    on_periodic = {
        space: type(Extended(base, space=space).build(1, 1, PeriodicBox((8, 8))).projections[0])
        for space in (None, Spectral(), Haar(), Strided())
    }
    assert [kind.__name__ for kind in on_periodic.values()] == [
        "SpectralProjection",
        "SpectralProjection",
        "HaarProjection",
        "StridedProjection",
    ]


def test_what_it_has_of_its_base() -> None:
    @dataclass(frozen=True)
    class Slow(MultiResNet):
        @property
        def learning_rate(self) -> float:
            return 1e-5

    assert Extended(Slow()).learning_rate == 1e-5
    assert Extended(Extended(Slow())).is_users_own
    assert Extended(UserModel.of(Pointwise)).is_users_own
    assert not Extended(MultiResNet()).is_users_own


def test_it_has_a_width() -> None:
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        Extended(MultiResNet(), width=0)


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        (PeriodicBox((15, 16)), "15 x 16 points is not twice as fine"),
        (GaussianSphere((10, 20)), "10 x 20 points cannot be halved: .* even"),
        (ClosedBox((2, 2)), "2 x 2 points cannot be halved: .* at least 2"),
        (UnknownGrid((16, 16)), r"known for a UnknownGrid: say which, such as space=Haar\(\)"),
        (ClosedBox((12, 12)), "nearest that works"),  # its half cannot be coarsened twice
    ],
    ids=str,
)
def test_grids_that_do_not_go_are_refused(grid: Grid, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Extended(MultiResNet(width=4, levels=2)).build(1, 1, grid)
