"""The loop over windows of frames, for surrogates that predict one frame or several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.rollout import rollout

__all__ = ["rollout_frames"]


def rollout_frames(
    step: Callable[[Tensor], Tensor],
    window: Float[Tensor, "batch time channel y x"],
    num_frames: int,
    bundle: int = 1,
) -> Iterator[Float[Tensor, "batch channel y x"]]:
    """Apply a step of windows again and again, yielding each new frame, one after the other.

    Args:
        step: Advances a window by `bundle` frames, the last ones of what it returns.
        window: Where to start.
        num_frames: How many frames to yield; what the last step predicts beyond them is dropped.
        bundle: Frames that a step predicts at once.

    Example:
        >>> import torch
        >>> def count_on(window):
        ...     return window[:, -1:] + torch.arange(1, 4).reshape(3, 1, 1, 1)
        >>> frames = rollout_frames(count_on, torch.zeros(1, 1, 1, 1, 1), 5, bundle=3)
        >>> [int(frame) for frame in frames]
        [1, 2, 3, 4, 5]
    """
    windows = rollout(step, window, -(-num_frames // bundle))
    frames = (frame for latest in windows for frame in latest[:, -bundle:].unbind(1))
    return islice(frames, num_frames)
