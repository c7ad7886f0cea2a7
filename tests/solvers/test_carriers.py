"""What is known exactly of a flow must come out of carrying it."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.operators import (
    FlowMap,
    places,
    trace_back,
    velocity_from_vorticity,
)
from pdesurrogate.solvers import (
    BuoyantSmoke,
    Carrier,
    PeriodicNavierStokes,
    RotatingShallowWater,
    SphericalShallowWater,
    UniformRotation,
)
from pdesurrogate.solvers.carrier import FieldCarrier, field_carrier

DOUBLE = torch.float64


def whole_step(carrier: Carrier, u: Tensor, end: Tensor, grid: Grid, duration: float) -> Tensor:
    velocities = [carrier.velocity(state, grid) for state in (u, end)]
    return carrier.carry(u, end, trace_back(velocities, grid, duration, 16), duration)


def test_a_taylor_green_vortex_stays_where_it_is_and_decays() -> None:
    equation = PeriodicNavierStokes(viscosity=0.05, drag=0.1)
    grid = PeriodicBox((48, 48))
    y, x = places(grid, DOUBLE)
    vortex = (2 * torch.sin(x) * torch.sin(y))[None, None]
    after = vortex * math.exp(-0.7 * (0.05 * 2 + 0.1))
    carrier = equation.carrier(equation.fields[:1])
    assert carrier is not None
    found = whole_step(carrier, vortex, after, grid, 0.7)
    assert (found - after).abs().max() < 2e-4


def test_a_mean_wind_carries_and_is_kept() -> None:
    """Vorticity knows nothing of it; a shear that it carries along itself stays as it is."""
    equation = PeriodicNavierStokes(viscosity=0.0)
    grid = PeriodicBox((16, 64))
    x = places(grid, DOUBLE)[1]
    winds = torch.stack([torch.full_like(x, 0.5), torch.sin(x)])[None]
    fields = tuple(field for field in equation.fields if field.name.startswith("velocity"))
    carrier = equation.carrier(fields)
    assert carrier is not None
    after = whole_step(carrier, winds, winds, grid, 0.5)
    expected = torch.stack([winds[0, 0], torch.sin(x - 0.25)])[None]
    torch.testing.assert_close(after, expected, rtol=0, atol=2e-5)


def test_a_passive_tracer_in_a_uniform_gradient_is_lifted_by_the_way_it_went() -> None:
    """Exact where the flow is a shear along y that is the same everywhere along it."""
    equation = PeriodicNavierStokes(viscosity=0.0, tracer_diffusivity=0.0, tracer_gradient=2.0)
    grid = PeriodicBox((16, 64))
    x = places(grid, DOUBLE)[1]
    vorticity = torch.cos(x)  # of the velocity sin(x) along y
    given = torch.stack([vorticity, torch.zeros_like(x)])[None]
    carrier = equation.carrier(equation.fields[:2])
    assert carrier is not None
    after = whole_step(carrier, given, given, grid, 0.5)
    expected = torch.stack([vorticity, -2.0 * 0.5 * torch.sin(x)])[None]
    torch.testing.assert_close(after, expected, rtol=0, atol=2e-5)


def test_velocity_alone_is_carried_as_its_vorticity() -> None:
    equation = PeriodicNavierStokes(viscosity=1e-2)
    grid = PeriodicBox((24, 24))
    y, x = places(grid, DOUBLE)
    vorticity = torch.sin(x) * torch.cos(2 * y) + torch.cos(3 * x)
    wind = torch.stack(velocity_from_vorticity(vorticity, grid))[None]
    both = equation.fields
    by_vorticity = equation.carrier(both[:1])
    by_velocity = equation.carrier(both[1:])
    assert by_vorticity is not None
    assert by_velocity is not None
    one = whole_step(by_vorticity, vorticity[None, None], vorticity[None, None], grid, 0.3)
    other = whole_step(by_velocity, wind, wind, grid, 0.3)
    torch.testing.assert_close(torch.stack(velocity_from_vorticity(one[0, 0], grid)), other[0])


def test_every_trajectory_decays_at_its_own_rate() -> None:
    equation = PeriodicNavierStokes(viscosity=0.0)
    grid = PeriodicBox((16, 16))
    wave = torch.cos(places(grid, DOUBLE)[1]).expand(2, 1, 16, 16)
    variants = [replace(equation, viscosity=nu) for nu in (0.1, 0.4)]
    carrier = equation.carrier(equation.fields[:1], variants=variants)
    assert carrier is not None
    still = FlowMap(grid, torch.zeros(2, 2, 16, 16, dtype=DOUBLE))
    after = carrier.carry(wave, wave, still, 0.5)
    rates = torch.tensor([0.1, 0.4], dtype=DOUBLE)[:, None, None, None]
    torch.testing.assert_close(after, wave * torch.exp(-0.5 * rates))


def test_without_a_velocity_nothing_is_carried() -> None:
    equation = PeriodicNavierStokes()
    assert equation.carrier(equation.fields[1:2]) is None
    assert RotatingShallowWater().carrier(RotatingShallowWater().fields[:2]) is None
    assert BuoyantSmoke().carrier(BuoyantSmoke().fields[:1]) is None
    assert field_carrier([Field("height", "m", "height")]) is None


def test_fields_say_what_carries_them() -> None:
    wind = ("u", "v")
    fields = [
        Field("c", "1", "tracer", transported_by=wind),
        Field("u", "1", "u", vector_part="x"),
        Field("v", "1", "v", vector_part="y"),
    ]
    carrier = field_carrier(fields)
    assert carrier == FieldCarrier(tuple(fields), (1, 2))
    grid = ClosedBox((16, 16), (1.0, 1.0))
    x = places(grid, DOUBLE)[1]
    given = torch.stack([x, torch.full_like(x, 0.25), torch.zeros_like(x)])[None]
    after = carrier.carry(given, 2 * given, trace_back([given[:, 1:]] * 2, grid, 1.0, 4), 1.0)
    inside = x > 0.4
    torch.testing.assert_close(after[0, 0][inside], (x - 0.25)[inside])
    torch.testing.assert_close(after[:, 1:], 2 * given[:, 1:])


def test_geostrophic_detail_comes_back_from_potential_vorticity() -> None:
    """Without motion, wind and depth in balance are found though only the mean state is known."""
    equation = RotatingShallowWater(coriolis=UniformRotation(1e-4), mean_depth=1000.0)
    grid = PeriodicBox((32, 32), (1e6, 1e6))
    y, x = places(grid, DOUBLE) * (2 * math.pi / 1e6)
    stream = 1e4 * torch.sin(5 * x) * torch.cos(4 * y)
    k2 = 41 * (2 * math.pi / 1e6) ** 2
    wind = torch.stack(velocity_from_vorticity(-k2 * stream, grid))
    depth = 1000.0 + 1e-4 / equation.gravity * stream
    given = torch.cat([depth[None], wind])[None]
    flat = torch.stack([torch.full_like(depth, 1000.0), 0 * depth, 0 * depth])[None]
    carrier = equation.carrier(equation.fields[:3])
    assert carrier is not None
    still = FlowMap(grid, torch.zeros(1, 2, 32, 32, dtype=DOUBLE))
    after = carrier.carry(given, flat, still, 0.0)
    for found, true in zip((after - flat)[0], (given - flat)[0], strict=True):
        assert (found - true).norm() < 2e-3 * true.norm()


def test_on_a_sphere_at_rest_the_wind_comes_back_from_its_vorticity() -> None:
    """Exactly, where the depth is known: potential vorticity is then vorticity over depth."""
    sphere = SphericalShallowWater(rotation_rate=0.0, hyperdiffusion_degree=None)
    grid = GaussianSphere((32, 64))
    x, y, z = places(grid, DOUBLE)
    depth = 1e4 + 50 * x * z
    axis = torch.tensor([0.36, -0.48, 0.8], dtype=DOUBLE)[:, None, None]
    motion = 10 * torch.linalg.cross(axis.expand(3, 32, 64), torch.stack([x, y, z]), dim=0)
    cosine = torch.hypot(x, y)
    east = (-y * motion[0] + x * motion[1]) / cosine
    north = cosine * motion[2] - z * (x * motion[0] + y * motion[1]) / cosine
    given = torch.stack([depth, east, north])[None]
    known = torch.stack([depth, 0 * east, 0 * north])[None]
    carrier = sphere.carrier(sphere.fields[:3])
    assert carrier is not None
    torch.testing.assert_close(carrier.velocity(given, grid), given[:, 1:] / sphere.radius)
    still = FlowMap(grid, torch.zeros(1, 3, 32, 64, dtype=DOUBLE))
    torch.testing.assert_close(carrier.carry(given, known, still, 0.0), given)
