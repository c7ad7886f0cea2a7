"""Upwind schemes: order on smooth fields, bounds on rough ones, and nothing lost."""

import itertools
import math

import pytest
import torch

from pdesurrogate.operators import (
    KorenLimiter,
    ThirdOrderUpwind,
    divergence,
    mirror_about_faces,
    transport,
)

SCHEMES = [ThirdOrderUpwind(), KorenLimiter()]
LIMITED = {KorenLimiter(): 1 / 2}


def name(value):
    return type(value).__name__


def face_error(flux, n, speed, axis):
    """Largest error of the value at the sides of a sine given by its cell averages."""
    w, h = flux.ghost_values, 1 / n
    edges = torch.arange(-w, n + w + 1, dtype=torch.float64) * h
    # monotone between 0 and 1, so that no limiter is at an extremum
    q = (-torch.cos(edges + 0.2)).diff() / h
    sides = torch.arange(n + 1, dtype=torch.float64) * h
    speeds = torch.full((1, n + 1), speed, dtype=torch.float64)
    if axis == -2:
        value = flux(q[:, None], speeds.T, -2)[:, 0] / speed
    else:
        value = flux(q[None], speeds, -1)[0] / speed
    return float((value - torch.sin(sides + 0.2)).abs().max())


@pytest.mark.parametrize("flux", SCHEMES, ids=name)
@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("speed", [0.7, -0.7])
def test_order_at_the_sides(flux, axis, speed):
    order = 2 * flux.ghost_values - 1
    errors = [face_error(flux, n, speed, axis) for n in (8, 16, 32)]
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)


def swirl(n, seed):
    """A random velocity without divergence, zero through the walls."""
    generator = torch.Generator().manual_seed(seed)
    psi = torch.randn(n + 1, n + 1, dtype=torch.float64, generator=generator)
    psi[0] = psi[-1] = 0
    psi[:, 0] = psi[:, -1] = 0
    return psi.diff(dim=-2), -psi.diff(dim=-1)


def closed_box_transport(q, velocity, flux, diffusivity=None):
    ends = flux.ghost_values
    return transport(
        mirror_about_faces(q, -1, ends),
        mirror_about_faces(q, -2, ends),
        velocity,
        (1.0, 1.0),
        flux,
        diffusivity,
    )


@pytest.mark.parametrize("flux", SCHEMES, ids=name)
@pytest.mark.parametrize("speed", [0.7, -0.7])
def test_the_upwind_side_is_taken(flux, speed):
    # Centred schemes keep the energy of a wave, upwind ones damp it, downwind ones feed it.
    ends, n = flux.ghost_values, 16
    wave = torch.sin(2 * math.pi * 5 * torch.arange(n, dtype=torch.float64) / n)
    extended = torch.cat([wave[-ends:], wave, wave[:ends]])[None]
    through = flux(extended, torch.full((1, n + 1), speed, dtype=torch.float64), -1)[0]
    assert (wave * -through.diff()).sum() < -0.1


@pytest.mark.parametrize("flux", LIMITED, ids=name)
@pytest.mark.parametrize("seed", range(5))
def test_limited_schemes_keep_bounds_up_to_the_stated_outflow(flux, seed):
    u, v = swirl(16, seed)
    outflow = (u[:, 1:].clamp(min=0) - u[:, :-1].clamp(max=0)).clone()
    outflow += v[1:].clamp(min=0) - v[:-1].clamp(max=0)
    dt = LIMITED[flux] / float(outflow.max())
    generator = torch.Generator().manual_seed(seed)
    q = (torch.rand(16, 16, dtype=torch.float64, generator=generator) > 0.5).double()
    start = q
    for _ in range(20):
        q = q + dt * closed_box_transport(q, (u, v), flux)
        assert q.min() >= -1e-14
        assert q.max() <= 1 + 1e-14
    assert (q - start).abs().max() > 0.1


@pytest.mark.parametrize("flux", SCHEMES, ids=name)
def test_what_leaves_one_cell_enters_the_next_and_uniform_stays_uniform(flux):
    velocity = swirl(12, 3)
    assert divergence(*velocity, (1.0, 1.0)).abs().max() < 1e-13
    generator = torch.Generator().manual_seed(4)
    q = torch.randn(12, 12, dtype=torch.float64, generator=generator)
    tendency = closed_box_transport(q, velocity, flux, 0.3)
    assert abs(tendency.sum()) < 1e-12
    assert tendency.abs().max() > 0.1
    uniform = closed_box_transport(torch.full_like(q, 2.5), velocity, flux, 0.3)
    assert uniform.abs().max() < 1e-12


@pytest.mark.parametrize("flux", SCHEMES, ids=name)
def test_mirrored_flow_gives_the_mirrored_tendency(flux):
    u, v = swirl(12, 5)
    generator = torch.Generator().manual_seed(6)
    q = torch.randn(12, 12, dtype=torch.float64, generator=generator)
    tendency = closed_box_transport(q, (u, v), flux)
    mirrored = closed_box_transport(q.flip(-1), (-u.flip(-1), v.flip(-1)), flux)
    torch.testing.assert_close(mirrored.flip(-1), tendency, rtol=0, atol=1e-13)
    turned = closed_box_transport(q.T, (v.T, u.T), flux)
    torch.testing.assert_close(turned.T, tendency, rtol=0, atol=1e-13)


def test_diffusion_is_the_five_point_laplacian():
    q = torch.arange(25, dtype=torch.float64).reshape(5, 5) ** 2
    still = (torch.zeros(5, 6, dtype=torch.float64), torch.zeros(6, 5, dtype=torch.float64))
    extended = (mirror_about_faces(q, -1, 2), mirror_about_faces(q, -2, 2))
    tendency = transport(*extended, still, (0.5, 2.0), KorenLimiter(), 3.0)
    along_x, along_y = q[2, 3] - 2 * q[2, 2] + q[2, 1], q[3, 2] - 2 * q[2, 2] + q[1, 2]
    assert tendency[2, 2] == pytest.approx(float(3.0 * (along_x / 4 + along_y / 0.25)))
    several = torch.stack([q, q])
    each = torch.tensor([3.0, 6.0], dtype=torch.float64)[:, None, None]
    extended = (mirror_about_faces(several, -1, 2), mirror_about_faces(several, -2, 2))
    still = (still[0].expand(2, 5, 6), still[1].expand(2, 6, 5))
    both = transport(*extended, still, (0.5, 2.0), KorenLimiter(), each)
    torch.testing.assert_close(both[1], 2 * tendency)


@pytest.mark.parametrize("flux", SCHEMES, ids=name)
def test_gradient_agrees_with_differences(flux):
    velocity = swirl(8, 7)
    generator = torch.Generator().manual_seed(8)
    q = torch.randn(8, 8, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(lambda q: closed_box_transport(q, velocity, flux, 0.1), (q,))
