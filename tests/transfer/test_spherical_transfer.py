"""Between spheres: an orthogonal projection and its embedding, in the norms of the weights."""

import numpy as np
import pytest
import torch

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.transfer import prolong, resample_sphere, restrict

FINE, COARSE = GaussianSphere((48, 96)), GaussianSphere((16, 32))


def noise(grid: GaussianSphere, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, *grid.num_points, dtype=torch.float64, generator=generator)


def mean(u: torch.Tensor, grid: GaussianSphere) -> torch.Tensor:
    return (u * torch.tensor(grid.quadrature_weights)).sum((-2, -1))


def project(u: torch.Tensor) -> torch.Tensor:
    return prolong(restrict(u, FINE, COARSE), COARSE, FINE)


def test_a_smooth_function_is_seen_alike_on_every_grid():
    def function(grid: GaussianSphere) -> torch.Tensor:
        latitude = torch.as_tensor(np.radians(grid.y))[:, None]
        longitude = torch.as_tensor(np.radians(grid.x))[None, :]
        x, y, z = latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()
        return 1 + x * y**2 - 3 * z**5 + x**7 * z

    torch.testing.assert_close(
        restrict(function(FINE), FINE, COARSE), function(COARSE), rtol=0, atol=1e-13
    )
    torch.testing.assert_close(
        prolong(function(COARSE), COARSE, FINE), function(FINE), rtol=0, atol=1e-13
    )


def test_projection_is_idempotent_and_orthogonal():
    u = noise(FINE)
    resolved = project(u)
    torch.testing.assert_close(project(resolved), resolved, rtol=0, atol=1e-13)
    rest = u - resolved
    assert mean(resolved * rest, FINE).abs().max() < 1e-14
    squares = [mean(q**2, FINE) for q in (resolved, rest, u)]
    torch.testing.assert_close(squares[0] + squares[1], squares[2], rtol=1e-13, atol=0)
    # Both grids measure the resolved part alike.
    torch.testing.assert_close(mean(restrict(u, FINE, COARSE) ** 2, COARSE), squares[0])


def test_restriction_undoes_prolongation_of_all_that_the_coarse_grid_resolves():
    v = restrict(noise(FINE, 1), FINE, COARSE)
    again = restrict(prolong(v, COARSE, FINE), FINE, COARSE)
    torch.testing.assert_close(again, v, rtol=0, atol=1e-13)
    # That is everything up to degree 15, which no dealiased solver on this grid exceeds.
    c = spherical_harmonics(COARSE, 15, torch.float64).analyse(v)
    assert c[:, 15].abs().max() > 1e-2


def test_restriction_is_the_adjoint_of_prolongation():
    u, v = noise(FINE), noise(COARSE, 1)
    v = resample_sphere(resample_sphere(v, COARSE, FINE), FINE, COARSE)
    left = mean(restrict(u, FINE, COARSE) * v, COARSE)
    torch.testing.assert_close(left, mean(u * prolong(v, COARSE, FINE), FINE), rtol=1e-11, atol=0)


def test_the_mean_is_kept():
    u = noise(FINE)
    torch.testing.assert_close(mean(restrict(u, FINE, COARSE), COARSE), mean(u, FINE))


def test_restricting_in_steps_is_restricting_at_once():
    middle = GaussianSphere((32, 64))
    stepwise = restrict(restrict(noise(FINE), FINE, middle), middle, COARSE)
    torch.testing.assert_close(stepwise, restrict(noise(FINE), FINE, COARSE), rtol=0, atol=1e-13)


def test_a_field_on_its_own_grid_is_left_alone():
    u = noise(COARSE)
    assert restrict(u, COARSE, COARSE) is u


def test_single_precision_stays_single():
    v = restrict(noise(FINE).float(), FINE, COARSE)
    assert v.dtype == torch.float32
    exact = restrict(noise(FINE), FINE, COARSE)
    assert float((v.double() - exact).norm() / exact.norm()) < 1e-6


def test_the_wrong_direction_is_refused():
    with pytest.raises(ValueError, match="cannot restrict from 16 to 48 points"):
        restrict(noise(COARSE), COARSE, FINE)
