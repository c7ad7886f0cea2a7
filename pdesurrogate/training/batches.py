"""Training windows in batches, in an order that depends on seed and epoch only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

__all__ = ["Batches", "FramesInMemory", "WindowSource", "WindowsOnDisk"]

# The underscores say that the last batch of an epoch may be smaller than the others.
WindowBatch = Float[Tensor, "_batch time channel y x"]
WindowNumbers = Int[Tensor, " _batch"]


@runtime_checkable
class WindowSource(Protocol):
    """A split's windows, numbered by trajectory and, within it, by first frame."""

    def __len__(self) -> int: ...

    def read(self, batches: Iterable[WindowNumbers]) -> Iterator[WindowBatch]:
        """The windows of each batch of numbers."""


class FramesInMemory:
    """Windows cut out of frames that are held in memory, on the device where they are wanted.

    Args:
        frames: All frames of a split.
        length: Frames per window.
        conditions: What is the same in every frame of a trajectory, held once; in the windows it
            follows the fields as further channels.
        frame_stride: Every how many frames a window takes one; it starts at any.
    """

    def __init__(
        self,
        frames: Float[Tensor, "trajectory time field y x"],
        length: int,
        conditions: Float[Tensor, "trajectory condition y x"] | None = None,
        frame_stride: int = 1,
    ) -> None:
        self.frames = frames
        self.conditions = conditions
        self.starts = frames.shape[1] - (length - 1) * frame_stride
        self.offsets = frame_stride * torch.arange(length)

    def __len__(self) -> int:
        return self.frames.shape[0] * self.starts

    def read(self, batches: Iterable[WindowNumbers]) -> Iterator[WindowBatch]:
        """Gather each batch."""
        for numbers in batches:
            trajectories = (numbers // self.starts)[:, None]
            times = (numbers % self.starts)[:, None] + self.offsets
            windows = self.frames[trajectories, times]
            if self.conditions is not None:
                constant = self.conditions[trajectories].expand(-1, len(self.offsets), -1, -1, -1)
                windows = torch.cat([windows, constant], dim=2)
            yield windows


class WindowsOnDisk:
    """Windows read from the shards when they are wanted.

    Args:
        windows: The split's windows, in the order of `FramesInMemory`.
        device: Where they are wanted.
    """

    def __init__(self, windows: Dataset[Tensor], device: torch.device) -> None:
        self.windows = windows
        self.device = device

    def __len__(self) -> int:
        return len(self.windows)  # type: ignore[arg-type]  # map-style datasets are sized

    def read(self, batches: Iterable[WindowNumbers]) -> Iterator[WindowBatch]:
        """Read each batch."""
        loader = DataLoader(
            self.windows,
            batch_sampler=[numbers.tolist() for numbers in batches],
            collate_fn=_stacked,
            # A generator of its own: the loader draws a seed even without workers, and a resumed
            # training must find the global random state as an undisturbed one does.
            generator=torch.Generator(),
        )
        for windows in loader:
            yield windows.to(self.device)


class Batches:
    """Every window once per epoch, shuffled anew in each.

    The order is a function of the seed and the epoch alone, so that every model trained on the
    same data sees the same windows, and a training may continue in the middle of an epoch.

    Args:
        source: The windows.
        batch_size: Windows per batch; the last one of an epoch may be smaller.
        seed: Seed of the order.
    """

    def __init__(self, source: WindowSource, batch_size: int, seed: int) -> None:
        self.source = source
        self.batch_size = batch_size
        self.seed = seed

    def __len__(self) -> int:
        return math.ceil(len(self.source) / self.batch_size)

    def epoch(self, epoch: int, *, first: int = 0) -> Iterator[WindowBatch]:
        """The batches of one epoch, from batch number `first` on."""
        seed = int(np.random.SeedSequence((self.seed, epoch)).generate_state(1, np.uint64)[0] >> 1)
        order = torch.randperm(len(self.source), generator=torch.Generator().manual_seed(seed))
        return self.source.read(order.split(self.batch_size)[first:])


def _stacked(windows: Tensor | list[Tensor]) -> Tensor:
    return windows if isinstance(windows, Tensor) else torch.stack(windows)
