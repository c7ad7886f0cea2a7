"""What can be said of a training before it begins: what it will do, or why it will not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pdesurrogate.data import Ladder
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.user_code import answering_for_part
from pdesurrogate.surrogate import Surrogate, SurrogateInfo
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.learner import level_heads
from pdesurrogate.training.objectives import Objective
from pdesurrogate.training.preparation import (
    bound_loss,
    check_fit,
    completed,
    untrained_surrogate,
)
from pdesurrogate.training.stages import PlannedStage, planned_stages

__all__ = ["Plan", "planned", "rehearse", "untrained"]


@dataclass(frozen=True)
class Plan:
    """What a training will do.

    Args:
        config: The user's choices, completed.
        data: The dataset in the steps that are trained.
        stages: At least one.
    """

    config: TrainingConfig
    data: Ladder
    stages: tuple[PlannedStage, ...]

    def first_surrogate(self, name: str) -> Surrogate:
        """The untrained surrogate of the first stage, once all stages are known to be possible.

        Sets the seed of torch's global generator and draws from it.

        Args:
            name: How tables call the surrogate.

        Raises:
            ValueError: If the network, the loss or a later stage does not fit the data.
        """
        first = untrained(self.stages[0], self.data, name)
        if self.config.shard and any(p.is_complex() for p in first.module.parameters()):
            raise ValueError(f"shard does not do for {first.info.model}: it has complex weights")
        if self.config.level_loss > 0 and not _learns_in_the_first_step(self.config.objective):
            raise ValueError(
                "level_loss needs an objective in whose first step gradients flow, which is the "
                f"step that it compares; not so in {type(self.config.objective).__name__}"
            )
        with torch.random.fork_rng([]):
            for stage in self.stages:
                surrogate = (
                    untrained(stage, self.data, name, first.info) if stage.number > 0 else first
                )
                for rung in stage.shares:
                    bound_loss(surrogate, stage.config, self.data.grid(rung))
                if stage.config.level_loss > 0:
                    level_heads(surrogate)
        return first


def _learns_in_the_first_step(objective: Objective) -> bool:
    """Whether gradients flow through an objective's first step."""
    seen = []

    def step(window: Tensor) -> Tensor:
        seen.append(torch.is_grad_enabled())
        return window

    frames = torch.zeros(1, 1 + objective.num_steps, 1, 1, 1)
    with answering_for_part(objective), torch.enable_grad():
        objective(step, frames[:, :1], frames[:, 1:], lambda p, y: (p - y).square().mean())
    return seen[0]


def planned(spec: ModelSpec, data: Ladder, resolution: int, config: TrainingConfig) -> Plan:
    """Plan a training; no network is built yet.

    Args:
        spec: The model.
        data: The dataset.
        resolution: The rung to train on; of a staged training, the first one.
        config: The user's choices.

    Raises:
        ValueError: If they do not fit the data or the machine.
    """
    if not isinstance(spec, ModelSpec):  # a network's class is an easy mistake
        raise ValueError(
            f"train needs a ModelSpec such as MultiResNet(), got {spec!r}; "
            "a network of your own is given as pdesurrogate.models.user_model.UserModel.of(MyNet)"
        )
    data = data.strided(config.frame_stride)
    config = completed(config, spec, data)
    check_fit(data, resolution, config)
    return Plan(config, data, tuple(planned_stages(spec, data, resolution, config)))


def untrained(
    stage: PlannedStage, data: Ladder, name: str, earlier: SurrogateInfo | None = None
) -> Surrogate:
    """A stage's surrogate with fresh weights, the same for the same seed.

    Args:
        stage: The stage.
        data: The dataset.
        name: How tables call it.
        earlier: Of the surrogate whose normalisation it takes over; None to measure it.
    """
    assert stage.spec is not None
    torch.manual_seed(stage.seed)
    return untrained_surrogate(stage.spec, data, stage.resolution, stage.config, name, earlier)


def rehearse(spec: ModelSpec, data: Ladder, resolution: int, config: TrainingConfig) -> None:
    """Raise what `train` would raise before its first step; nothing is kept of it.

    Args:
        spec: The model.
        data: The dataset.
        resolution: The rung to train on.
        config: How to train.

    Raises:
        ValueError: If the arguments do not fit the data or the machine.
    """
    with torch.random.fork_rng():
        planned(spec, data, resolution, config).first_surrogate("rehearsal")
