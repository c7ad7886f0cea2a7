"""One loop for everything that advances in time: solvers, surrogates, protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor

__all__ = ["repeat", "rollout", "rollout_frames"]

State = TypeVar("State")


def rollout(step: Callable[[State], State], state: State, num_steps: int) -> Iterator[State]:
    """Apply `step` again and again, yielding each new state as it is made.

    The initial state is not yielded: what comes out is predicted, never given.

    Args:
        step: Advances a state by one time step.
        state: Where to start.
        num_steps: How many states to yield.

    Example:
        >>> list(rollout(lambda x: 2 * x, 1, 3))
        [2, 4, 8]
    """
    for _ in range(num_steps):
        state = step(state)
        yield state


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


def repeat(step: Callable[[State], State], times: int) -> Callable[[State], State]:
    """The step that applies `step` `times` times: from solver steps to frames.

    Example:
        >>> repeat(lambda x: 2 * x, 3)(1)
        8
    """

    def repeated(state: State) -> State:
        for _ in range(times):
            state = step(state)
        return state

    return repeated
