"""Poisson's equation between walls against a dense solve and by its residual."""

import pytest
import torch

from pdesurrogate.operators import FourierPoisson, MatrixPoisson, neumann_poisson

SOLVERS = [MatrixPoisson, FourierPoisson]
SHAPES = [((8, 6), (0.3, 0.5)), ((7, 9), (1.0, 0.25)), ((16, 32), (2.0, 2.0)), ((5, 4), (1.0, 3.0))]


def second_difference(n, spacing):
    matrix = -2 * torch.eye(n, dtype=torch.float64)
    matrix += torch.diag(torch.ones(n - 1, dtype=torch.float64), 1)
    matrix += torch.diag(torch.ones(n - 1, dtype=torch.float64), -1)
    matrix[0, 0] = matrix[-1, -1] = -1  # no flux through the walls
    return matrix / spacing**2


def dense(f, shape, spacing):
    """The solution of least norm, which has mean zero, by a pseudo-inverse."""
    (ny, nx), (hy, hx) = shape, spacing
    eye = [torch.eye(n, dtype=torch.float64) for n in shape]
    laplacian = torch.kron(second_difference(ny, hy), eye[1])
    laplacian += torch.kron(eye[0], second_difference(nx, hx))
    return (torch.linalg.pinv(laplacian) @ f.flatten(-2).mT).mT.reshape(f.shape)


@pytest.mark.parametrize("kind", SOLVERS)
@pytest.mark.parametrize(("shape", "spacing"), SHAPES)
def test_agrees_with_a_dense_solve(kind, shape, spacing):
    f = torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    solution = kind(shape, spacing, dtype=torch.float64)(f)
    torch.testing.assert_close(solution, dense(f, shape, spacing), rtol=0, atol=1e-11)
    assert solution.mean(dim=(-2, -1)).abs().max() < 1e-13


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_both_forms_agree_on_a_large_grid(dtype, tolerance):
    shape, spacing = (96, 200), (0.5, 0.25)
    f = torch.randn(2, *shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    first, second = (kind(shape, spacing, dtype=dtype)(f) for kind in SOLVERS)
    assert first.dtype == second.dtype == dtype
    assert (first - second).norm() < tolerance * first.norm()


@pytest.mark.parametrize("kind", SOLVERS)
def test_gradient_is_the_solver_itself(kind):
    # The inverse of a symmetric operator is symmetric: the gradient of <g, S f> is S g.
    generator = torch.Generator().manual_seed(2)
    f, g = torch.randn(2, 12, 10, dtype=torch.float64, generator=generator)
    solve = kind((12, 10), (1.0, 0.5), dtype=torch.float64)
    f.requires_grad_()
    (gradient,) = torch.autograd.grad((g * solve(f)).sum(), f)
    torch.testing.assert_close(gradient, solve(g), rtol=0, atol=1e-13)


def test_the_form_follows_the_size():
    assert isinstance(neumann_poisson((64, 48), (1.0, 1.0)), MatrixPoisson)
    assert isinstance(neumann_poisson((128, 64), (1.0, 1.0)), FourierPoisson)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", SOLVERS)
def test_cuda_agrees_with_cpu(kind):
    f = torch.randn(2, 64, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    here = kind((64, 48), (1.0, 0.5), dtype=torch.float64)(f)
    there = kind((64, 48), (1.0, 0.5), dtype=torch.float64, device="cuda")(f.cuda())
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-11)
