from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.metrics import log_spectral_distance, mean_square, power_spectrum
from pdesurrogate.metrics.spectrum import (
    nyquist_wavenumber,
    shell_wavenumbers,
    wavenumber_attributes,
)
from pdesurrogate.operators.spherical_harmonics import spherical_harmonics
from pdesurrogate.transfer import prolong, restrict
from tests.unknown_grid import UnknownGrid

GRIDS = [
    PeriodicBox((16, 16)),
    PeriodicBox((16, 16), (1.0, 1.0)),
    PeriodicBox((15, 20), (1.5, 2.0)),
    PeriodicBox((8, 32), (1.0, 2.0)),
    ClosedBox((12, 9), (3.0, 2.0)),
]


def wave(grid: Grid, ky: int, kx: int) -> Tensor:
    """`cos` with so many periods along each side."""
    y, x = (
        torch.as_tensor(p) / extent
        for p, extent in zip((grid.y, grid.x), grid.domain_extent, strict=True)
    )
    return torch.cos(2 * math.pi * (ky * y[:, None] + kx * x))


@pytest.mark.parametrize("grid", GRIDS)
def test_shells_sum_to_the_mean_square(grid: Grid) -> None:
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(2, 3, *grid.num_points, generator=generator, dtype=torch.float64)
    spectrum = power_spectrum(u, grid)
    assert spectrum.shape == (2, 3, len(shell_wavenumbers(grid)))
    torch.testing.assert_close(spectrum.sum(dim=-1), mean_square(u, grid))


@pytest.mark.parametrize(
    ("ky", "kx"), [(0, 0), (3, 0), (0, -2), (3, 4), (-5, 2), (8, 0), (0, 8), (8, 8)]
)
@pytest.mark.parametrize("extent", [2 * math.pi, 0.5])
def test_a_wave_lies_in_its_shell(ky: int, kx: int, extent: float) -> None:
    grid = PeriodicBox((16, 16), (extent, extent))
    u = wave(grid, ky, kx)
    spectrum = power_spectrum(u, grid)
    shell = int(spectrum.argmax())
    assert spectrum[shell].item() == pytest.approx(mean_square(u, grid).item())
    assert spectrum.sum().item() == pytest.approx(spectrum[shell].item())
    wavenumber = 2 * math.pi / extent * math.hypot(ky, kx)
    assert shell_wavenumbers(grid)[shell] == pytest.approx(wavenumber, abs=math.pi / extent)


def test_the_longer_side_sets_the_shells() -> None:
    grid = PeriodicBox((8, 16), (1.0, 2.0))
    np.testing.assert_allclose(shell_wavenumbers(grid)[:3], [0, math.pi, 2 * math.pi])
    spectrum = power_spectrum(wave(grid, 1, 0), grid)
    assert int(spectrum.argmax()) == 2


def test_a_cosine_between_walls_lies_in_its_shell() -> None:
    grid = ClosedBox((16, 16), (2.0, 2.0))
    u = torch.cos(3 * math.pi * torch.as_tensor(grid.y) / 2.0)[:, None].expand(16, 16)
    spectrum = power_spectrum(u, grid)
    assert spectrum[3].item() == pytest.approx(0.5)
    assert shell_wavenumbers(grid)[3] == pytest.approx(3 * math.pi / 2.0)


def test_nyquist_wavenumber_is_that_of_the_coarser_direction() -> None:
    assert nyquist_wavenumber(PeriodicBox((16, 16))) == pytest.approx(8)
    assert nyquist_wavenumber(PeriodicBox((16, 16), (0.5, 1.0))) == pytest.approx(16 * math.pi)


def test_a_spherical_harmonic_lies_at_its_degree() -> None:
    grid = GaussianSphere((16, 32))
    coefficients = torch.zeros(16, 16, dtype=torch.complex128)
    for degree, order in ((0, 0), (5, 0), (5, 3), (15, 15)):
        one = coefficients.clone()
        one[degree, order] = 2.0
        u = spherical_harmonics(grid, 15, torch.float64).synthesise(one)
        spectrum = power_spectrum(u, grid)
        assert int(spectrum.argmax()) == degree
        assert spectrum[degree].item() == pytest.approx(mean_square(u, grid).item())
        assert spectrum.sum().item() == pytest.approx(spectrum[degree].item())


def test_degrees_sum_to_the_mean_square_over_the_area() -> None:
    grid = GaussianSphere((16, 32))
    noise = torch.randn(2, *grid.num_points, dtype=torch.float64)
    smooth = prolong(
        restrict(noise, grid, GaussianSphere((12, 24))), GaussianSphere((12, 24)), grid
    )
    spectrum = power_spectrum(smooth, grid)
    assert spectrum.shape == (2, len(shell_wavenumbers(grid)))
    torch.testing.assert_close(spectrum.sum(dim=-1), mean_square(smooth, grid))
    plain = smooth.square().mean(dim=(-2, -1))  # too much weight on the poles
    assert ((plain - spectrum.sum(dim=-1)).abs() > 0.01 * plain).all()


def test_a_sphere_holds_every_degree_below_its_nyquist_wavenumber() -> None:
    grid = GaussianSphere((16, 32))
    assert shell_wavenumbers(grid).tolist() == list(range(16))
    assert nyquist_wavenumber(grid) == 16
    assert wavenumber_attributes(grid, "m")["units"] == "1"
    assert wavenumber_attributes(PeriodicBox((4, 4)), "m")["units"] == "m-1"


def test_unknown_grids_are_refused() -> None:
    with pytest.raises(TypeError, match="no power spectrum is known for UnknownGrid"):
        power_spectrum(torch.zeros(4, 4), UnknownGrid((4, 4)))


def test_a_factor_of_ten_in_every_shell_is_ten_decibels() -> None:
    truth = torch.tensor([7.0, 1.0, 0.5, 0.1, 1e-6], dtype=torch.float64).expand(2, 5)
    factors = torch.tensor([[10.0], [0.5]], dtype=torch.float64)
    expected = torch.tensor([10.0, 10 * math.log10(2)], dtype=torch.float64)
    torch.testing.assert_close(log_spectral_distance(factors * truth, truth), expected)
    assert (log_spectral_distance(truth, truth) == 0).all()


def test_shells_count_alike_but_for_the_mean_and_the_incomplete() -> None:
    truth = torch.tensor([1.0, 1.0, 1e-3, 1e-6, math.nan])
    prediction = torch.tensor([9.0, 1.0, 1e-3, 1e-4, math.nan])  # 20 dB in one shell of three
    distance = log_spectral_distance(prediction, truth)
    assert distance.item() == pytest.approx(20 / math.sqrt(3), rel=1e-5)


def test_power_that_is_rounding_is_no_difference() -> None:
    truth = torch.tensor([0.0, 1.0, 1e-30, 0.0], dtype=torch.float64)
    prediction = torch.tensor([0.0, 1.0, 1e-15, 1e-13], dtype=torch.float64)
    assert log_spectral_distance(prediction, truth) == 0
    loud = torch.tensor([0.0, 1.0, 1e-10, 0.0], dtype=torch.float64)
    assert log_spectral_distance(loud, truth).item() == pytest.approx(20 / math.sqrt(3))


def test_spectra_that_broke_or_were_not_run() -> None:
    truth = torch.ones(4)
    assert log_spectral_distance(torch.full((4,), torch.inf), truth) == torch.inf
    assert log_spectral_distance(torch.full((4,), torch.nan), truth).isnan()
    assert log_spectral_distance(torch.zeros(4), torch.zeros(4)) == 0
