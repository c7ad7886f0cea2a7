"""A flow whose every trajectory decays at a rate of its own, on any kind of grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pdesurrogate.data import Distribution, LogUniform, Recipe, Splits, Uniform
from pdesurrogate.fields import Field
from pdesurrogate.grids import Channel, ClosedBox, Grid, PeriodicBox
from pdesurrogate.initial_conditions import InitialCondition
from pdesurrogate.solvers import Equation
from pdesurrogate.transfer import restrict

__all__ = ["ChannelDecay", "ClosedDecay", "Decay", "decay_recipe"]


class State(NamedTuple):
    """A concentration and the time that has passed."""

    concentration: Tensor
    time: float


@dataclass(frozen=True)
class Decay(Equation):
    r"""$\dot c = -r (1 + 3 m)\, c + a \cos t$ with a mask $m$ that is 1 on a side of the domain.

    The mask's edge lies at the share `edge` of the domain along x; `pattern` does nothing.
    """

    grid_type: ClassVar[type[Grid]] = PeriodicBox

    rate: float = 0.1
    drive: float = 0.0
    edge: float = 0.5
    pattern: int = 0

    @property
    def fields(self) -> tuple[Field, ...]:
        return (
            Field("concentration", "1", "concentration"),
            Field("mask", "1", "mask", is_signed=False, is_static=True),
        )

    def discretise(
        self, grid: Grid, dt: float, *, variants: Any = (), dtype: Any = None, device: Any = "cpu"
    ) -> DecaySolver:
        return DecaySolver(variants or (self,), grid, dt)


class ClosedDecay(Decay):
    grid_type = ClosedBox


class ChannelDecay(Decay):
    grid_type = Channel


class DecaySolver:
    """Exact for the decay and for the drive by itself."""

    courant_limit = math.inf

    def __init__(self, equations: tuple[Decay, ...], grid: Grid, dt: float) -> None:
        self.grid, self.dt = grid, dt
        x = torch.as_tensor(grid.x / grid.domain_extent[1], dtype=torch.float32)
        edge = torch.tensor([e.edge for e in equations])[:, None, None]
        self.mask = (x < edge).float().expand(-1, *grid.num_points)
        rate = torch.tensor([e.rate for e in equations])[:, None, None]
        self.factor = torch.exp(-rate * (1 + 3 * self.mask) * dt)
        self.drive = torch.tensor([e.drive for e in equations])[:, None, None]

    def initialise(self, fields: dict[str, Tensor], time: float = 0.0) -> State:
        return State(fields["concentration"], time)

    def step(self, state: State) -> State:
        later = state.time + self.dt
        added = self.drive * (math.sin(later) - math.sin(state.time))
        return State(self.factor * state.concentration + added, later)

    def observe(self, state: State, grid: Grid) -> dict[str, Tensor]:
        mask = self.mask.expand(len(state.concentration), -1, -1)
        return {
            "concentration": restrict(state.concentration, self.grid, grid),
            "mask": restrict(mask, self.grid, grid),
        }

    def courant_number(self, state: State) -> Tensor:
        return 0 * state.concentration.flatten(1).sum(dim=1)


@dataclass(frozen=True)
class Bumps(InitialCondition):
    """Cosines along y and x of random sizes."""

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Tensor]:
        y, x = (
            2 * math.pi * points / extent
            for points, extent in zip((grid.y, grid.x), grid.domain_extent, strict=True)
        )
        a, b = rng.normal(size=2)
        values = a * np.cos(y)[:, None] + b * np.cos(2 * x)
        return {"concentration": torch.as_tensor(values, dtype=torch.float32)}


def decay_recipe(**changes: Any) -> Recipe:
    """A dataset of a fraction of a second: decay rates over two orders of magnitude."""
    parameters: dict[str, Distribution] = {"rate": LogUniform(0.02, 2.0), "edge": Uniform(0.1, 0.9)}
    settings: dict[str, Any] = {
        "name": "decay",
        "title": "Decay",
        "equation": Decay(),
        "initial_condition": Bumps(),
        "parameters": parameters,
        "resolutions": [8, 16],
        "reference_resolution": 16,
        "frame_interval": 0.5,
        "steps_per_frame": 1,
        "num_frames": 5,
        "spin_up_frames": 1,
        "splits": Splits(6, 2, 3),
        "batch_size": 3,
        "accuracy_trajectories": 0,
        **changes,
    }
    return Recipe(**settings)
