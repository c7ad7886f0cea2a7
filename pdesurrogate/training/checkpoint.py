"""Where a training stands: written so that the last good state survives any interruption."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pdesurrogate.files import write_atomically
from pdesurrogate.training.averaging import WeightAverage
from pdesurrogate.training.epoch_metrics import EpochMetrics

__all__ = ["BEST", "LAST", "Position", "load_checkpoint", "restore", "save_checkpoint", "snapshot"]

LAST, BEST = "checkpoint/last.pt", "checkpoint/best.pt"
"""Within a run: everything needed to continue, and the weights that validated best."""


@dataclass
class Position:
    """How far a training has come, in plain numbers.

    Args:
        epoch: Finished epochs.
        batch: Finished batches of the epoch under way.
        step: Finished optimiser steps.
        loss_sum: Sum of the losses of the epoch's batches so far.
        gradient_norm_sum: Sum of the gradients' norms (before clipping) of the epoch so far.
        seconds: Wall time spent training, over all sessions.
        best: Errors of the best validation so far, rollout and one step; None before the first.
        rows: Metrics of each finished epoch.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    gradient_norm_sum: float = 0.0
    seconds: float = 0.0
    best: tuple[float, float] | None = None
    rows: list[EpochMetrics] = field(default_factory=list)

    def finish_batch(self, loss: float, gradient_norm: float) -> None:
        """Count a finished optimiser step."""
        self.batch += 1
        self.step += 1
        self.loss_sum += loss
        self.gradient_norm_sum += gradient_norm

    def finish_epoch(self, row: EpochMetrics) -> bool:
        """Count a finished epoch.

        Returns:
            Whether it is the best so far: by the rollouts' last frame, then by their first.
        """
        self.epoch += 1
        self.batch, self.loss_sum, self.gradient_norm_sum = 0, 0.0, 0.0
        self.rows.append(row)
        errors = (row.valid_rollout, row.valid_one_step)
        if self.best is not None and errors >= self.best:
            return False
        self.best = errors
        return True


def snapshot(
    module: nn.Module,
    optimiser: Optimizer,
    average: WeightAverage | None,
    position: Position,
    dataset: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything on which the rest of the training depends, as tensors and plain values.

    Args:
        module: The network.
        optimiser: Its optimiser.
        average: The average of its weights, if there is one.
        position: How far the training has come.
        dataset: Identity of the dataset, so that it is not continued on another one.
    """
    return {
        "dataset": dict(dataset),
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": None if average is None else average.module.state_dict(),
        "position": asdict(position),
        "random_state": torch.get_rng_state(),
        "cuda_random_states": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore(
    path: Path,
    module: nn.Module,
    optimiser: Optimizer,
    average: WeightAverage | None,
    dataset: Mapping[str, Any],
) -> Position:
    """Put the snapshot at `path` back in place; the inverse of `snapshot`.

    Raises:
        ValueError: If it is damaged, or was made on another dataset.
    """
    state = load_checkpoint(path)
    if "position" not in state:
        raise ValueError(f"{path} is not a checkpoint, or is damaged")
    for key, value in dataset.items():
        found = state["dataset"].get(key)
        if found != value:
            raise ValueError(
                f"{path} was made on another dataset: its {key} was {found}, now it is {value}"
            )
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    if average is not None:
        average.module.load_state_dict(state["average"])
    torch.set_rng_state(state["random_state"])
    if torch.cuda.is_available() and state["cuda_random_states"]:
        torch.cuda.set_rng_state_all(state["cuda_random_states"])
    position = state["position"]
    return Position(**{**position, "rows": [EpochMetrics(**row) for row in position["rows"]]})


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint at `path` once the new one is complete on disk.

    Raises:
        OSError: If it cannot be written; the old checkpoint is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: torch.save(state, file))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU. Only tensors and plain values are read, never code.

    Raises:
        ValueError: If the file is not a checkpoint or is damaged.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not a checkpoint, or is damaged") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} is not a checkpoint, or is damaged")
    return state
