"""A step of given length in sub-steps that each trajectory of a batch chooses for itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["MAX_SUBSTEPS", "advance_in_sub_steps", "count_sub_steps"]

MAX_SUBSTEPS = 10_000
"""A flow that asks for more in one step has blown up, and shall be seen to."""

_S = TypeVar("_S", bound=tuple[Any, ...])


def advance_in_sub_steps(
    state: _S, dt: float, rate: Callable[[_S], Tensor], sub_step: Callable[[_S, list[float]], _S]
) -> _S:
    """Advance by `dt`, in sub-steps that end exactly there.

    What is left is divided evenly into as few sub-steps as the rate allows; one is taken, and the
    rate asked again.

    Args:
        state: A named tuple of tensors whose first dimension is the batch.
        dt: Time to advance by.
        rate: Sub-steps per unit of time that each trajectory needs.
        sub_step: Advances every trajectory by a length of its own.
    """
    remaining = [dt] * len(state[0])
    while any(remaining):
        with torch.no_grad():
            rates = rate(state).flatten().tolist()
        taken = [_length(*each) for each in zip(remaining, rates, strict=True)]
        advanced = sub_step(state, taken)
        if not all(taken):  # those that have arrived wait for the others
            moved = torch.tensor(taken, device=state[0].device)[:, None, None] != 0
            pairs = zip(advanced, state, strict=True)
            advanced = type(state)(*(torch.where(moved, new, old) for new, old in pairs))
        state = advanced
        remaining = [
            left - length if left - length > 1e-9 * dt else 0.0
            for left, length in zip(remaining, taken, strict=True)
        ]
    return state


def count_sub_steps(rate: Float[Tensor, "batch 1 1"], dt: float) -> Int[Tensor, " batch"]:
    """How many sub-steps each trajectory asks for in `dt`, were its rate to stay as it is.

    One more than `MAX_SUBSTEPS` stands for all that is more; a rate that is no number asks for one.
    """
    needed = torch.nan_to_num(rate.flatten() * dt, nan=1.0, posinf=1.0).ceil()
    return needed.clamp(1, MAX_SUBSTEPS + 1).long()


def _length(remaining: float, rate: float) -> float:
    """The next of equal sub-steps; not a number if a flow has blown up, which then spreads."""
    if remaining == 0:
        return 0.0
    if not rate * remaining <= MAX_SUBSTEPS:
        return math.nan
    return remaining / max(1, math.ceil(remaining * rate))
