"""What is measured once per epoch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EpochMetrics"]


@dataclass(frozen=True)
class EpochMetrics:
    """One row of `metrics.csv`.

    Args:
        epoch: Finished epochs.
        step: Finished optimiser steps.
        train_loss: Mean of the objective over the epoch's batches.
        valid_one_step: Validation error of the first predicted frame.
        valid_rollout: Validation error of the rollouts' last frame.
        learning_rate: Rate of the epoch's last step.
        gradient_norm: Mean norm of the gradient, before clipping.
        seconds: Wall time of the training so far, over all sessions.
    """

    epoch: int
    step: int
    train_loss: float
    valid_one_step: float
    valid_rollout: float
    learning_rate: float
    gradient_norm: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"loss {self.train_loss:.4g}, one step {self.valid_one_step:.4g}, "
            f"rollout {self.valid_rollout:.4g}, {self.seconds:.0f} s"
        )
