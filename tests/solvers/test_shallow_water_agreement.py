"""Finite volumes and the spectral solver on a smooth flow without rotation: one equation, twice."""

import math

import torch
from torch import Tensor

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import PeriodicShallowWater, RotatingShallowWater, UniformRotation


def smooth_flow(grid: PeriodicBox) -> dict[str, Tensor]:
    y, x = (2 * math.pi * torch.as_tensor(q) for q in (grid.y[:, None], grid.x[None, :]))
    height = 1 + 0.05 * torch.cos(x) * torch.cos(y)
    u, v = 0.05 * torch.sin(x + y), 0.03 * torch.cos(x) + 0 * y
    return {"height": height[None], "velocity_x": u[None], "velocity_y": v[None]}


def test_finite_volumes_converge_to_the_spectral_solution_with_their_order():
    fine = PeriodicBox((64, 64), (1.0, 1.0))
    rotating = RotatingShallowWater(gravity=1.0, mean_depth=1.0, coriolis=UniformRotation(0.0))
    spectral = rotating.discretise(fine, 0.01, dtype=torch.float64)
    truth = repeat(spectral.step, 40)(spectral.initialise(smooth_flow(fine)))
    errors = []
    for n in (24, 48):
        grid = PeriodicBox((n, n), (1.0, 1.0))
        volumes = PeriodicShallowWater(gravity=1.0).discretise(grid, 0.04, dtype=torch.float64)
        found = volumes.observe(
            repeat(volumes.step, 10)(volumes.initialise(smooth_flow(grid))), grid
        )
        expected = spectral.observe(truth, grid)
        errors.append(
            {
                name: float((found[name] - expected[name]).norm() / n)
                for name in ("height", "velocity_x", "velocity_y")
            }
        )
    for name, coarse in errors[0].items():
        assert math.log2(coarse / errors[1][name]) > 1.75, (name, errors)
        assert errors[1][name] < 1e-3
