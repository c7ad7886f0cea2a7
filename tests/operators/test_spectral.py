"""Derivatives, Poisson's equation and velocity against closed forms on a non-square box."""

import math

import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.operators import (
    FourierBasis,
    derivative,
    inverse_laplacian,
    laplacian,
    velocity_from_vorticity,
    vorticity_from_velocity,
)

BOX = PeriodicBox((24, 36), (2.0, 3.0))
Y = torch.as_tensor(BOX.y)[:, None]
X = torch.as_tensor(BOX.x)[None, :]
KY, KX = 2 * math.pi * 3 / 2.0, 2 * math.pi * 5 / 3.0
WAVE = torch.sin(KX * X + KY * Y)


def test_derivatives_of_a_plane_wave_are_exact():
    phase = torch.cos(KX * X + KY * Y)
    torch.testing.assert_close(derivative(WAVE, BOX, "x"), KX * phase, rtol=0, atol=1e-12)
    torch.testing.assert_close(derivative(WAVE, BOX, "y"), KY * phase, rtol=0, atol=1e-12)
    expected = -(KX**2 + KY**2) * WAVE
    torch.testing.assert_close(laplacian(WAVE, BOX), expected, rtol=0, atol=1e-10)


def test_poisson_inverts_the_laplacian_up_to_the_mean():
    solved = inverse_laplacian(laplacian(WAVE, BOX) + 7.0, BOX)
    torch.testing.assert_close(solved, WAVE, rtol=0, atol=1e-13)


def test_velocity_of_a_shear_flow():
    # u = (sin ky, 0) has the vorticity -k cos ky.
    k = 2 * math.pi / 2.0
    vorticity = (-k * torch.cos(k * Y)).expand(BOX.num_points)
    u, v = velocity_from_vorticity(vorticity, BOX)
    torch.testing.assert_close(u, torch.sin(k * Y).expand_as(u), rtol=0, atol=1e-13)
    assert v.abs().max() < 1e-13


def test_velocity_is_free_of_divergence_and_gives_the_vorticity_back():
    torch.manual_seed(0)
    vorticity = laplacian(torch.randn(2, *BOX.num_points, dtype=torch.float64), BOX)
    vorticity = FourierBasis((8, 12)).synthesise(
        FourierBasis((8, 12)).analyse(vorticity), BOX.num_points
    )
    u, v = velocity_from_vorticity(vorticity, BOX)
    scale = vorticity.abs().max()
    divergence = derivative(u, BOX, "x") + derivative(v, BOX, "y")
    assert divergence.abs().max() < 1e-12 * scale
    back = vorticity_from_velocity(u, v, BOX)
    torch.testing.assert_close(back, vorticity, rtol=0, atol=1e-12 * float(scale))


def test_coefficients_are_those_of_the_series_on_every_grid():
    # 2 cos(θ) has the coefficients 1 at ±k; sin(θ) has ∓i/2.
    basis = FourierBasis((4, 6))
    for shape in ((9, 13), (16, 20)):
        box = PeriodicBox(shape, (2.0, 3.0))
        y, x = torch.as_tensor(box.y)[:, None], torch.as_tensor(box.x)[None, :]
        angle = 2 * math.pi * (2 * x / 3.0 - 3 * y / 2.0)
        coefficients = basis.analyse(2 * torch.cos(angle) + torch.sin(2 * math.pi * y / 2.0))
        expected = torch.zeros(9, 7, dtype=torch.complex128)
        expected[-3, 2] = 1
        expected[1, 0], expected[-1, 0] = -0.5j, 0.5j
        torch.testing.assert_close(coefficients, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [(12, 12), (13, 16), (32, 40)])
def test_synthesis_inverts_analysis(shape):
    torch.manual_seed(1)
    basis = FourierBasis((5, 5))
    u = basis.synthesise(basis.analyse(torch.randn(3, 11, 11, dtype=torch.float64)), shape)
    again = basis.synthesise(basis.analyse(u), shape)
    torch.testing.assert_close(again, u, rtol=0, atol=1e-13)


def test_a_grid_too_coarse_for_the_basis_is_refused():
    with pytest.raises(ValueError, match="8 x 16 points cannot hold wavenumbers up to"):
        FourierBasis((4, 4)).analyse(torch.zeros(8, 16))
