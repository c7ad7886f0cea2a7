"""A training as a sequence of stages; one that is not staged has a single one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pdesurrogate.data import Ladder
from pdesurrogate.models import Extended, ModelSpec
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training.checkpoint import Position
from pdesurrogate.training.config import Stage, TrainingConfig
from pdesurrogate.training.stage_report import StageReport

__all__ = ["PlannedStage", "continue_from", "planned_stages", "reported"]


@dataclass(frozen=True)
class PlannedStage:
    """What one stage of a training does.

    Args:
        number: Of the stage, counted from 0.
        count: How many stages there are.
        spec: The network; None where the surrogate comes with it.
        resolution: The rung that the stage is for: the grid of the surrogate.
        shares: Share of the batches that is seen on each rung.
        config: The user's choices, with the stage's own epochs and learning rate.
        trajectories: Training trajectories that are used; None for all.
        freeze: Whether the weights of earlier stages stay as they are.
    """

    number: int
    count: int
    spec: ModelSpec | None
    resolution: int
    shares: Mapping[int, float]
    config: TrainingConfig
    trajectories: int | None = None
    freeze: bool = False

    @property
    def seed(self) -> int:
        """Seed of the stage's new weights."""
        if self.number == 0:
            return self.config.seed
        # As long as no other seed's entropy, so that nothing else has the same.
        entropy = np.random.SeedSequence((self.config.seed, 0, 0, 0, 0, self.number))
        return int(entropy.generate_state(1, np.uint64)[0] >> 1)


def planned_stages(
    spec: ModelSpec, data: Ladder, resolution: int, config: TrainingConfig
) -> list[PlannedStage]:
    """The stages of a training, in order.

    Args:
        spec: The network of the first.
        data: The dataset.
        resolution: The rung of the first.
        config: The user's choices, completed.

    Raises:
        ValueError: If a rung or so many trajectories do not exist, or a rung is not a power of two
            finer than the one before.
    """
    if config.stages is None:
        shares = config.mixture or {resolution: 1.0}
        return [PlannedStage(0, 1, spec, resolution, shares, config)]
    if config.stages[0].resolution != resolution:
        raise ValueError(
            f"the first of the stages has resolution {config.stages[0].resolution}, but the "
            f"training is on {resolution}"
        )
    planned, reached = [], resolution
    for number, stage in enumerate(config.stages):
        _check_stage(stage, reached, data)
        for _ in range(round(math.log2(stage.resolution / reached))):
            spec = Extended(spec, width=stage.width)
        chosen = replace(
            config, epochs=stage.epochs, learning_rate=stage.learning_rate or config.learning_rate
        )
        planned.append(
            PlannedStage(
                number,
                len(config.stages),
                spec,
                stage.resolution,
                {stage.resolution: 1.0},
                chosen,
                stage.trajectories,
                stage.freeze,
            )
        )
        reached = stage.resolution
    return planned


def continue_from(earlier: Surrogate, extended: Surrogate, *, freeze: bool) -> Surrogate:
    """The surrogate that a stage begins with: an earlier one, extended.

    Args:
        earlier: The result of the stage before.
        extended: Untrained; its network holds one like the earlier's inside, or is like it.
        freeze: Whether the earlier weights stay as they are from now on.

    Returns:
        `extended` with the earlier one's weights: the same predictions of the resolved band, but
        for networks that see transport, which from now on see that of the finer field.
    """
    weights, inside = earlier.module.state_dict(), extended.module
    while inside.state_dict().keys() != weights.keys():
        inside = inside.get_submodule("bottleneck")
    inside.load_state_dict(weights)
    if freeze:
        inside.requires_grad_(False)
    return extended


def reported(
    stage: PlannedStage, surrogate: Surrogate, data: Ladder, position: Position
) -> StageReport:
    """What a finished stage cost and brought.

    Args:
        stage: The stage.
        surrogate: Its network, in which what it did not train needs no gradient.
        data: The dataset.
        position: Where the training stands at the stage's end.
    """
    count = stage.trajectories or data.num_trajectories("train")
    points = math.prod(data.grid(stage.resolution).num_points)
    frames = data.stored.num_frames * len(surrogate.info.fields)
    trained = sum(
        parameter.numel() * (2 if parameter.is_complex() else 1)
        for parameter in surrogate.module.parameters()
        if parameter.requires_grad
    )
    before, after = position.before, position.best
    assert after is not None  # a stage ends with a validation
    return StageReport(
        stage=stage.number + 1,
        resolution=stage.resolution,
        trajectories=count,
        data_megabytes=4e-6 * count * frames * points,
        epochs=position.epoch,
        parameters=surrogate.info.parameters,
        trained_parameters=trained,
        seconds=position.seconds - position.seconds_before,
        one_step_before=math.nan if before is None else before.one_step,
        rollout_before=math.nan if before is None else before.rollout,
        one_step_after=after.one_step,
        rollout_after=after.rollout,
    )


def _check_stage(stage: Stage, reached: int, data: Ladder) -> None:
    data.grid(stage.resolution)
    ratio = stage.resolution / reached
    if not math.log2(ratio).is_integer():
        raise ValueError(
            f"a stage goes to 2, 4, ... times the resolution of the one before, not from {reached} "
            f"to {stage.resolution}"
        )
    if stage.freeze and ratio == 1:
        raise ValueError(
            f"a stage on the rung of the one before, {reached}, adds no level: nothing would be "
            "left to train with freeze"
        )
    held = data.num_trajectories("train")
    if stage.trajectories is not None and stage.trajectories > held:
        raise ValueError(
            f"a stage asks for {stage.trajectories} trajectories, the train split of {data.path} "
            f"has {held}"
        )
