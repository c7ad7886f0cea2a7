"""The spaces of a wavelet: projection, embedding, and details for the decoder."""

import itertools

import pytest
import pywt
import torch
from torch import Tensor

from pdesurrogate.grids import ClosedBox, GaussianSphere, PeriodicBox
from pdesurrogate.models import Haar, MaxPooling, Spectral, Strided, Wavelet
from pdesurrogate.models.unet import check_grid_size
from pdesurrogate.models.wavelets import DetailedEmbedding

PERIODIC, CLOSED = ("circular", "circular"), ("replicate", "replicate")
CHANNEL, SPHERE = ("replicate", "circular"), ("polar", "circular")
FAMILIES = ["haar", "db2", "sym4", "coif1"]

every_family = pytest.mark.parametrize("family", FAMILIES)


def field(ny: int = 16, nx: int = 24, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, channels, ny, nx, generator=generator, dtype=torch.float64)


def parts(family: str, edges: tuple[str, str]):
    space = Wavelet(family)
    return space.projection(3, edges), space.embedding(3, edges)


# The published filters of some families have 11 digits.
def close(a: Tensor, b: Tensor, atol: float = 1e-9) -> None:
    torch.testing.assert_close(a, b, atol=atol, rtol=0)


@every_family
def test_periodic_projector_is_orthogonal_and_idempotent(family: str) -> None:
    project, embed = parts(family, PERIODIC)
    u, v = field(), field().flip(-1).roll(3, -2)
    once = embed(project(v), v)
    close(project(once), project(v))
    close(embed(project(once), v), once)
    close((once * u).sum(), (v * embed(project(u), u)).sum())
    close((once * (v - once)).sum(), torch.tensor(0.0, dtype=torch.float64))


@every_family
def test_periodic_spaces_are_nested(family: str) -> None:
    project, embed = parts(family, PERIODIC)
    v = field()
    middle = project(v)
    coarse_in_fine = embed(embed(project(middle), middle), v)
    close(embed(project(coarse_in_fine), v), coarse_in_fine)


@every_family
@pytest.mark.parametrize("shift", [(2, 0), (0, -4), (6, 10)])
def test_periodic_projection_commutes_with_shifts_of_the_coarse_grid(
    family: str, shift: tuple[int, int]
) -> None:
    project, embed = parts(family, PERIODIC)
    v, half = field(), (shift[0] // 2, shift[1] // 2)
    shifted = v.roll(shift, (-2, -1))
    close(project(shifted), project(v).roll(half, (-2, -1)), 1e-14)
    close(embed(project(shifted), v), embed(project(v), v).roll(shift, (-2, -1)), 1e-14)


@every_family
@pytest.mark.parametrize("edges", [PERIODIC, CLOSED, CHANNEL], ids="-".join)
def test_constants_keep_their_value(family: str, edges: tuple[str, str]) -> None:
    project, embed = parts(family, edges)
    v = torch.full((1, 3, 16, 24), 3.0, dtype=torch.float64)
    coarse = project(v)
    close(coarse, torch.full_like(coarse, 3.0), 1e-13)
    close(embed(coarse, v), v, 1e-10)


@pytest.mark.parametrize("edges", [PERIODIC, CLOSED, CHANNEL], ids="-".join)
def test_haar_family_is_haar(edges: tuple[str, str]) -> None:
    project, embed = parts("haar", edges)
    v = field()
    coarse = Haar().projection(3, edges)(v)
    close(project(v), coarse, 1e-15)
    close(embed(coarse, v), Haar().embedding(3, edges)(coarse, v), 1e-15)


@every_family
@pytest.mark.parametrize("n", [20, 21])
def test_between_walls_it_is_a_projector_but_for_the_points_next_to_them(
    family: str, n: int
) -> None:
    project, embed = parts(family, CLOSED)
    reach = pywt.Wavelet(family).dec_len - 2 + n % 2 if family != "haar" else 0
    v = field(n, n)
    once = embed(project(v), v)
    defect = (embed(project(once), v) - once).abs().amax((0, 1))
    inside = slice(reach, n - reach)
    assert defect[inside, inside].max() < 1e-9
    if family != "haar":
        assert defect.max() > 1e-2


@every_family
def test_smooth_fields_are_kept_the_better_the_longer_the_wavelet(family: str) -> None:
    project, embed = parts(family, PERIODIC)
    x = torch.arange(64, dtype=torch.float64) * (2 * torch.pi / 64)
    v = (torch.sin(x)[:, None] * torch.cos(x)).expand(1, 3, -1, -1)
    lost = (embed(project(v), v) - v).abs().max()
    # Vanishing moments: the order of the polynomials that are kept. Both bounds from h^moments.
    moments = pywt.Wavelet(family).vanishing_moments_psi
    assert lost < (2 * torch.pi / 64) ** moments
    assert lost > 0.01 * (2 * torch.pi / 64) ** moments


@every_family
@pytest.mark.parametrize("edges", [PERIODIC, CLOSED, CHANNEL], ids="-".join)
def test_every_size_that_the_rule_allows_comes_back(family: str, edges: tuple[str, str]) -> None:
    project, embed = parts(family, edges)
    taps = pywt.Wavelet(family).dec_len
    sizes = {"circular": [2, 6, 8, 30], "replicate": [taps, taps + 1, 17, 30]}
    for ny, nx in itertools.product(sizes[edges[0]], sizes[edges[1]]):
        v = field(ny, nx)
        coarse = project(v)
        assert project.coarsened((ny, nx)) == tuple(coarse.shape[-2:])
        assert embed(coarse, v).shape == v.shape


def test_sizes_that_do_not_go_are_refused_with_those_that_do() -> None:
    levels = [Wavelet("db2").projection(1, PERIODIC)] * 3
    with pytest.raises(ValueError, match=r"33 x 48 points .*works: 32 x 48 or 40 x 48"):
        check_grid_size(levels, (33, 48))
    levels = [Wavelet("db2").projection(1, CHANNEL)] * 3
    check_grid_size(levels, (33, 48))
    with pytest.raises(ValueError, match=r"33 x 47 points .*works: 33 x 40 or 33 x 48"):
        check_grid_size(levels, (33, 47))
    with pytest.raises(ValueError, match=r"5 x 48 points .*works: 7 x 48"):
        check_grid_size(levels, (5, 48))


def test_boundary_can_be_chosen() -> None:
    v = field(15, 15)
    coarse = Wavelet("db2", boundary="symmetric").projection(3, PERIODIC)(v)
    close(coarse, Wavelet("db2").projection(3, CLOSED)(v), 0.0)
    v = field()
    coarse = Wavelet("db2", boundary="periodic").projection(3, CLOSED)(v)
    close(coarse, Wavelet("db2").projection(3, PERIODIC)(v), 0.0)


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="did you mean 'db2'"):
        Wavelet("dbb2")
    for part in (Wavelet().projection, Wavelet().embedding):
        with pytest.raises(ValueError, match="polar and circular edges; choose Haar or Spectral"):
            part(3, SPHERE)


def test_filters_keep_their_digits_whatever_the_network_computes_in() -> None:
    project, _embed = parts("db2", CHANNEL)
    v = field()
    exact = project(v)
    assert project.float()(v.float()).dtype == torch.float32
    torch.testing.assert_close(project(v.float()), exact.float(), atol=1e-6, rtol=0)
    assert not project.state_dict()


@pytest.mark.parametrize(
    ("space", "grid"),
    [
        (Wavelet("db2"), PeriodicBox((16, 24))),
        (Wavelet("sym4"), ClosedBox((17, 23))),
        (Haar(), PeriodicBox((16, 24))),
        (Haar(), GaussianSphere((16, 32))),
    ],
)
def test_with_all_details_the_fine_field_comes_back(space, grid) -> None:
    v = field(*grid.num_points)
    embed = DetailedEmbedding(3, space.wavelet(grid.padding)).double()
    torch.nn.init.eye_(embed.weight[:, :, 0, 0])
    close(embed(space.projection(3, grid.padding)(v), v), v)


@pytest.mark.parametrize("space", [Wavelet("db2"), Haar()])
def test_detailed_embedding_starts_as_the_plain_one(space) -> None:
    v = field()
    coarse = space.projection(3, PERIODIC)(v)
    embed = DetailedEmbedding(3, space.wavelet(PERIODIC)).double()
    close(embed(coarse, v), space.embedding(3, PERIODIC)(coarse, v), 1e-14)
    (embed(coarse, v) * field().flip(-1)).sum().backward()
    assert embed.weight.grad.abs().min() > 0


@pytest.mark.parametrize("space", [MaxPooling(), Strided(), Spectral()])
def test_spaces_without_details_say_so(space) -> None:
    with pytest.raises(ValueError, match=r"has no wavelet details .* choose Haar or Wavelet"):
        space.wavelet(PERIODIC)


def test_filters_survive_half_precision() -> None:
    project = Wavelet("db4").projection(3, ("circular", "circular"))
    v = field()
    before = project(v)
    assert project.half().filters.dtype == torch.float64
    assert torch.equal(project.double()(v), before)
