"""True frames as they are needed: read from the files some at a time, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.data import Ladder, load_frames

__all__ = ["FrameBlocks", "StoredFrames"]

_BLOCK_BYTES = 64 * 2**20


class FrameBlocks:
    """Reads frames of some trajectories of a split, meant to be looked at in order.

    They are read in blocks of some 64 MB, at least one frame, and the latest block is kept.

    Args:
        data: An opened dataset.
        split: `train`, `valid` or `test`.
        resolution: A rung.
        fields: Names of fields or parameters, the channels in order; see `load_frames`.
        trajectories: Which trajectories.
        first: The frame of step 0.
        num_steps: How many frames there are.
        device: Where they are wanted.
    """

    def __init__(
        self,
        data: Ladder,
        split: str,
        resolution: int,
        fields: tuple[str, ...],
        trajectories: slice,
        first: int,
        num_steps: int,
        device: str,
    ) -> None:
        batch = trajectories.stop - trajectories.start
        self.shape = (batch, num_steps, len(fields), *data.grid(resolution).num_points)
        self._data, self._device, self._first = data, device, first
        self._where = (split, resolution, fields, trajectories)
        self._length = max(_BLOCK_BYTES * num_steps // (4 * int(np.prod(self.shape))), 1)
        self._held: tuple[int, Tensor] | None = None

    def frame(self, step: int) -> Float[Tensor, "batch channel y x"]:
        """The frame of a step.

        Raises:
            IndexError: If there is no such step.
        """
        if not 0 <= step < self.shape[1]:
            raise IndexError(f"step {step} of {self.shape[1]}")
        block, within = divmod(step, self._length)
        if self._held is None or self._held[0] != block:
            self._held = None  # before the next one takes its room
            self._held = (block, self._read(block))
        return self._held[1][:, within]

    def _read(self, block: int) -> Float[Tensor, "batch time channel y x"]:
        begin = block * self._length
        end = min(begin + self._length, self.shape[1])
        split, resolution, fields, trajectories = self._where
        time = slice(self._first + begin, self._first + end)
        frames = load_frames(
            self._data, split, resolution, fields, trajectories=trajectories, time=time
        )
        return frames.to(self._device)


class StoredFrames:
    """Frames over `(batch, lead_time, channel, y, x)`, indexed like a tensor, read when looked at.

    Args:
        blocks: Reads them.
        channels: Which channels are seen, in order; None for all.
    """

    def __init__(self, blocks: FrameBlocks, channels: Sequence[int] | None = None) -> None:
        self._blocks = blocks
        self._channels = list(range(blocks.shape[2]) if channels is None else channels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor that it stands for."""
        batch, num_steps, _, *points = self._blocks.shape
        return (batch, num_steps, len(self._channels), *points)

    def __len__(self) -> int:
        return self.shape[0]

    @overload
    def __getitem__(self, key: tuple[slice, int | slice]) -> Tensor: ...

    @overload
    def __getitem__(self, key: tuple[slice, slice, list[int]]) -> StoredFrames: ...

    def __getitem__(
        self, key: tuple[slice, int | slice] | tuple[slice, slice, list[int]]
    ) -> Tensor | StoredFrames:
        """A frame, `[:, step]`; some, `[:, first:last]`; all, of some channels, `[:, :, channels]`.

        Raises:
            IndexError: If there is no such step.
        """
        rows, steps, *channels = key
        if channels:
            return StoredFrames(self._blocks, [self._channels[c] for c in channels[0]])
        if isinstance(steps, int):
            return self._blocks.frame(steps)[rows, self._channels]
        numbers = range(self.shape[1])[steps]
        return torch.stack([self._blocks.frame(k)[rows, self._channels] for k in numbers], dim=1)
