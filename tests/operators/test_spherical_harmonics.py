"""The transform against other people's harmonics and what harmonics must satisfy."""

import math

import numpy as np
import pytest
import torch
from scipy import special

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators import (
    SphericalHarmonics,
    linear_truncation,
    quadratic_truncation,
    spherical_harmonics,
)
from pdesurrogate.operators.legendre import legendre_functions

DOUBLE = torch.float64


def transform(latitudes: int, truncation: int | None = None) -> SphericalHarmonics:
    grid = GaussianSphere((latitudes, 2 * latitudes))
    truncation = truncation or quadratic_truncation(grid)
    return spherical_harmonics(grid, truncation, DOUBLE)


def random_coefficients(truncation: int, *lead: int, seed: int = 0) -> torch.Tensor:
    """Of real fields, with the same variance in every mode."""
    generator = torch.Generator().manual_seed(seed)
    shape = (*lead, truncation + 1, truncation + 1)
    c = torch.randn(*shape, dtype=torch.complex128, generator=generator).tril()
    c[..., 0] = c[..., 0].real.to(torch.complex128)
    return c


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def by_ducc0(c: torch.Tensor, grid: GaussianSphere, spin: int) -> np.ndarray:
    """Fields with the coefficients `(part, l, m)` at the grid's points, by another library."""
    ducc0 = pytest.importorskip("ducc0")
    top = c.shape[-1] - 1
    # Its coefficients are packed order by order, its rows run southwards.
    packed = np.stack([np.concatenate([p[m:, m] for m in range(top + 1)]) for p in c.numpy()])
    ny, nx = grid.num_points
    fields = ducc0.sht.synthesis_2d(
        alm=packed, spin=spin, lmax=top, mmax=top, ntheta=ny, nphi=nx, geometry="GL"
    )
    return torch.from_numpy(fields[:, ::-1].copy())


def test_truncations_of_the_usual_grids():
    rungs = [GaussianSphere((n, 2 * n)) for n in (32, 64, 96, 128, 256, 512)]
    assert [quadratic_truncation(grid) for grid in rungs] == [21, 42, 63, 85, 170, 341]
    assert [linear_truncation(grid) for grid in rungs] == [31, 63, 95, 127, 255, 511]
    assert quadratic_truncation(GaussianSphere((64, 64))) == 21
    assert quadratic_truncation(GaussianSphere((32, 256))) == 21
    assert linear_truncation(GaussianSphere((32, 256))) == 31
    assert linear_truncation(GaussianSphere((64, 64))) == 31


def test_every_harmonic_is_that_of_scipy():
    sht = transform(12, 7)
    colatitude = np.radians(90 - sht.grid.y)[:, None]
    longitude = np.radians(sht.grid.x)[None, :]
    for l in range(8):  # noqa: E741
        for m in range(l + 1):
            c = torch.zeros(8, 8, dtype=torch.complex128)
            c[l, m] = 0.6 if m == 0 else 0.6 - 0.3j
            y = special.sph_harm_y(l, m, colatitude, longitude)
            expected = (c[l, m].numpy() * y * (1 if m == 0 else 2)).real
            np.testing.assert_allclose(sht.synthesise(c).numpy(), expected, atol=1e-14)


@pytest.mark.parametrize("latitudes", [64, 256, 512])
def test_fields_and_winds_are_those_of_ducc0(latitudes):
    sht = transform(latitudes)
    c = random_coefficients(sht.truncation, 2)
    scalar = by_ducc0(c[:1], sht.grid, 0)[0]
    assert relative(sht.synthesise(c[0]), scalar) < 1e-12
    assert relative(sht.analyse(scalar), c[0]) < 1e-12
    # A field of spin 1: gradient and curl parts over sqrt(l (l + 1)), southwards and eastwards.
    c[..., 0, 0] = 0
    south, east = by_ducc0(c, sht.grid, 1)
    root = (-sht.eigenvalues).sqrt()
    u, v = sht.velocity(-root * c[1], -root * c[0])
    assert relative(u, east) < 1e-12
    assert relative(v, -south) < 1e-12


@pytest.mark.parametrize(("latitudes", "truncation"), [(64, 42), (64, 63), (10, 3), (512, 341)])
def test_analysis_undoes_synthesis(latitudes, truncation):
    sht = transform(latitudes, truncation)
    c = random_coefficients(truncation)
    assert relative(sht.analyse(sht.synthesise(c)), c) < 1e-12


def test_analysis_leaves_out_what_lies_above_the_truncation():
    low, high = transform(64, 20), transform(64, 63)
    c = random_coefficients(63)
    assert relative(low.analyse(high.synthesise(c)), c[:21, :21]) < 1e-13


def test_energy_is_the_sum_of_the_squared_coefficients():
    sht = transform(64, 63)
    c = random_coefficients(63, 2)
    u = sht.synthesise(c)
    energy = (u**2 * torch.tensor(sht.grid.quadrature_weights)).sum((-2, -1)) * 4 * math.pi
    squares = c.abs() ** 2
    expected = (2 * squares.sum(-1) - squares[..., 0]).sum(-1)
    torch.testing.assert_close(energy, expected, rtol=1e-13, atol=0)


def test_a_constant_is_one_coefficient():
    sht = transform(16)
    c = sht.analyse(torch.ones(16, 32, dtype=DOUBLE))
    assert float(c[0, 0].real) == pytest.approx(math.sqrt(4 * math.pi), rel=1e-14)
    c[0, 0] = 0
    assert c.abs().max() < 1e-14


def test_gradient_and_laplacian_of_a_known_function():
    sht = transform(32)
    latitude = torch.as_tensor(np.radians(sht.grid.y))[:, None]
    longitude = torch.as_tensor(np.radians(sht.grid.x))[None, :]
    sine, cosine = latitude.sin(), latitude.cos()
    u = cosine**3 * torch.sin(3 * longitude) * sine  # degree 4, order 3
    c = sht.analyse(u)
    east, north = sht.gradient(c)
    expected = 3 * cosine**2 * sine * torch.cos(3 * longitude)
    torch.testing.assert_close(east, expected, rtol=0, atol=1e-13)
    slope = (cosine**4 - 3 * cosine**2 * sine**2) * torch.sin(3 * longitude)
    torch.testing.assert_close(north, slope, rtol=0, atol=1e-13)
    torch.testing.assert_close(sht.synthesise(sht.laplacian(c)), -20 * u, rtol=0, atol=1e-12)
    again = sht.synthesise(sht.inverse_laplacian(sht.laplacian(c)))
    torch.testing.assert_close(again, u, rtol=0, atol=1e-14)
    # The divergence of the gradient is the Laplacian.
    assert relative(sht.divergence(east, north), sht.laplacian(c)) < 1e-12


@pytest.mark.parametrize(("latitudes", "truncation"), [(64, 42), (64, 63), (256, 170)])
def test_vorticity_and_divergence_come_back_from_their_winds(latitudes, truncation):
    sht = transform(latitudes, truncation)
    vorticity, divergence = random_coefficients(truncation, 2)
    vorticity[0], divergence[0] = 0, 0
    back = sht.vorticity_and_divergence(*sht.velocity(vorticity, divergence))
    assert relative(back[0], vorticity) < 1e-12
    assert relative(back[1], divergence) < 1e-12


def test_solid_body_rotation_has_the_vorticity_of_twice_the_sine():
    sht = transform(16)
    sine = torch.tensor(sht.grid.sine_of_latitude)[:, None].expand(16, 32)
    wind = (1 - sine**2).sqrt()
    vorticity, divergence = sht.vorticity_and_divergence(wind, torch.zeros_like(wind))
    torch.testing.assert_close(sht.synthesise(vorticity), 2 * sine, rtol=0, atol=1e-13)
    assert divergence.abs().max() < 1e-13


def test_turning_about_the_axis_by_a_fraction_of_the_spacing():
    sht = transform(32)
    c = random_coefficients(sht.truncation)
    order = torch.arange(sht.truncation + 1, dtype=DOUBLE)
    turned = sht.synthesise(c * torch.exp(-1j * (3 * 2 * math.pi / 320) * order))
    # Seen on five times as many longitudes, it is a shift by three points.
    fine = spherical_harmonics(GaussianSphere((32, 320)), sht.truncation, DOUBLE)
    expected = fine.synthesise(c).roll(3, dims=-1)[:, ::5]
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-12)


def test_the_gradient_goes_through_every_operation():
    sht = transform(8, 5)

    def every(c_real: torch.Tensor) -> torch.Tensor:
        c = torch.view_as_complex(c_real)
        u, v = sht.velocity(c[0], c[1])
        back, _ = sht.vorticity_and_divergence(u * u, v)
        return torch.view_as_real(back) + torch.view_as_real(sht.analyse(sht.synthesise(c[0]) ** 2))

    point = torch.view_as_real(random_coefficients(5, 2)).requires_grad_()
    assert torch.autograd.gradcheck(every, (point,))


def test_leading_dimensions_are_independent_fields():
    sht = transform(16)
    c = random_coefficients(sht.truncation, 3, 2)
    fields = sht.synthesise(c)
    assert fields.shape == (3, 2, 16, 32)
    torch.testing.assert_close(fields[1, 1], sht.synthesise(c[1, 1]), rtol=0, atol=1e-13)
    assert sht.analyse(fields).shape == c.shape
    assert relative(sht.analyse(fields), c) < 1e-13


def test_single_precision_is_as_good_as_its_numbers():
    sht = spherical_harmonics(GaussianSphere((64, 128)), 42, torch.float32)
    c = random_coefficients(42)
    u = sht.synthesise(c.to(torch.complex64))
    assert u.dtype == torch.float32
    assert relative(u.double(), transform(64).synthesise(c)) < 1e-6
    assert relative(sht.analyse(u).to(torch.complex128), c) < 2e-6


def test_the_functions_stay_orthonormal_at_high_degree():
    sphere = GaussianSphere((512, 4))
    north = torch.tensor(sphere.sine_of_latitude)[256:]
    functions = legendre_functions(north, 342, 342)
    assert functions.isfinite().all()
    weights = 8 * math.pi * torch.tensor(sphere.quadrature_weights).sum(-1)[256:]
    for order in (0, 1, 100, 250, 341):
        p = functions[order, order::2]  # of one parity: half of the sphere is enough
        gram = (p * weights) @ p.T
        torch.testing.assert_close(gram, torch.eye(len(p)).double(), rtol=0, atol=1e-11)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_device_gives_the_same_numbers():
    grid = GaussianSphere((64, 128))
    there = SphericalHarmonics(grid, 42, dtype=DOUBLE, device="cuda")
    c = random_coefficients(42, 3)
    assert relative(there.synthesise(c.cuda()).cpu(), transform(64).synthesise(c)) < 1e-13


@pytest.mark.parametrize("truncation", [0, 64])
def test_what_the_grid_cannot_hold_is_refused(truncation):
    with pytest.raises(ValueError, match=f"64 x 128 points hold .* to 63, .* {truncation}$"):
        SphericalHarmonics(GaussianSphere((64, 128)), truncation)
