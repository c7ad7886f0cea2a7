"""What a training minimises: objectives are functions of a step and a batch of windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.rollout import rollout

__all__ = ["Objective", "OneStep", "Step", "Unrolled", "frame_loss", "loss_scale"]

Step = Callable[[Tensor], Tensor]
"""Advances a window `(batch, time, channel, y, x)` by one frame, differentiably."""


@runtime_checkable
class Objective(Protocol):
    """How far the predictions from the given frames of a batch are from the frames that follow.

    An objective is called with a step, windows of `history + horizon` frames, and each field's
    scale; it returns the mean loss of the batch. Channels beyond the fields are conditions, which
    nobody predicts.
    """

    @property
    def horizon(self) -> int:
        """Frames that it needs after the given ones."""

    def __call__(
        self,
        step: Step,
        windows: Float[Tensor, "batch time channel y x"],
        scale: Float[Tensor, " field #y #x"],
    ) -> Float[Tensor, ""]:
        """Mean loss over the batch, in units of `scale` squared."""


def frame_loss(
    prediction: Float[Tensor, "*lead channel y x"],
    truth: Float[Tensor, "*lead channel y x"],
    scale: Float[Tensor, " field #y #x"],
) -> Float[Tensor, ""]:
    r"""Mean square error in units of each field's `scale`: the mean of $((p - y) / s)^2$.

    With the standard deviation of the frame-to-frame change as scale, predicting no change at all
    costs 1 for every field, whatever its unit. Channels beyond those of `scale` do not count.
    """
    fields = slice(len(scale))
    return ((prediction - truth)[..., fields, :, :] / scale).square().mean()


def loss_scale(
    change_std: Float[Tensor, "field 1 1"], grid: Grid
) -> Float[Tensor, "field rows columns"]:
    r"""The scale by which `frame_loss` is a mean over the area, $\sigma / \sqrt{N w}$.

    With quadrature weights `w` of sum 1 over `N` points. On a box all points weigh the same.

    Args:
        change_std: Each field's own scale.
        grid: Where the fields are sampled.
    """
    weights = torch.tensor(grid.quadrature_weights * math.prod(grid.num_points))
    if torch.allclose(weights, torch.ones_like(weights), rtol=1e-12, atol=0):
        return change_std
    return change_std / weights.sqrt().to(change_std)


@dataclass(frozen=True)
class OneStep:
    """The error of the first predicted frame."""

    @property
    def horizon(self) -> int:
        """One frame."""
        return 1

    def __call__(
        self,
        step: Step,
        windows: Float[Tensor, "batch time channel y x"],
        scale: Float[Tensor, " field #y #x"],
    ) -> Float[Tensor, ""]:
        """Mean square error of one step from the given frames."""
        return frame_loss(step(windows[:, :-1])[:, -1], windows[:, -1], scale)


@dataclass(frozen=True)
class Unrolled:
    """The error of several steps in a row, each from the one before, with the full gradient.

    Args:
        num_steps: Steps; with 1 it is `OneStep`.

    References:
        List, Chen & Thuerey (2025), *Differentiability in unrolled training of neural physics
        simulators on transient dynamics*.
    """

    num_steps: int

    @property
    def horizon(self) -> int:
        """As many frames as steps."""
        return self.num_steps

    def __call__(
        self,
        step: Step,
        windows: Float[Tensor, "batch time channel y x"],
        scale: Float[Tensor, " field #y #x"],
    ) -> Float[Tensor, ""]:
        """Mean square error over the frames of the rollout."""
        given, following = windows[:, : -self.num_steps], windows[:, -self.num_steps :]
        losses = [
            frame_loss(window[:, -1], truth, scale)
            for window, truth in zip(
                rollout(step, given, self.num_steps), following.unbind(1), strict=True
            )
        ]
        return sum(losses[1:], losses[0]) / self.num_steps
