"""What a user chooses of a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

__all__ = ["TrainingConfig"]


@dataclass(frozen=True)
class TrainingConfig:
    """What a user chooses of a training, besides model, data and resolution.

    The defaults suit networks of about half a million parameters at 32 x 32 points on a CPU.

    Args:
        epochs: Passes over the training windows.
        batch_size: Windows per optimiser step; the last batch of an epoch may be smaller.
        learning_rate: AdamW's rate at the end of the warm-up; None for the model's own.
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
        unroll: Steps predicted in a row during training; 1 is one-step training.
        predicts_change: Whether the network predicts the change of the last frame or the next
            frame itself.
        fields: Names of the predicted fields in channel order; None for the prognostic ones.
        conditioning: Names of parameters that differ from trajectory to trajectory, and of static
            fields, that the network is told as further input channels; None for all that the
            dataset has but random seeds, an empty list for none.
        validation_steps: Frames of the validation rollouts, whose mean error chooses the best
            epoch.
        validation_windows: Greatest number of validation rollouts.
        seed: Determines the initial weights and the order of the windows.
        device: Where to train: cpu, cuda or cuda:0.
        checkpoint_seconds: Write a checkpoint when the last one is older, besides the one at the
            end of each epoch.

    Raises:
        ValueError: If a value is outside its range.
    """

    epochs: int = 20
    batch_size: int = 16
    learning_rate: float | None = None
    weight_decay: float = 1e-5
    warmup: float = 0.05
    min_learning_rate: float = 1e-6
    gradient_clip: float | None = 1.0
    ema_decay: float | None = None
    frame_stride: int = 1
    history: int = 1
    unroll: int = 1
    predicts_change: bool = True
    fields: tuple[str, ...] | None = None
    conditioning: tuple[str, ...] | None = None
    validation_steps: int = 8
    validation_windows: int = 64
    seed: int = 0
    device: str = "cpu"
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in (
            "epochs",
            "batch_size",
            "frame_stride",
            "history",
            "unroll",
            "validation_steps",
            "validation_windows",
        ):
            self._require(name, lambda value: value >= 1, "at least 1")
        for name in ("seed", "checkpoint_seconds", "weight_decay", "min_learning_rate"):
            self._require(name, lambda value: value >= 0, "at least 0")
        if self.learning_rate is not None:
            self._require("learning_rate", lambda value: 0 < value < math.inf, "positive")
        self._require("warmup", lambda value: 0 <= value < 1, "at least 0 and below 1")
        if self.gradient_clip is not None:
            self._require("gradient_clip", lambda value: value > 0, "positive")
        if self.ema_decay is not None:
            self._require("ema_decay", lambda value: 0 < value < 1, "between 0 and 1")
        if self.learning_rate is not None and self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate {self.min_learning_rate:g} is above "
                f"learning_rate {self.learning_rate:g}"
            )
        if self.fields is not None:
            object.__setattr__(self, "fields", tuple(self.fields))
            if not self.fields or len(set(self.fields)) < len(self.fields):
                raise ValueError(f"fields must name each field once, got {list(self.fields)}")
        if self.conditioning is not None:
            object.__setattr__(self, "conditioning", tuple(self.conditioning))
            if len(set(self.conditioning)) < len(self.conditioning):
                raise ValueError(
                    f"conditioning must name each quantity once, got {list(self.conditioning)}"
                )
        self._require("device", _is_device, "cpu, cuda or cuda:N")

    def _require(self, name: str, accepts: Callable[..., bool], range_: str) -> None:
        value = getattr(self, name)
        if not accepts(value):
            raise ValueError(f"{name} must be {range_}, got {value!r}")


def _is_device(name: str) -> bool:
    try:
        return torch.device(name).type in ("cpu", "cuda")
    except RuntimeError:
        return False
