"""How an evaluation is cut into pieces that are computed, kept and put together one by one."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pdesurrogate.evaluation.entries import Entry
from pdesurrogate.evaluation.plan import Plan
from pdesurrogate.evaluation.protocols import TransferProtocol

__all__ = ["Combination", "Piece", "combinations", "cut"]

_BATCH_BYTES = 256 * 2**20
_LARGEST_BATCH = 16
_FRAMES_IN_USE = 64
"""Room that a step takes, in frames: a network's activations, and scores in double precision."""


@dataclass(frozen=True)
class Combination:
    """An entry and the protocol that it is run under."""

    entry: Entry
    protocol: TransferProtocol

    def __reduce__(self) -> tuple[Callable[[bytes], Combination], tuple[bytes]]:
        """Copied as a whole on its way to another process: torch would share its weights' memory.

        Raises:
            ValueError: If it cannot be copied.
        """
        try:
            copied = pickle.dumps((self.entry, self.protocol))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"{self.entry.label.name}, {self.protocol.name} cannot be sent to another process "
                f"({error}); evaluate with one worker"
            ) from error
        return _received, (copied,)


def _received(copied: bytes) -> Combination:
    return Combination(*pickle.loads(copied))


@dataclass(frozen=True)
class Piece:
    """A batch of trajectories on one rung, rolled out in one way, or their truth.

    Args:
        resolution: The rung.
        trajectories: Positions along `trajectory`, and rows of the split.
        combination: Who rolls out, and how; None for what is known of the truth.
        example: Position in the batch of the trajectory whose fields are kept; None for none.
    """

    resolution: int
    trajectories: slice
    combination: Combination | None
    example: int | None

    @property
    def what(self) -> str:
        """In words; the same for all batches."""
        if self.combination is None:
            return f"truth at {self.resolution}"
        name, protocol = self.combination.entry.label.name, self.combination.protocol.name
        return f"{name}, {protocol} at {self.resolution}"

    @property
    def file(self) -> str:
        """Name of a file for it, unique in the evaluation."""
        readable = re.sub(r"[^A-Za-z0-9]+", "-", self.what)
        unique = hashlib.sha256(self.what.encode()).hexdigest()[:8]
        return f"{readable}_{unique}_{self.trajectories.start:05d}.nc"


def cut(plan: Plan, example_trajectory: int, batch_size: int | None) -> list[Piece]:
    """The pieces of an evaluation, in the order in which they are begun.

    Args:
        plan: What to do.
        example_trajectory: Index in the split of the trajectory whose fields are kept.
        batch_size: Trajectories stepped at once; None for as many as `evaluate` says.
    """
    pieces = []
    for resolution in plan.resolutions:
        for batch in _batches(plan, resolution, batch_size):
            indices = plan.trajectories[batch]
            is_here = example_trajectory in indices
            shown = indices.index(example_trajectory) if is_here else None
            pieces.append(Piece(resolution, batch, None, shown))
            pieces += [
                Piece(resolution, batch, each, shown if _is_shown(each.entry) else None)
                for each in combinations(plan, resolution)
            ]
    return pieces


def combinations(plan: Plan, resolution: int) -> list[Combination]:
    """What is run on a rung."""
    return [
        Combination(entry, protocol)
        for entry in plan.entries
        for protocol in plan.protocols
        if plan.takes_part(entry, protocol, resolution)
    ]


def _is_shown(entry: Entry) -> bool:
    return entry.is_forecast and entry.label.model != "persistence"


def _batches(plan: Plan, resolution: int, batch_size: int | None) -> list[slice]:
    """Positions along `trajectory` of the batches, so small that a step fits in memory."""
    points: Any = np.prod(plan.data.grid(resolution).num_points)
    frames = plan.history + _FRAMES_IN_USE
    trajectory_bytes = int(4 * points * frames * len(plan.loaded_fields))
    size = batch_size or min(max(_BATCH_BYTES // trajectory_bytes, 1), _LARGEST_BATCH)
    count = len(plan.trajectories)
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]
