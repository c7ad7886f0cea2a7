"""What is measured once per epoch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EpochMetrics"]


@dataclass(frozen=True)
class EpochMetrics:
    """One row of `metrics.csv`.

    Args:
        epoch: Finished epochs, over all stages.
        step: Finished optimiser steps, over all stages.
        train_loss: Mean of the objective over the epoch's batches.
        valid_one_step: Validation error of the first predicted frame.
        valid_rollout: Validation error of the rollouts: their mean, or at the chosen lead.
        learning_rate: Rate of the epoch's last step.
        gradient_norm: Mean norm of the gradient, before clipping.
        seconds: Wall time of the training so far, over all sessions.
        valid_blow_up: Share of the validation rollouts that blow up.
        stage: The stage, counted from 1.
        rollbacks: How often, so far, a loss that was not finite sent the stage back.
    """

    epoch: int
    step: int
    train_loss: float
    valid_one_step: float
    valid_rollout: float
    learning_rate: float
    gradient_norm: float
    seconds: float
    valid_blow_up: float = 0.0
    stage: int = 1
    rollbacks: int = 0

    def __str__(self) -> str:
        blown = f" ({self.valid_blow_up:.0%} blow up)" if self.valid_blow_up else ""
        return (
            f"loss {self.train_loss:.4g}, one step {self.valid_one_step:.4g}, "
            f"rollout {self.valid_rollout:.4g}{blown}, {self.seconds:.0f} s"
        )
