"""One loop for everything that advances in time: solvers, surrogates, protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

__all__ = ["repeat", "rollout"]

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
