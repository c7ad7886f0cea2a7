"""Staggered operators: exact on low polynomials, adjoint, and free of sources."""

import pytest
import torch

from pdesurrogate.operators import (
    average_to_centres,
    divergence,
    mirror_about_faces,
    mirror_about_nodes,
    momentum_speeds_x,
    momentum_speeds_y,
    no_slip_ghosts,
    pressure_gradient,
)

SPACING = (0.25, 0.5)
NY, NX = 6, 8


def points(shape, offset_y, offset_x):
    """Coordinates of samples that begin `offset` cells from the corner."""
    y = (torch.arange(shape[0], dtype=torch.float64)[:, None] + offset_y) * SPACING[0]
    x = (torch.arange(shape[1], dtype=torch.float64)[None, :] + offset_x) * SPACING[1]
    return y.expand(shape), x.expand(shape)


def solenoidal(seed=0):
    """Face velocities from a random stream function at the corners, zero through the walls."""
    generator = torch.Generator().manual_seed(seed)
    psi = torch.randn(2, NY + 1, NX + 1, dtype=torch.float64, generator=generator)
    psi[:, 0] = psi[:, -1] = 0
    psi[:, :, 0] = psi[:, :, -1] = 0
    return psi.diff(dim=-2) / SPACING[0], -psi.diff(dim=-1) / SPACING[1]


def test_divergence_and_gradient_of_linear_and_quadratic_fields():
    y, x = points((NY, NX + 1), 0.5, 0.0)
    u = 3 * x**2 + y
    y, x = points((NY + 1, NX), 0.0, 0.5)
    v = 2 * x - y**2
    y, x = points((NY, NX), 0.5, 0.5)
    torch.testing.assert_close(divergence(u, v, SPACING), 6 * x - 2 * y)
    along_x, along_y = pressure_gradient(x**2 * y, SPACING)
    y, x = points((NY, NX - 1), 0.5, 1.0)
    torch.testing.assert_close(along_x, 2 * x * y)
    y, x = points((NY - 1, NX), 1.0, 0.5)
    torch.testing.assert_close(along_y, x**2)


def test_the_gradient_is_minus_the_adjoint_of_the_divergence():
    generator = torch.Generator().manual_seed(1)
    u = torch.randn(NY, NX + 1, dtype=torch.float64, generator=generator)
    v = torch.randn(NY + 1, NX, dtype=torch.float64, generator=generator)
    u[:, 0] = u[:, -1] = 0
    v[0] = v[-1] = 0
    p = torch.randn(NY, NX, dtype=torch.float64, generator=generator)
    along_x, along_y = pressure_gradient(p, SPACING)
    work = (p * divergence(u, v, SPACING)).sum()
    assert work == pytest.approx(float(-(along_x * u[:, 1:-1]).sum() - (along_y * v[1:-1]).sum()))
    assert work.abs() > 1


def test_averages_are_exact_on_linear_fields():
    y, x = points((NY, NX + 1), 0.5, 0.0)
    u = 2 * x - y
    y, x = points((NY + 1, NX), 0.0, 0.5)
    v = x + 3 * y
    y, x = points((NY, NX), 0.5, 0.5)
    centred_u, centred_v = average_to_centres(u, v)
    torch.testing.assert_close(centred_u, 2 * x - y)
    torch.testing.assert_close(centred_v, x + 3 * y)


def test_momentum_is_carried_without_net_outflow():
    u, v = solenoidal()
    assert divergence(u, v, SPACING).abs().max() < 1e-13
    for speeds in (momentum_speeds_x(u, v), momentum_speeds_y(u, v)):
        assert divergence(*speeds, SPACING).abs().max() < 1e-13
        assert min(speed.abs().max() for speed in speeds) > 0.1


def test_mirrors_continue_even_and_odd_functions():
    def along(function, start, count):
        return function(torch.arange(count, dtype=torch.float64) + start)[None, :]

    def even(x):
        return torch.cos(torch.pi * x / 6)  # about 0 and about 6

    def odd(x):
        return torch.sin(torch.pi * x / 6)

    cells = mirror_about_faces(along(even, 0.5, 6), -1, 3)
    torch.testing.assert_close(cells, along(even, -2.5, 12))
    cells = mirror_about_faces(along(odd, 0.5, 6), -1, 2, low=-1.0, high=-1.0)
    torch.testing.assert_close(cells, along(odd, -1.5, 10))
    nodes = mirror_about_nodes(along(even, 0.0, 7).T, -2, 2)
    torch.testing.assert_close(nodes, along(even, -2.0, 11).T)
    nodes = mirror_about_nodes(along(odd, 0.0, 7), -1, 1, low=-1.0, high=-1.0)
    torch.testing.assert_close(nodes, along(odd, -1.0, 9))
    assert mirror_about_nodes(cells, -1, 0) is cells


def test_no_slip_ghosts_continue_a_parabola_that_is_zero_at_the_wall():
    y = torch.arange(-2, 10, dtype=torch.float64)[:, None] + 0.5
    low = 3 * y + 2 * y**2  # zero at the lower wall
    extended = no_slip_ghosts(low[2:-2], -2, 1)
    torch.testing.assert_close(extended[:-1], low[1:-2])
    extended = no_slip_ghosts(low[2:-2].flip(0).T, -1, 2)
    torch.testing.assert_close(extended[0, -2], low[1, 0])
    torch.testing.assert_close(extended[0, -1], -low[3, 0])
    torch.testing.assert_close(extended[0, 2:-2], low[2:-2, 0].flip(0))
