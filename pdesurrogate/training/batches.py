"""Training windows in batches, in an order that depends on seed and epoch only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader

from pdesurrogate.data import Windows

__all__ = [
    "Batch",
    "Batches",
    "FramesInMemory",
    "WindowSource",
    "WindowsOnDisk",
]

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
        trajectories: How many trajectories are used, the first ones; None for all.

    Raises:
        ValueError: If there are fewer trajectories than are to be used.
    """

    def __init__(
        self,
        frames: Float[Tensor, "trajectory time field y x"],
        length: int,
        conditions: Float[Tensor, "trajectory condition y x"] | None = None,
        frame_stride: int = 1,
        trajectories: int | None = None,
    ) -> None:
        self.frames = frames[: _used(trajectories, len(frames))]
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
        trajectories: How many trajectories are used, the first ones; None for all.

    Raises:
        ValueError: If there are fewer trajectories than are to be used.
    """

    def __init__(
        self, windows: Windows, device: torch.device, trajectories: int | None = None
    ) -> None:
        self.windows = windows
        self.device = device
        held = len(windows) // windows.per_trajectory
        self._length = _used(trajectories, held) * windows.per_trajectory

    def __len__(self) -> int:
        return self._length

    def read(self, batches: Iterable[WindowNumbers]) -> Iterator[WindowBatch]:
        """Read each batch, one ahead of the one that is wanted."""
        loader = DataLoader(
            self.windows,
            batch_sampler=[numbers.tolist() for numbers in batches],
            collate_fn=self._stacked,
            # A generator of its own: the loader draws a seed even without workers, and a resumed
            # training must find the global random state as an undisturbed one does.
            generator=torch.Generator(),
        )
        batches = iter(loader)
        with ThreadPoolExecutor(1) as reader:  # reads a batch while the one before is computed
            ahead = reader.submit(next, batches, None)
            while (windows := ahead.result()) is not None:
                ahead = reader.submit(next, batches, None)
                yield windows.to(self.device)

    def _stacked(self, windows: list[Tensor]) -> WindowBatch:
        # A process may have no share in a small batch; its windows have a shape all the same.
        return torch.stack(windows) if windows else self.windows[0][None][:0]


class Batch(NamedTuple):
    """What a process is given for one step of the optimiser.

    Args:
        windows: Its share of the batch. Where there are fewer windows than processes it is one of
            another's, which does not count.
        rung: The resolution at which the whole batch is seen.
        size: Windows of the whole batch, all processes together: the mean over the batch is the sum
            over the processes of `len(windows) / size` times the mean over `windows`.
        counts: Whether the share counts.
    """

    windows: WindowBatch
    rung: int
    size: int
    counts: bool = True


class Batches:
    """Every window once per epoch, shuffled anew in each, every batch seen on one rung.

    The order is a function of the seed and the epoch alone, whatever the rungs, their shares and
    the number of processes: every model trained on the same data sees the same windows, and a
    training may continue in the middle of an epoch. Which batches are seen on which rung depends on
    seed, epoch and shares.

    Args:
        sources: The windows on each rung, numbered alike.
        batch_size: Windows per batch, all processes together; the last one of an epoch may be
            smaller.
        seed: Seed of the order.
        shares: Share of an epoch's batches that is seen on each rung, together 1; None for equal
            ones. Whole batches come about by largest remainders.

    Raises:
        ValueError: If the rungs have different numbers of windows, or are not those of the shares.
    """

    def __init__(
        self,
        sources: Mapping[int, WindowSource],
        batch_size: int,
        seed: int,
        shares: Mapping[int, float] | None = None,
    ) -> None:
        lengths = {rung: len(source) for rung, source in sources.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"every rung must have the same windows, got so many: {lengths}")
        self.shares = dict(shares) if shares is not None else dict.fromkeys(sources, 1.0)
        if self.shares.keys() != sources.keys():
            raise ValueError(
                f"there are shares for the rungs {sorted(self.shares)} but windows for "
                f"{sorted(sources)}"
            )
        self.sources = sources
        self.batch_size = batch_size
        self.seed = seed
        self.num_windows = next(iter(lengths.values()))

    def __len__(self) -> int:
        return math.ceil(self.num_windows / self.batch_size)

    def epoch(
        self, epoch: int, *, first: int = 0, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """The batches of one epoch, from batch number `first` on.

        Args:
            epoch: Counted from 0.
            first: How many batches to leave out; none of their windows is read.
            rank: The process that asks, 0 to `world - 1`. Only its share of each batch is read: the
                shares in order of rank are the batch.
            world: Number of processes.
        """
        order = _shuffled(self.num_windows, (self.seed, epoch))
        batches = order.split(self.batch_size)[first:]
        rungs = self.rungs(epoch)[first:]
        shares: dict[int, list[Tensor]] = {rung: [] for rung in self.sources}
        for rung, numbers in zip(rungs, batches, strict=True):
            own = numbers.tensor_split(world)[rank]
            shares[rung].append(own if len(own) else numbers[:1])
        reading = {rung: source.read(shares[rung]) for rung, source in self.sources.items()}
        for rung, numbers in zip(rungs, batches, strict=True):
            yield Batch(next(reading[rung]), rung, len(numbers), rank < len(numbers))

    def rungs(self, epoch: int) -> list[int]:
        """The rung of each batch of an epoch."""
        rungs = sorted(self.sources)
        counts = _apportioned(len(self), [self.shares[rung] for rung in rungs])
        ordered = [rung for rung, count in zip(rungs, counts, strict=True) for _ in range(count)]
        return [ordered[i] for i in _shuffled(len(ordered), (self.seed, epoch, 1)).tolist()]


def _shuffled(length: int, entropy: tuple[int, ...]) -> Tensor:
    """The numbers below `length` in an order of their own for each entropy."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed))


def _apportioned(total: int, shares: Sequence[float]) -> list[int]:
    """`total` in whole parts that are nearly proportional to the shares, by largest remainders."""
    exact = [total * share / sum(shares) for share in shares]
    counts = [math.floor(part) for part in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def _used(wanted: int | None, held: int) -> int:
    if wanted is not None and wanted > held:
        raise ValueError(f"there are {held} trajectories, of which {wanted} cannot be used")
    return held if wanted is None else wanted
