"""What is written down of every stage of a staged training."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StageReport"]


@dataclass(frozen=True)
class StageReport:
    """One row of `stages.csv`: what a stage cost and what it brought.

    Args:
        stage: Counted from 1.
        resolution: Its rung.
        trajectories: Training trajectories that it used.
        data_megabytes: Size of their predicted fields on this rung.
        epochs: Passes over their windows.
        parameters: Real numbers in the network.
        trained_parameters: Of these, the ones that the stage changed.
        seconds: Wall time of the stage.
        one_step_before: Validation error of one step on this rung before the stage: that of the
            embedded network.
        rollout_before: The same of the rollouts.
        one_step_after: Validation error of one step with the weights that are kept.
        rollout_after: The same of the rollouts.
    """

    stage: int
    resolution: int
    trajectories: int
    data_megabytes: float
    epochs: int
    parameters: int
    trained_parameters: int
    seconds: float
    one_step_before: float
    rollout_before: float
    one_step_after: float
    rollout_after: float
