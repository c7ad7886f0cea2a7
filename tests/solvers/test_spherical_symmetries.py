"""What turns or mirrors the start of a flow on a sphere turns or mirrors its end."""

import dataclasses

import numpy as np
import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import BarotropicJet
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.operators.legendre import legendre_functions
from pdesurrogate.solvers import SphericalShallowWater
from tests.solvers.sphere import DOUBLE, IDEAL, RADIUS, T21, relative, run, sampled


def waves_at(points: Tensor) -> dict[str, Tensor]:
    """Coefficients up to degree 21 of random vortices and bumps that stand at unit vectors."""
    generator = np.random.default_rng(5)
    sine, longitude = points[:, 2], torch.atan2(points[:, 1], points[:, 0])
    functions = legendre_functions(sine, 22, 22).permute(1, 0, 2)
    harmonics = functions * torch.exp(-1j * torch.arange(22)[:, None] * longitude)
    smooth = torch.exp(-0.05 * torch.arange(22.0).double() ** 2)[:, None]
    strengths = torch.from_numpy(generator.standard_normal((3, len(points)))).to(harmonics.dtype)
    stream, potential, bumps = (smooth * (harmonics @ strength) for strength in strengths)
    return {"stream": 3e7 * stream, "potential": 3e6 * potential, "height": 300 * bumps}


def field_at(field: Tensor, points: Tensor) -> Tensor:
    """The harmonics up to degree 21 of a field, summed at unit vectors."""
    c = spherical_harmonics(T21, 21, DOUBLE).analyse(field)
    functions = legendre_functions(points[:, 2], 22, 22)
    longitude = torch.atan2(points[:, 1], points[:, 0])
    turned = torch.exp(1j * torch.arange(22)[:, None] * longitude)
    terms = torch.einsum("lm,mlp,mp->mp", c, functions.to(c.dtype), turned).real
    return 2 * terms.sum(0) - terms[0]


def unit_vectors(grid: GaussianSphere) -> Tensor:
    sine = torch.tensor(grid.sine_of_latitude)[:, None]
    longitude = torch.tensor(grid.x).deg2rad()
    cosine = (1 - sine**2).sqrt()
    parts = (cosine * longitude.cos(), cosine * longitude.sin(), sine + 0 * longitude)
    return torch.stack(parts, dim=-1).reshape(-1, 3)


def test_without_rotation_turning_the_start_about_any_axis_turns_the_end():
    # Triangular truncation and products free of aliasing know no poles: equal to rounding.
    generator = torch.Generator().manual_seed(3)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=DOUBLE, generator=generator))[0]
    turn = turn * turn.det().sign()
    centres = torch.randn(12, 3, dtype=DOUBLE, generator=generator)
    centres = centres / centres.norm(dim=1, keepdim=True)
    sht = spherical_harmonics(T21, 21, DOUBLE)
    equation = dataclasses.replace(IDEAL, rotation_rate=0.0)
    ends = []
    for points in (centres, centres @ turn.T):
        waves = waves_at(points)
        vorticity, divergence = (sht.laplacian(waves[name]) for name in ("stream", "potential"))
        east, north = (part[None] / RADIUS for part in sht.velocity(vorticity, divergence))
        start = {"height": 10000.0 + sht.synthesise(waves["height"])[None]}
        start |= {"velocity_x": east, "velocity_y": north}
        ends.append(run(equation, start, 1200.0, 36, T21))
    assert float(ends[0]["velocity_x"].abs().max()) > 20
    for name in ("height", "vorticity", "divergence"):
        there = field_at(ends[1][name][0], unit_vectors(T21) @ turn.T)
        here = ends[0][name][0].flatten()
        moved = (ends[1][name][0].flatten() - here).abs().max()
        assert float((there - here).abs().max() / moved) < 1e-10, name


def test_turning_the_start_about_the_axis_turns_the_end():
    start = sampled(BarotropicJet(), T21)
    turned = {name: field.roll(5, dims=-1) for name, field in start.items()}
    equation = SphericalShallowWater()
    end, other = (run(equation, fields, 1200.0, 20, T21) for fields in (start, turned))
    for name, field in end.items():
        assert relative(other[name], field.roll(5, dims=-1), T21) < 1e-11, name


def test_the_mirror_image_of_a_flow_is_a_flow():
    start = sampled(BarotropicJet(), T21)
    flipped = {name: field.flip(-2) for name, field in start.items()}
    flipped["velocity_y"] = -flipped["velocity_y"]
    end, other = (run(SphericalShallowWater(), f, 1200.0, 20, T21) for f in (start, flipped))
    for name, sign in (("height", 1), ("velocity_x", 1), ("vorticity", -1), ("divergence", 1)):
        assert relative(sign * other[name].flip(-2), end[name], T21) < 1e-11, name
