"""Frames and windows of consecutive frames as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from pdesurrogate.data.store import Ladder

__all__ = ["Windows", "load_frames"]


def load_frames(
    data: Ladder,
    split: str,
    resolution: int,
    fields: Sequence[str],
    trajectories: slice | None = None,
    time: slice | None = None,
) -> Float[Tensor, "trajectory time channel y x"]:
    """Read frames into memory, fields as channels in the given order.

    Args:
        data: An opened dataset.
        split: `train`, `valid` or `test`.
        resolution: A rung.
        fields: Names of fields, or of parameters, whether they differ from trajectory to trajectory
            or not. A static field is the same in every frame, a parameter at every point as well.
        trajectories: Which trajectories; None for all.
        time: Which frames; None for all.

    Raises:
        ValueError: If the split, rung or a field does not exist.
    """
    fixed = data.fixed_parameters
    data.check_channels(tuple(name for name in fields if name not in fixed))
    grid, reader = data.grid(resolution), data.reader(split)
    parameters = {name: np.full(len(reader), value) for name, value in fixed.items()}
    parameters |= data.parameter_values(split)
    rows = range(len(reader))[trajectories or slice(None)]
    frames = range(data.num_frames)[time or slice(None)]
    out = np.empty((len(rows), len(frames), len(fields), *grid.num_points), np.float32)
    for i, row in enumerate(rows):
        for channel, name in enumerate(fields):
            if name in parameters:
                out[i, :, channel] = parameters[name][row]
            else:
                where = () if data.fields[name].is_static else (time or slice(None),)
                out[i, :, channel] = reader.read(row, resolution, name, where)
    reader.close()
    return torch.from_numpy(out)


class Windows(Dataset[Tensor]):
    """All windows of `history + horizon` consecutive frames of a split on one rung.

    Window `i` belongs to trajectory `i // per_trajectory` and starts at stored frame
    `i % per_trajectory`. In a view of every k-th frame, too, windows start at every stored frame:
    what is learnt of a step does not depend on where the counting began. Items are
    `(time, channel, y, x)`, read straight from the files; worker processes open files of their own.

    Args:
        data: An opened dataset.
        split: `train`, `valid` or `test`.
        resolution: A rung.
        fields: Names of fields or parameters, the channels in order; see `load_frames`.
        history: Frames that are given.
        horizon: Frames that are to be predicted.

    Raises:
        ValueError: If the split is empty, a trajectory is shorter than a window, or the rung or a
            field does not exist.
    """

    def __init__(
        self,
        data: Ladder,
        split: str,
        resolution: int,
        fields: Sequence[str],
        history: int,
        horizon: int,
    ) -> None:
        data.check_channels(tuple(fields))
        self._shape = data.grid(resolution).num_points
        self._reader = data.stored.reader(split)
        self._resolution, self._fields = resolution, tuple(fields)
        self._static = frozenset(data.static_fields)
        self._parameters = data.parameter_values(split)
        self._length, self._stride = history + horizon, data.frame_stride
        self._span = (self._length - 1) * self._stride + 1
        self.per_trajectory = data.stored.num_frames - self._span + 1
        if len(self._reader) == 0:
            raise ValueError(f"the split {split!r} of {data.path} has no trajectories")
        if self.per_trajectory < 1:
            raise ValueError(
                f"a window of {history} given and {horizon} predicted frames does not fit in the "
                f"{data.num_frames} frames of a trajectory"
            )

    def __len__(self) -> int:
        return len(self._reader) * self.per_trajectory

    def __getitem__(self, index: int) -> Float[Tensor, "time channel y x"]:
        """Read one window."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        row, first = divmod(index % len(self), self.per_trajectory)
        out = np.empty((self._length, len(self._fields), *self._shape), np.float32)
        for channel, name in enumerate(self._fields):
            if name in self._parameters:
                out[:, channel] = self._parameters[name][row]
            else:
                frames = slice(first, first + self._span, self._stride)
                where = () if name in self._static else (frames,)
                out[:, channel] = self._reader.read(row, self._resolution, name, where)
        return torch.from_numpy(out)

    def __getitems__(self, indices: Sequence[int]) -> list[Tensor]:
        """Read several windows; `torch.utils.data.DataLoader` calls it for a batch."""
        return [self[index] for index in indices]
