"""A training whose exact answer is known: the step of linear advection by one point is a shift."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.data import Ladder, Splits, generate
from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions import InitialCondition
from pdesurrogate.metrics import nrmse
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.blocks import BoundaryConv2d
from pdesurrogate.training import (
    CutGradients,
    Objective,
    OneStep,
    Pushforward,
    TrainingConfig,
    Unrolled,
    train,
)
from tests.decay import Decay, DecaySolver, State, decay_recipe


@dataclass(frozen=True)
class Shift(Decay):
    """Linear advection by exactly one point along x in a step."""

    def discretise(self, grid: Grid, dt: float, **_: Any) -> ShiftSolver:
        return ShiftSolver((self,), grid, dt)


class ShiftSolver(DecaySolver):
    def step(self, state: State) -> State:
        return State(state.concentration.roll(1, dims=-1), state.time + self.dt)


@dataclass(frozen=True)
class Noise(InitialCondition):
    """Every wave alike, so that the data leave no doubt about the step."""

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Tensor]:
        return {"concentration": torch.tensor(rng.normal(size=grid.num_points)).float()}


@dataclass(frozen=True)
class OneConvolution(ModelSpec):
    """Nine numbers and one more."""

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return BoundaryConv2d(in_channels, out_channels, grid.padding)


@pytest.fixture(scope="module")
def advection(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    recipe = decay_recipe(
        equation=Shift(),
        initial_condition=Noise(),
        parameters={},
        resolutions=[16],
        num_frames=5,
        splits=Splits(6, 2, 2),
    )
    return generate(recipe, tmp_path_factory.mktemp("advection") / "data", workers=1)


@pytest.mark.parametrize(
    "objective",
    [
        OneStep(),
        Pushforward(3),
        pytest.param(Unrolled(3), marks=pytest.mark.slow),
        pytest.param(CutGradients(3), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_one_convolution_learns_the_shift(
    objective: Objective, advection: Ladder, tmp_path: Path
) -> None:
    config = TrainingConfig(
        epochs=160,
        batch_size=6,
        learning_rate=0.03,
        weight_decay=0.0,
        objective=objective,
        conditioning=(),
        validation_steps=4,
    )
    surrogate = train(OneConvolution(), advection, 16, tmp_path / "run", config)
    truth = torch.tensor(advection.test[16]["concentration"].values)
    with torch.no_grad():
        prediction = surrogate.step(truth[:, :1, None])[:, -1, 0]
    assert nrmse(prediction, truth[:, 1], advection.grid(16)).max() < 1e-4
