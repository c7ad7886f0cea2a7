"""Truncation in the basis of each grid: what is kept, what is dropped, and on which sizes."""

import math

import numpy as np
import pytest
import scipy.fft
import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.models import Spectral
from pdesurrogate.models.unet import check_grid_size
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.transfer import resample, resample_sphere

PERIODIC, CLOSED = ("circular", "circular"), ("replicate", "replicate")
CHANNEL, SPHERE = ("replicate", "circular"), ("polar", "circular")
SIZES = {
    PERIODIC: [(16, 24), (15, 9), (12, 33)],
    CLOSED: [(16, 24), (15, 9), (12, 33)],
    CHANNEL: [(16, 24), (15, 9), (12, 33)],
    SPHERE: [(16, 32), (10, 22), (18, 24)],
}
CASES = [(edges, size) for edges, sizes in SIZES.items() for size in sizes]

every_case = pytest.mark.parametrize(("edges", "size"), CASES, ids=str)


def field(ny: int, nx: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, ny, nx, generator=generator, dtype=torch.float64)


def parts(edges: tuple[str, str]):
    return Spectral().projection(3, edges), Spectral().embedding(3, edges)


def close(a: Tensor, b: Tensor, atol: float = 1e-12) -> None:
    torch.testing.assert_close(a, b, atol=atol, rtol=0)


def weights(edges: tuple[str, str], size: tuple[int, int]) -> Tensor:
    """Of the inner product in which the projector is orthogonal."""
    if edges == SPHERE:
        return torch.tensor(GaussianSphere(size).quadrature_weights)
    return torch.full(size, 1 / math.prod(size), dtype=torch.float64)


@every_case
def test_projector_is_orthogonal_and_idempotent(edges, size) -> None:
    project, embed = parts(edges)
    v, w = field(*size), weights(edges, size)
    u = v.flip(-1).roll(1, -1)
    once = embed(project(v), v)
    assert once.shape == v.shape
    assert (once - v).abs().max() > 0.1
    close(embed(project(once), v), once)
    close((w * once * u).sum(), (w * v * embed(project(u), u)).sum())


@every_case
def test_spaces_are_nested(edges, size) -> None:
    project, embed = parts(edges)
    v = field(*size)
    middle = project(v)
    coarse_in_fine = embed(embed(project(middle), middle), v)
    close(embed(project(coarse_in_fine), v), coarse_in_fine)


@every_case
def test_constants_keep_their_value(edges, size) -> None:
    project, embed = parts(edges)
    v = torch.full((1, 3, *size), 3.0, dtype=torch.float64)
    coarse = project(v)
    close(coarse, torch.full_like(coarse, 3.0))
    close(embed(coarse, v), v)


@every_case
def test_fields_that_the_coarse_grid_resolves_are_kept_exactly(edges, size) -> None:
    project, embed = parts(edges)
    fine, coarse = size, project.coarsened(size)
    if edges == SPHERE:
        highest = min(coarse[0] - 1, (coarse[1] - 1) // 2)
        harmonics = spherical_harmonics(GaussianSphere(fine), highest, torch.float64)
        v = harmonics.synthesise(harmonics.analyse(field(*fine)))
        expected = resample_sphere(v, GaussianSphere(fine), GaussianSphere(coarse))
    else:
        v, expected = (_resolved(edges, n, coarse) for n in (fine, coarse))
    close(project(v), expected)
    close(embed(expected, v), v)


def _resolved(edges, size, coarse) -> Tensor:
    """The same function, of the highest modes that a coarse grid resolves, on a grid."""
    along = []
    for edge, n, m in zip(edges, size, coarse, strict=True):
        if edge == "circular":
            x = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
            along.append(1 + torch.sin(((m - 1) // 2) * x) + torch.cos(x))
        else:
            x = math.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n
            along.append(1 + torch.cos((m - 1) * x) + torch.cos(x))
    return (along[0][:, None] * along[1]).expand(1, 3, -1, -1)


@pytest.mark.parametrize("size", SIZES[PERIODIC])
def test_periodic_projection_is_the_ladders_restriction(size) -> None:
    project, _embed = parts(PERIODIC)
    v = field(*size)
    close(project(v), resample(v, project.coarsened(size)))


@pytest.mark.parametrize("size", SIZES[CLOSED])
def test_projection_between_walls_truncates_the_cosine_transform(size) -> None:
    project, _embed = parts(CLOSED)
    v = field(*size)
    my, mx = project.coarsened(size)
    modes = scipy.fft.dctn(v.numpy(), axes=(-2, -1), norm="forward")[..., :my, :mx]
    expected = scipy.fft.idctn(modes, axes=(-2, -1), norm="forward")
    np.testing.assert_allclose(project(v).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("edges", [PERIODIC, CHANNEL, SPHERE], ids="-".join)
def test_commutes_with_every_shift_of_the_coarse_grid(edges) -> None:
    project, embed = parts(edges)
    v = field(16, 24)
    for shift in range(12):
        moved = v.roll(2 * shift, -1)
        close(project(moved), project(v).roll(shift, -1))
        close(embed(project(moved), v), embed(project(v), v).roll(2 * shift, -1))


def test_commutes_with_every_shift_of_a_band_limited_field() -> None:
    project, _embed = parts(PERIODIC)
    x = 2 * math.pi * torch.arange(15, dtype=torch.float64) / 15

    def shifted(distance: float, x: Tensor) -> Tensor:
        profile = torch.cos(3 * (x - distance)) + torch.sin(x - distance)
        return profile.expand(1, 3, 15, -1)

    coarse_x = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
    for distance in (0.1, 1.234):
        close(project(shifted(distance, x))[:, :, 0], shifted(distance, coarse_x)[:, :, 0])


@pytest.mark.parametrize(
    ("edges", "size", "coarse"),
    [
        (PERIODIC, (96, 3), (48, 2)),
        (CLOSED, (33, 31), (17, 16)),
        (CHANNEL, (5, 6), (3, 3)),
        (SPHERE, (64, 128), (32, 64)),
        (SPHERE, (18, 36), (10, 18)),
        (SPHERE, (4, 6), (2, 4)),
    ],
)
def test_rule_of_sizes(edges, size, coarse) -> None:
    project, embed = parts(edges)
    assert project.coarsened(size) == coarse
    v = field(*size)
    assert tuple(project(v).shape[-2:]) == coarse
    assert embed(project(v), v).shape == v.shape


@pytest.mark.parametrize(
    ("edges", "size", "nearest"),
    [
        (PERIODIC, (33, 4), "33 x 9"),
        (SPHERE, (33, 64), "32 x 64 or 34 x 64"),
        (SPHERE, (32, 6), "32 x 18"),
    ],
)
def test_sizes_that_do_not_go_are_refused_with_those_that_do(edges, size, nearest) -> None:
    project, _embed = parts(edges)
    with pytest.raises(ValueError, match=f"nearest that works: {nearest}$"):
        check_grid_size([project] * 3, size)


def test_edges_without_a_basis_are_refused() -> None:
    for part in (Spectral().projection, Spectral().embedding):
        with pytest.raises(ValueError, match="not on a grid with polar and replicate edges"):
            part(3, ("polar", "replicate"))


@pytest.mark.parametrize("edges", [PERIODIC, CLOSED, SPHERE], ids="-".join)
def test_single_precision_and_training_after_inference(edges) -> None:
    project, embed = parts(edges)
    v = field(14, 26).float()
    with torch.inference_mode():
        before = embed(project(v), v)
    assert before.dtype == torch.float32
    v.requires_grad_()
    embed(project(v), v).square().sum().backward()
    assert v.grad.isfinite().all()
    expected = embed(project(v.double()), v.double())
    torch.testing.assert_close(before.double(), expected, atol=1e-5, rtol=0)
