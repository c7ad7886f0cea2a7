"""What a user chooses of a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from numbers import Integral, Real
from typing import Literal, get_args

import torch

from pdesurrogate.training.losses import FrameLoss, MeanSquare
from pdesurrogate.training.objectives import Objective, OneStep

__all__ = ["Precision", "Stage", "TrainingConfig"]

Precision = Literal["float32", "tf32", "bf16"]
"""How a network computes; its weights are float32 in any case."""


@dataclass(frozen=True)
class Stage:
    """One part of a staged training: a rung, and for how long.

    Args:
        resolution: The rung. In the first stage that of the training, later ever finer ones, for
            which the network is extended by finer levels that start as the exact embedding.
        epochs: Passes over the stage's windows.
        trajectories: Training trajectories that are used, the first ones; None for all.
        freeze: Whether the weights of earlier stages stay as they are.
        learning_rate: Peak rate of the stage; None for that of the training.
        width: Channels of the finer levels that are added.

    Raises:
        ValueError: If a number is below 1.
    """

    resolution: int
    epochs: int
    trajectories: int | None = None
    freeze: bool = False
    learning_rate: float | None = None
    width: int = 32

    def __post_init__(self) -> None:
        for name in ("resolution", "epochs", "trajectories", "width"):
            value = getattr(self, name)
            if value is None and name == "trajectories":
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise ValueError(f"{name} of a stage must be a whole number, got {value!r}")
            if value < 1:
                raise ValueError(f"{name} of a stage must be at least 1, got {value}")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate of a stage must be positive, got {self.learning_rate}")


@dataclass(frozen=True)
class TrainingConfig:
    """What a user chooses of a training, besides model, data and resolution.

    The defaults suit networks of about half a million parameters at 32 x 32 points on a CPU.

    Args:
        epochs: Passes over the training windows.
        batch_size: Windows per optimiser step, over all processes; the last batch of an epoch may
            be smaller. Of 8 and 16 the smaller one learns more in as many epochs.
        accumulation: Pieces in which a batch is computed, one after the other, to save memory; the
            result is that of the whole batch up to rounding.
        learning_rate: AdamW's rate at the end of the warm-up; None for the model's own.
        slows_wide_layers: Whether layers of more than 1728 inputs (192 channels and nine points)
            learn at a rate that is lower in proportion, so that a network may be made wider and
            keep its rate; see `pdesurrogate.training.optimiser`.
        weight_decay: AdamW's decay of the weights; biases and other vectors are not decayed.
        warmup: Share of all optimiser steps during which the rate rises linearly.
        min_learning_rate: Rate at the end of the cosine.
        gradient_clip: Greatest norm of the whole gradient; None leaves it alone. Without it one
            training in two of a small network was seen to diverge.
        ema_decay: Decay of the weights' exponential moving average, which is then what is
            validated and kept; None for none.
        frame_stride: Train in steps of every so many stored frames. Training windows begin at any
            stored frame, rollouts of the validation at the first.
        history: Frames given to the network.
        bundle: Frames that the network predicts at once.
        objective: Which predictions are made in training and which gradients flow; a class of
            `pdesurrogate.training.objectives`.
        loss: How predicted frames are compared with true ones; a class of
            `pdesurrogate.training.losses`.
        noise: Standard deviation of the noise that is added to the given frames in training, in
            units of each field's change over one step.
        level_loss: Weight of the errors of a U-Net's coarser levels, each read off by a linear map
            of its own that is dropped after the training; 0 for none.
        mixture: Share of the batches that is taken from each rung, such as `{32: 0.75, 64: 0.25}`;
            None for the trained rung alone.
        stages: Parts of a staged training on ever finer rungs, which then replace `epochs`; None
            for a training in one go.
        predicts_change: Whether the network predicts the change of the last frame or the next
            frame itself.
        sees_transport: Whether the network sees where the flow of the last frame takes it, and
            predicts what that misses; see `pdesurrogate.surrogate.CarriedFrame`. For fields of
            which the equation knows what carries them.
        fields: Names of the predicted fields in channel order; None for the prognostic ones.
        conditioning: Names of parameters that differ from trajectory to trajectory, and of static
            fields, that the network is told as further input channels; None for all that the
            dataset has but random seeds, an empty list for none.
        validation_steps: Frames of the validation rollouts, which choose the best epoch: of those
            with the fewest rollouts that blow up, the one with the least error.
        validation_lead: The frame of the rollouts whose error counts; None for the mean over all.
        validation_windows: Greatest number of validation rollouts.
        patience: Epochs without a new best one after which the training ends; None to go on.
        rollbacks: How often, at most, a loss that is not finite, or an epoch's that is ten times
            that of the one before and higher than any, sends a stage back to the beginning of the
            epoch, to go on at half the rate. The last one is kept for what is not finite.
        time_budget: Seconds of training, over all sessions, after which it ends with the best
            weights so far; None for no limit.
        seed: Determines the initial weights and the order of the windows.
        device: Where to train: cpu, cuda or cuda:0. Under `torchrun` every process takes the GPU of
            its local rank.
        precision: float32, tf32 or bf16; None for float32 on a CPU and tf32 on a GPU.
        compile: Whether the network is compiled by `torch.compile`.
        shard: Whether several processes share the weights and the optimiser's state between them
            (FSDP) instead of each holding all (DDP).
        trackers: Where else the metrics go: `tensorboard`, `wandb`.
        checkpoint_seconds: Write a checkpoint when the last one is older, besides the one at the
            end of each epoch; None for 60, but none while all writing takes more than a hundredth
            of the time.

    Raises:
        ValueError: If a value is outside its range.
    """

    epochs: int = 20
    batch_size: int = 8
    accumulation: int = 1
    learning_rate: float | None = None
    slows_wide_layers: bool = True
    weight_decay: float = 1e-5
    warmup: float = 0.05
    min_learning_rate: float = 1e-6
    gradient_clip: float | None = 1.0
    ema_decay: float | None = None
    frame_stride: int = 1
    history: int = 1
    bundle: int = 1
    objective: Objective = field(default_factory=OneStep)
    loss: FrameLoss = field(default_factory=MeanSquare)
    noise: float = 0.0
    level_loss: float = 0.0
    mixture: dict[int, float] | None = None
    stages: tuple[Stage, ...] | None = None
    predicts_change: bool = True
    sees_transport: bool = False
    fields: tuple[str, ...] | None = None
    conditioning: tuple[str, ...] | None = None
    validation_steps: int = 8
    validation_lead: int | None = None
    validation_windows: int = 64
    patience: int | None = None
    rollbacks: int = 3
    time_budget: float | None = None
    seed: int = 0
    device: str = "cpu"
    precision: Precision | None = None
    compile: bool = False
    shard: bool = False
    trackers: tuple[str, ...] = ()
    checkpoint_seconds: float | None = None

    def __post_init__(self) -> None:
        self._check_types()
        for name in _COUNTS:
            self._require(name, lambda value: value >= 1, "at least 1")
        for name in _NOT_NEGATIVE:
            self._require(name, lambda value: 0 <= value < math.inf, "at least 0")
        self._require("seed", lambda value: value < 2**63, "below 2^63")
        for name in ("learning_rate", "gradient_clip", "time_budget"):
            self._require(name, lambda value: value is None or 0 < value < math.inf, "positive")
        for name in ("patience", "validation_lead"):
            self._require(name, lambda value: value is None or value >= 1, "at least 1")
        seconds = "checkpoint_seconds"
        self._require(seconds, lambda value: value is None or value >= 0, "at least 0")
        self._require("warmup", lambda value: 0 <= value < 1, "at least 0 and below 1")
        self._require("ema_decay", lambda value: value is None or 0 < value < 1, "between 0 and 1")
        self._require("device", _is_device, "cpu, cuda or cuda:N")
        known = get_args(Precision)
        self._require(
            "precision", lambda value: value in (None, *known), f"one of {', '.join(known)}"
        )
        for name in ("fields", "conditioning", "trackers"):
            names = getattr(self, name)
            if names is not None and len(set(names)) < len(names):
                raise ValueError(f"{name} must name each one once, got {list(names)}")
        self._check_together()

    def _check_types(self) -> None:
        """Refuse values of other types, and make plain ones of those that mean the same."""
        for name in (*_COUNTS, "seed", "rollbacks", "patience", "validation_lead"):
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise ValueError(f"{name} must be a whole number, got {value!r}")
            object.__setattr__(self, name, int(value))
        for name in _REALS:
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if isinstance(value, bool) or not isinstance(value, Real):
                raise ValueError(f"{name} must be a number, got {value!r}")
            object.__setattr__(self, name, float(value))
        for name in _SWITCHES:
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be true or false, got {value!r}")
        for name in ("fields", "conditioning", "trackers", "stages"):
            value = getattr(self, name)
            if isinstance(value, str) or (value is None and name == "trackers"):
                raise ValueError(f"{name} must be a list, got {value!r}")
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        for name, kind in (("objective", Objective), ("loss", FrameLoss)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise ValueError(f"{name} must be a {kind.__name__}, got {value!r}")
        for stage in self.stages or ():
            if not isinstance(stage, Stage):
                raise ValueError(f"stages must be made of Stage(...), got {stage!r}")
        if self.mixture is not None and not isinstance(self.mixture, dict):
            raise ValueError(f"mixture must be a dictionary of shares, got {self.mixture!r}")

    def _check_together(self) -> None:
        """Refuse choices that contradict each other."""
        if self.fields == ():
            raise ValueError("fields must name at least one field, got []")
        if self.learning_rate is not None and self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate {self.min_learning_rate:g} is above "
                f"learning_rate {self.learning_rate:g}"
            )
        if self.accumulation > self.batch_size:
            raise ValueError(
                f"accumulation {self.accumulation} is more pieces than a batch of "
                f"{self.batch_size} windows has"
            )
        if self.validation_lead is not None and self.validation_lead > self.validation_steps:
            raise ValueError(
                f"validation_lead {self.validation_lead} lies beyond the "
                f"{self.validation_steps} validation_steps"
            )
        if self.sees_transport and self.bundle > 1:
            raise ValueError(
                f"with sees_transport bundle must be 1, got {self.bundle}: one frame is carried"
            )
        if self.sees_transport and not self.predicts_change:
            raise ValueError(
                "with sees_transport predicts_change must be true: what is learned is what "
                "transport misses"
            )
        if self.level_loss > 0 and self.compile:
            raise ValueError("level_loss looks into the network, which compile closes: choose one")
        if self.level_loss > 0 and self.shard:
            raise ValueError("level_loss and shard exclude each other: heads are not shared out")
        if self.mixture is not None:
            _check_mixture(self.mixture)
        if self.stages is not None:
            if self.mixture is not None:
                raise ValueError("stages and mixture exclude each other: a stage has one rung")
            _check_stages(self.stages)

    def _require(self, name: str, accepts: Callable[..., bool], range_: str) -> None:
        value = getattr(self, name)
        if not accepts(value):
            raise ValueError(f"{name} must be {range_}, got {value!r}")


_COUNTS = (
    "epochs",
    "batch_size",
    "accumulation",
    "frame_stride",
    "history",
    "bundle",
    "validation_steps",
    "validation_windows",
)
_REALS = (
    "learning_rate",
    "weight_decay",
    "warmup",
    "min_learning_rate",
    "gradient_clip",
    "ema_decay",
    "noise",
    "level_loss",
    "time_budget",
    "checkpoint_seconds",
)
_OPTIONAL = (
    "patience",
    "validation_lead",
    "learning_rate",
    "gradient_clip",
    "ema_decay",
    "time_budget",
    "checkpoint_seconds",
)
_SWITCHES = ("slows_wide_layers", "predicts_change", "sees_transport", "compile", "shard")
_NOT_NEGATIVE = (
    "seed",
    "weight_decay",
    "min_learning_rate",
    "noise",
    "level_loss",
    "rollbacks",
)


def _check_mixture(mixture: dict[int, float]) -> None:
    if not mixture or any(not share > 0 for share in mixture.values()):
        raise ValueError(f"mixture must give every rung a positive share, got {mixture}")
    if not math.isclose(sum(mixture.values()), 1.0, abs_tol=1e-6):
        raise ValueError(
            f"the shares of mixture must add up to 1, those of {mixture} make "
            f"{sum(mixture.values()):g}"
        )


def _check_stages(stages: tuple[Stage, ...]) -> None:
    if not stages:
        raise ValueError("stages must name at least one stage, got []")
    rungs = [stage.resolution for stage in stages]
    if any(finer < coarser for coarser, finer in pairwise(rungs)):
        raise ValueError(f"stages must go from coarse to fine rungs, got {rungs}")
    if stages[0].freeze:
        raise ValueError("the first of the stages has nothing to freeze")


def _is_device(name: object) -> bool:
    try:
        return isinstance(name, str) and torch.device(name).type in ("cpu", "cuda")
    except RuntimeError:
        return False
