"""An average of the weights along the training."""

from __future__ import annotations

import copy

import torch
from torch import nn

__all__ = ["WeightAverage"]


class WeightAverage:
    r"""Exponential moving average of a module's weights.

    $$ \bar\theta \leftarrow \beta_s \bar\theta + (1 - \beta_s)\,\theta, \qquad
       \beta_s = \min\Big(\beta, \frac{1 + s}{10 + s}\Big) $$

    The decay grows with the step so that a short training is not averaged with its start. Buffers
    are copied.

    Args:
        module: The module being trained; its present weights are the first average.
        decay: $\beta$, in (0, 1).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after optimiser step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for mean, weight in zip(self.module.parameters(), module.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
        for kept, buffer in zip(self.module.buffers(), module.buffers(), strict=True):
            kept.copy_(buffer)
