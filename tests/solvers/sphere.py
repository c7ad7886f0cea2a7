"""What the tests on a sphere share."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import InitialCondition
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import Equation, Orography, SphericalShallowWater

__all__ = [
    "DAY",
    "DOUBLE",
    "HOUR",
    "IDEAL",
    "RADIUS",
    "T21",
    "T42",
    "Hills",
    "mean",
    "relative",
    "run",
    "sampled",
]

DOUBLE = torch.float64
T21, T42 = GaussianSphere((32, 64)), GaussianSphere((64, 128))
HOUR, DAY, RADIUS = 3600.0, 86400.0, 6.37122e6
IDEAL = SphericalShallowWater(hyperdiffusion_time=math.inf)


def sampled(state: InitialCondition, grid: GaussianSphere) -> dict[str, Tensor]:
    fields = state.sample(np.random.default_rng(0), grid)
    return {name: field[None] for name, field in fields.items()}


def run(
    equation: Equation,
    fields: dict[str, Tensor],
    dt: float,
    steps: int,
    grid: GaussianSphere = T42,
) -> dict[str, Tensor]:
    solver = equation.discretise(grid, dt, dtype=DOUBLE)
    return solver.observe(repeat(solver.step, steps)(solver.initialise(fields)), grid)


def mean(field: Tensor, grid: GaussianSphere) -> Tensor:
    return (field * torch.tensor(grid.quadrature_weights)).sum((-2, -1))


def relative(a: Tensor, b: Tensor, grid: GaussianSphere = T42) -> float:
    return math.sqrt(mean((a - b) ** 2, grid).item() / mean(b**2, grid).item())


@dataclasses.dataclass(frozen=True)
class Hills(Orography):
    """A smooth ground of degree 5, held by every grid here."""

    peak: float = 1000.0

    def height(self, latitude: Tensor, longitude: Tensor) -> Tensor:
        return self.peak * latitude.cos() ** 4 * latitude.sin() * (4 * longitude).cos()
