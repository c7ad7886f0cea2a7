"""An average of the weights along the training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from pdesurrogate.training.sharding import copy_whole, whole

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
        self.decay = decay
        self._values = _values(module)
        self._means = {name: value.detach().clone() for name, value in self._values.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the module's weights after optimiser step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in self._values.items():
            if isinstance(value, nn.Parameter):
                self._means[name].lerp_(value, 1 - decay)
            else:
                self._means[name].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While this lasts, the module has the average's weights."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state_dict(self) -> dict[str, Tensor]:
        """The average's weights by name, as the module's state has them."""
        return {name: whole(mean) for name, mean in self._means.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put weights from `state_dict` back in place."""
        for name, mean in self._means.items():
            copy_whole(mean, state[name])

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, value in self._values.items():
            kept = value.detach().clone()
            value.copy_(self._means[name])
            self._means[name].copy_(kept)


def _values(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and the buffers that are saved."""
    saved = module.state_dict(keep_vars=True)
    named = chain(module.named_parameters(), module.named_buffers())
    return {name: value for name, value in named if name in saved}
