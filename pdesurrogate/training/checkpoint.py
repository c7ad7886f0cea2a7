"""Where a training stands: written so that the last good state survives any interruption."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from pdesurrogate.files import replaced_atomically, write_atomically
from pdesurrogate.training.distributed import Ranks
from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.learner import Learner
from pdesurrogate.training.stage_report import StageReport
from pdesurrogate.training.validation import Verdict

__all__ = [
    "Position",
    "keep_as",
    "load_best",
    "load_checkpoint",
    "load_snapshot",
    "position_of",
    "restore",
    "save_checkpoint",
    "snapshot",
]


@dataclass
class Position:
    """How far a training has come, in plain numbers.

    Args:
        stage: The stage under way, counted from 0.
        epoch: Finished epochs of the stage.
        batch: Finished batches of the epoch under way.
        step: Finished optimiser steps of the stage.
        steps_before: Optimiser steps of earlier stages.
        loss_sum: Sum of the losses of the epoch's batches so far.
        gradient_norm_sum: Sum of the gradients' norms (before clipping) of the epoch so far.
        seconds: Wall time spent training, over all sessions.
        seconds_before: Wall time of earlier stages.
        rollbacks: How often a loss that was not finite sent the stage back.
        before: The validation with which a stage began that extends another; else None.
        best: The stage's best validation; None before the first.
        best_epoch: The epoch of the stage, counted from 1, after which that was.
        rows: Metrics of each finished epoch, over all stages.
        reports: What each finished stage of a staged training cost and brought.
    """

    stage: int = 0
    epoch: int = 0
    batch: int = 0
    step: int = 0
    steps_before: int = 0
    loss_sum: float = 0.0
    gradient_norm_sum: float = 0.0
    seconds: float = 0.0
    seconds_before: float = 0.0
    rollbacks: int = 0
    before: Verdict | None = None
    best: Verdict | None = None
    best_epoch: int = 0
    rows: list[EpochMetrics] = field(default_factory=list)
    reports: list[StageReport] = field(default_factory=list)

    @property
    def epochs_begun(self) -> int:
        """Epochs of all stages, the one under way among them."""
        return len(self.rows) + (self.batch > 0)

    @property
    def is_at_its_beginning(self) -> bool:
        """Whether nothing has been done of the stage yet, not even a validation."""
        return self.step == 0 and self.best is None

    def finish_batch(self, loss: float, gradient_norm: float) -> None:
        """Count a finished optimiser step."""
        self.batch += 1
        self.step += 1
        self.loss_sum += loss
        self.gradient_norm_sum += gradient_norm

    def finish_epoch(self, row: EpochMetrics) -> None:
        """Count a finished epoch."""
        self.epoch += 1
        self.batch, self.loss_sum, self.gradient_norm_sum = 0, 0.0, 0.0
        self.rows.append(row)

    def judge(self, verdict: Verdict) -> bool:
        """Compare a validation with the stage's best: fewest broken rollouts, then least error.

        Returns:
            Whether it is better than all before.
        """
        if self.best is not None and verdict >= self.best:
            return False
        self.best, self.best_epoch = verdict, self.epoch + (self.batch > 0)
        return True

    def next_stage(self) -> Position:
        """The beginning of the stage after this one."""
        return Position(
            stage=self.stage + 1,
            steps_before=self.steps_before + self.step,
            seconds=self.seconds,
            seconds_before=self.seconds,
            rows=self.rows,
            reports=self.reports,
        )


def snapshot(
    learner: Learner, position: Position, dataset: Mapping[str, Any], ranks: Ranks
) -> dict[str, Any]:
    """Everything on which the rest of the training depends, as tensors and plain values.

    Every process takes it; that of rank 0 is whole.

    Args:
        learner: The network and all that changes while it learns.
        position: How far the training has come.
        dataset: Identity of the dataset, so that it is not continued on another one.
        ranks: The processes, each of which has random states of its own.
    """
    device = learner.surrogate.device
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {
        "dataset": dict(dataset),
        **learner.state_dict(),
        "position": _plain(position),
        "random_states": ranks.gathered({"cpu": torch.get_rng_state(), "cuda": cuda}),
    }


def restore(
    state: Mapping[str, Any], learner: Learner, dataset: Mapping[str, Any], ranks: Ranks, path: Path
) -> Position:
    """Put a snapshot back in place.

    Args:
        state: From `load_snapshot`.
        learner: Receives weights and optimiser.
        dataset: Identity of the dataset now.
        ranks: The processes. With as many as before every random number is the same.
        path: Where the state was read.

    Raises:
        ValueError: If it was made on another dataset, or for another network.
    """
    for key, value in dataset.items():
        found = state["dataset"].get(key)
        if found != value:
            raise ValueError(
                f"{path} was made on another dataset: its {key} was {found}, now it is {value}"
            )
    was_sharded = any(isinstance(name, str) for name in state["optimiser"].get("state", ["name"]))
    if was_sharded != learner.is_sharded:
        how = "several processes and --shard true" if was_sharded else "--shard false"
        raise ValueError(f"{path} was made with {how}: resume it so")
    try:
        learner.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} was made with another network: {reason}") from error
    states, device = state["random_states"], learner.surrogate.device
    if len(states) == ranks.size:
        torch.set_rng_state(states[ranks.rank]["cpu"])
        if device.type == "cuda" and states[ranks.rank]["cuda"] is not None:
            torch.cuda.set_rng_state(states[ranks.rank]["cuda"], device)
    return position_of(state)


def position_of(state: Mapping[str, Any]) -> Position:
    """How far the training of a snapshot had come."""
    told = dict(state["position"])
    for name in ("before", "best"):
        told[name] = None if told[name] is None else Verdict(*told[name])
    told["rows"] = [EpochMetrics(**row) for row in told["rows"]]
    told["reports"] = [StageReport(**report) for report in told["reports"]]
    return Position(**told)


def _plain(position: Position) -> dict[str, Any]:
    told = asdict(position)
    for name in ("before", "best"):
        told[name] = None if told[name] is None else list(told[name])
    return told


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint at `path` once the new one is complete on disk.

    Raises:
        OSError: If it cannot be written; the old checkpoint is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(path, lambda file: torch.save(state, file))
    except RuntimeError as error:  # in which torch buries what the operating system said
        cause = error.__context__
        if not isinstance(cause, OSError):
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error


def keep_as(path: Path, kept: Path) -> None:
    """Keep what is at `path` under another name, too, whatever `path` becomes later.

    Args:
        path: A file that is only ever replaced, never written to.
        kept: The other name, in the same folder; what had it goes.
    """
    with replaced_atomically(kept) as aside:
        try:
            os.link(path, aside)
        except OSError:  # a file system without links
            shutil.copyfile(path, aside)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU. Only tensors and plain values are read, never code.

    Raises:
        ValueError: If the file is not a checkpoint or is damaged.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not a checkpoint, or is damaged") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # torch looks for places beyond the end of cut files
            raise
        raise ValueError(f"{path} is not a checkpoint, or is damaged") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} is not a checkpoint, or is damaged")
    return state


def load_snapshot(path: Path) -> dict[str, Any]:
    """Read a checkpoint that a training can go on from.

    Raises:
        ValueError: If the file is no such checkpoint or is damaged.
    """
    state = load_checkpoint(path)
    if "random_state" in state:
        raise ValueError(f"{path} is of an earlier version, which cannot be resumed: begin anew")
    if not {"dataset", "module", "optimiser", "position", "random_states"} <= state.keys():
        raise ValueError(f"{path} is not a checkpoint, or is damaged")
    try:
        position_of(state)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is of another version, which cannot be resumed here") from error
    return state


def load_best(path: Path) -> dict[str, Any]:
    """Read the weights that validated best, `module`, and after how many epochs, `epoch`.

    Raises:
        ValueError: If the file holds no such weights or is damaged.
    """
    state = load_checkpoint(path)
    if not {"module", "epoch"} <= state.keys():
        raise ValueError(f"{path} is not a checkpoint, or is damaged")
    return state
