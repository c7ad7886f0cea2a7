"""Operators whose commutation with restriction is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pdesurrogate.evaluation import observed_order
from pdesurrogate.evaluation.scaling import Commutation, commutation_error, out_of_band_change
from pdesurrogate.fields import Field
from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.transfer import restrict_fields

SCALAR = (Field("concentration", "1", "concentration"),)
WIND = tuple(
    Field(f"velocity_{part}", "m s-1", "wind", vector_part=part)  # type: ignore[arg-type]
    for part in ("x", "y")
)


def commutation(
    operator: Callable[[Tensor, Grid], Tensor],
    u: Tensor,
    top: Grid,
    grid: Grid,
    fields: tuple[Field, ...] = SCALAR,
) -> Commutation:
    fine = operator(u, top)
    coarse = operator(restrict_fields(u, fields, top, grid), grid)
    return commutation_error(fine, coarse, u, fields, top, grid)


def noise(grid: Grid, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, channels, *grid.num_points, generator=generator, dtype=torch.float64)


def average(u: Tensor, grid: Grid) -> Tensor:
    """The mean of 3 x 3 neighbours: a kernel that shrinks with the spacing."""
    return F.avg_pool2d(F.pad(u, (1, 1, 1, 1), mode="circular"), 3, stride=1)


def heat(u: Tensor, grid: Grid) -> Tensor:
    """A multiplier of the physical wavenumber."""
    ny, nx = grid.num_points
    ky, kx = np.fft.fftfreq(ny, 1 / ny)[:, None], np.fft.rfftfreq(nx, 1 / nx)[None]
    factor = torch.as_tensor(np.exp(-0.01 * (ky**2 + kx**2)))
    return torch.fft.irfft2(factor * torch.fft.rfft2(u), s=(ny, nx))


@pytest.mark.parametrize(
    ("top", "grid"),
    [
        (PeriodicBox((32, 32)), PeriodicBox((20, 20))),
        (ClosedBox((32, 16)), ClosedBox((8, 4))),
        (GaussianSphere((16, 32)), GaussianSphere((8, 16))),
    ],
)
def test_a_pointwise_linear_operator_commutes_everywhere(top: Grid, grid: Grid) -> None:
    found = commutation(lambda u, _: -1.5 * u, noise(top), top, grid)
    assert (found.error < 1e-13).all()
    assert (found.error_of_change < 1e-13).all()


def test_it_commutes_for_winds_on_a_sphere_as_vectors() -> None:
    top, grid = GaussianSphere((16, 32)), GaussianSphere((8, 16))
    found = commutation(lambda u, _: 0.5 * u, noise(top, channels=2), top, grid, WIND)
    assert found.error.shape == (3, 2)
    assert (found.error < 1e-12).all()


def test_a_fourier_multiplier_commutes() -> None:
    top, grid = PeriodicBox((32, 32)), PeriodicBox((16, 16))
    assert (commutation(heat, noise(top), top, grid).error < 1e-13).all()


def test_squaring_cells_does_not_commute_by_the_variance_within() -> None:
    checkerboard = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    checkerboard[..., ::2, 1::2] = checkerboard[..., 1::2, ::2] = -1
    found = commutation(lambda u, _: u**2, checkerboard, ClosedBox((8, 8)), ClosedBox((4, 4)))
    # The fine squares are 1 everywhere, the coarse field vanishes: the difference is 1. The
    # change is 0 on one half of the cells, 2 on the other.
    assert found.error.item() == pytest.approx(1.0)
    assert found.error_of_change.item() == pytest.approx(1 / math.sqrt(2))


def test_a_3x3_kernel_commutes_to_second_order_as_computed_by_hand() -> None:
    top, rungs, k = PeriodicBox((256, 256)), [16, 32, 64, 128], 2
    u = torch.cos(k * torch.as_tensor(top.x)).expand(1, 1, 256, 256)
    symbol = {n: (1 + 2 * math.cos(k * 2 * math.pi / n)) / 3 for n in (*rungs, 256)}
    errors = []
    for n in rungs:
        found = commutation(average, u, top, PeriodicBox((n, n)))
        gap = abs(symbol[256] - symbol[n])
        assert found.error.item() == pytest.approx(gap / symbol[256], rel=1e-9)
        assert found.error_of_change.item() == pytest.approx(gap / (1 - symbol[256]), rel=1e-9)
        errors.append(found.error.item())
    spacings = [1 / n for n in rungs]
    fit = observed_order(spacings, np.array([errors]), 1 / 256)
    assert fit.order == pytest.approx(2.0, abs=0.03)  # beyond h^2 there is h^4
    finest = observed_order(spacings, np.array([errors]), 1 / 256, last=2)
    assert finest.order == pytest.approx(2.0, abs=0.005)


def test_what_broke_is_infinite_and_nothing_else() -> None:
    top, grid = PeriodicBox((8, 8)), PeriodicBox((4, 4))
    u = noise(top)
    fine = 2 * u
    fine[1, 0, 3, 3] = torch.nan
    found = commutation_error(fine, 2 * restrict_fields(u, SCALAR, top, grid), u, SCALAR, top, grid)
    assert found.error[1].item() == math.inf
    assert (found.error[[0, 2]] < 1e-13).all()


def test_detail_that_a_square_makes_by_hand() -> None:
    grid, band = PeriodicBox((16, 16)), PeriodicBox((8, 8))
    v = torch.cos(3 * torch.as_tensor(grid.x)).expand(1, 1, 16, 16)
    # v^2 = 1/2 + 1/2 cos 6x, of which the band knows the mean: 1/8 of 1/4 + 1/8.
    share = out_of_band_change(v + v**2, v, SCALAR, grid, band)
    assert share.item() == pytest.approx(math.sqrt(1 / 3))
    assert out_of_band_change(3 * v, v, SCALAR, grid, band).item() < 1e-13
    assert out_of_band_change(v, v, SCALAR, grid, band).item() == 0.0
