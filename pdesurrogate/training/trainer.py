"""The training loop."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW, Optimizer

from pdesurrogate.data import Ladder
from pdesurrogate.models import ModelSpec
from pdesurrogate.progress import progress_display
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training.averaging import WeightAverage
from pdesurrogate.training.batches import Batches
from pdesurrogate.training.checkpoint import (
    Position,
    load_checkpoint,
    restore,
    save_checkpoint,
    snapshot,
)
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.interruption import Interruption
from pdesurrogate.training.objectives import Objective
from pdesurrogate.training.preparation import (
    bound_loss,
    check_fit,
    completed,
    dataset_identity,
    rollout_validation,
    run_settings,
    unsaid_settings,
    untrained_surrogate,
    window_source,
)
from pdesurrogate.training.run_directory import RunDirectory
from pdesurrogate.training.schedule import WarmupCosine
from pdesurrogate.training.validation import RolloutValidation

__all__ = ["NonFiniteLossError", "train"]

log = logging.getLogger(__name__)


class NonFiniteLossError(ValueError):
    """The loss or its gradient left the finite numbers."""


def train(
    spec: ModelSpec,
    data: Ladder,
    resolution: int,
    out: str | os.PathLike[str],
    config: TrainingConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Surrogate:
    """Train a model on one rung of a ladder.

    The same arguments give the same weights, bit for bit, on one machine's CPU; also when the
    training was interrupted (Ctrl-C, a crash, a power cut) and resumed.

    Args:
        spec: The model.
        data: The dataset.
        resolution: The rung to train on.
        out: Run directory; it receives `config.yaml`, `model.safetensors`, `surrogate.json`,
            `metrics.csv` and `checkpoint/`.
        config: How to train; None for the defaults.
        resume: Continue the run in `out` from its last checkpoint, or start it if there is none.
        overwrite: Replace the run in `out`.

    Returns:
        The surrogate with the weights that did best on the validation rollouts, as saved in `out`.

    Raises:
        ValueError: If the arguments do not fit the data, the machine or the directory.
        NonFiniteLossError: If the loss or its gradient becomes infinite or NaN. The checkpoints
            hold finite weights.
        KeyboardInterrupt: On Ctrl-C, after the step under way and a checkpoint.
    """
    if not isinstance(spec, ModelSpec):  # a network's class is an easy mistake
        raise ValueError(
            f"train needs a ModelSpec such as MultiResNet(), got {spec!r}; "
            "a network of your own is given as pdesurrogate.models.user_model.UserModel.of(MyNet)"
        )
    config = config or TrainingConfig()
    data = data.strided(config.frame_stride)
    config = completed(config, spec, data)
    objective = config.objective
    check_fit(data, resolution, config, objective.num_steps)
    run = RunDirectory(Path(out))
    settings, dataset = run_settings(spec, data, resolution, config), dataset_identity(data)
    run.check(settings, resume=resume, overwrite=overwrite, unsaid=unsaid_settings(spec, config))
    device = torch.device(config.device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        surrogate = untrained_surrogate(spec, data, resolution, config, run.path.resolve().name)
        # Nothing is written before it is known that there is a network to train.
        run.prepare(settings, dataset, overwrite=overwrite)
        windows = window_source(data, resolution, config, objective.num_steps)
        _optimise(
            surrogate,
            objective,
            Batches(windows, config.batch_size, config.seed),
            rollout_validation(data, resolution, config),
            run,
            config,
            dataset,
        )
    return _finished(surrogate, run)


def _optimise(
    surrogate: Surrogate,
    objective: Objective,
    batches: Batches,
    validate: RolloutValidation,
    run: RunDirectory,
    config: TrainingConfig,
    dataset: Mapping[str, Any],
) -> None:
    """The loop, from the last checkpoint (if there is one) to the last epoch."""
    assert config.learning_rate is not None  # `train` filled in the model's own
    module = surrogate.module
    optimiser = _optimiser(module, config.learning_rate, config.weight_decay)
    num_steps = config.epochs * len(batches)
    schedule = WarmupCosine(
        peak=config.learning_rate,
        floor=config.min_learning_rate,
        warmup_steps=round(config.warmup * num_steps),
        num_steps=num_steps,
    )
    average = None if config.ema_decay is None else WeightAverage(module, config.ema_decay)
    judged = surrogate if average is None else Surrogate(average.module, surrogate.info)
    position = Position()
    if run.last.exists():
        position = restore(run.last, module, optimiser, average, dataset)
    clock = _Clock(position.seconds)
    compare = bound_loss(surrogate, config, surrogate.info.training_grid)

    def checkpoint() -> None:
        position.seconds = clock.seconds()
        save_checkpoint(run.last, snapshot(module, optimiser, average, position, dataset))
        clock.checkpointed()

    with (
        Interruption() as interruption,
        progress_display(
            f"training {surrogate.info.name}", num_steps, log, done=position.step
        ) as progress,
    ):
        while position.epoch < config.epochs:
            module.train()
            for windows in batches.epoch(position.epoch, first=position.batch):
                for group in optimiser.param_groups:
                    group["lr"] = schedule(position.step)
                optimiser.zero_grad()
                given, following = windows.tensor_split([config.history], dim=1)
                loss = objective(surrogate.step, given, following, compare)
                loss.backward()
                norm = clip_grad_norm_(module.parameters(), config.gradient_clip or math.inf)
                _require_finite(loss.item(), norm.item(), position, run)
                optimiser.step()
                if average is not None:
                    average.update(module, position.step)
                position.finish_batch(loss.item(), norm.item())
                progress.step()
                if interruption.requested or clock.since_checkpoint() > config.checkpoint_seconds:
                    checkpoint()
                interruption.raise_if_requested()

            judged.module.eval()
            rollout_error, one_step_error = validate(judged)
            row = EpochMetrics(
                epoch=position.epoch + 1,
                step=position.step,
                train_loss=position.loss_sum / len(batches),
                valid_one_step=one_step_error,
                valid_rollout=rollout_error,
                learning_rate=schedule(position.step - 1),
                gradient_norm=position.gradient_norm_sum / len(batches),
                seconds=clock.seconds(),
            )
            # A checkpoint of an epoch names its best one: the best must be on disk before it.
            if position.finish_epoch(row):
                best = {"module": judged.module.state_dict(), "epoch": position.epoch}
                save_checkpoint(run.best, best)
            checkpoint()
            run.write_metrics(position.rows)
            progress.say(f"epoch {row.epoch}/{config.epochs}: {row}")
            interruption.raise_if_requested()


def _optimiser(module: nn.Module, learning_rate: float, weight_decay: float) -> Optimizer:
    """AdamW that decays matrices and kernels only."""
    parameters = list(module.parameters())
    return AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=learning_rate,
        # One kernel for all parameters instead of a dozen for each; it knows no complex numbers.
        fused=not any(p.is_complex() for p in parameters),
    )


def _require_finite(loss: float, norm: float, position: Position, run: RunDirectory) -> None:
    """Stop before the optimiser takes a step that would destroy the weights."""
    if math.isfinite(loss) and math.isfinite(norm):
        return
    kept = f"{run.last} holds the last good state" if run.last.exists() else "no checkpoint yet"
    raise NonFiniteLossError(
        f"the loss became {loss:g} and its gradient's norm {norm:g} in epoch "
        f"{position.epoch + 1}, step {position.step + 1}: lower the learning_rate or the "
        f"gradient_clip ({kept})"
    )


def _finished(surrogate: Surrogate, run: RunDirectory) -> Surrogate:
    """The best weights, frozen, saved in the run."""
    best, last = load_checkpoint(run.best), load_checkpoint(run.last)
    surrogate.module.load_state_dict(best["module"])
    info = replace(
        surrogate.info,
        epochs=best["epoch"],
        training_seconds=last["position"]["seconds"],
    )
    finished = Surrogate(surrogate.module.eval().requires_grad_(False), info)
    finished.save(run.path)
    return finished


class _Clock:
    """Wall time of a training over all its sessions, and since its last checkpoint."""

    def __init__(self, seconds_before: float) -> None:
        self._start = time.perf_counter() - seconds_before
        self.checkpointed()

    def seconds(self) -> float:
        return time.perf_counter() - self._start

    def since_checkpoint(self) -> float:
        return time.perf_counter() - self._checkpoint

    def checkpointed(self) -> None:
        self._checkpoint = time.perf_counter()
