"""Reading frames across the shards of a split, lazily."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from pdesurrogate.data.schema import Shard, group_name

__all__ = ["LazyField", "ShardReader"]

MAX_OPEN_FILES = 64

_DIMENSIONS = 4
"""Trajectory, time, y, x; static fields have no time."""


class ShardReader:
    """Frames of one split by trajectory row; files are opened when needed and few at a time.

    Rows count the trajectories that were computed; failed ones are left out. A pickled reader
    reopens its files, so every worker process of a loader has its own.

    Args:
        folder: The dataset.
        shards: The split's shards in order.
        frame_stride: Every how many stored frames are seen, from the first one on.
    """

    def __init__(self, folder: Path, shards: Sequence[Shard], frame_stride: int = 1) -> None:
        self._folder, self._shards, self._frame_stride = folder, tuple(shards), frame_stride
        self._rows = [
            [row for row in range(s.trajectories) if s.first + row not in s.failed]
            for s in self._shards
        ]
        self._starts = np.cumsum([0, *(len(rows) for rows in self._rows)]).tolist()
        self._files: OrderedDict[str, h5py.File] = OrderedDict()

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def indices(self) -> list[int]:
        """Index in the split of every row."""
        return [
            s.first + row for s, rows in zip(self._shards, self._rows, strict=True) for row in rows
        ]

    def read(
        self, row: int, resolution: int, name: str, where: tuple[Any, ...] = (slice(None),)
    ) -> np.ndarray:
        """One trajectory's field, `(time, y, x)` or, if static, `(y, x)`, indexed by `where`."""
        shard = bisect_right(self._starts, row) - 1
        variable = self._open(self._shards[shard].file)[group_name(resolution)][name]
        if variable.ndim == _DIMENSIONS and self._frame_stride > 1:
            time, *rest = where
            where = (_stored(time, variable.shape[1], self._frame_stride), *rest)
        key = (self._rows[shard][row - self._starts[shard]], *where)
        return np.asarray(variable[key])

    def read_parameter(self, name: str) -> np.ndarray:
        """What was drawn for every trajectory that was computed, by row."""
        return np.concatenate([np.zeros(0), *self._of_trajectories(name)])

    def read_diagnostic(self, name: str, num_frames: int) -> np.ndarray:
        """A diagnostic of every trajectory that was computed, `(row, time)`."""
        stored = self._of_trajectories(name)
        seen = [values[:, :: self._frame_stride] for values in stored]
        return np.concatenate([np.zeros((0, num_frames)), *seen])

    def _of_trajectories(self, name: str) -> list[np.ndarray]:
        """A variable of the root group, shard by shard, without the trajectories that failed."""
        pairs = zip(self._shards, self._rows, strict=True)
        return [np.asarray(self._open(shard.file)[name])[rows] for shard, rows in pairs]

    def close(self) -> None:
        """Close all files; reading opens them again."""
        while self._files:
            self._files.popitem()[1].close()

    def _open(self, file: str) -> h5py.File:
        if file in self._files:
            self._files.move_to_end(file)
            return self._files[file]
        if len(self._files) >= MAX_OPEN_FILES:
            self._files.popitem(last=False)[1].close()
        path = self._folder / file
        try:
            self._files[file] = h5py.File(path, "r")
        except OSError as error:
            raise ValueError(
                f"{path} is damaged ({error}); delete it and complete the dataset with "
                f"`pdesurrogate generate {self._folder / 'recipe.yaml'} --out {self._folder}`"
            ) from None
        return self._files[file]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict()}

    def __del__(self) -> None:
        if hasattr(self, "_files"):
            self.close()


class LazyField(BackendArray):
    """A field of a whole split as an array that xarray reads only where it is looked at."""

    def __init__(self, reader: ShardReader, resolution: int, name: str, shape: tuple[int, ...]):
        self.shape, self.dtype = shape, np.dtype("float32")
        self._reader, self._resolution, self._name = reader, resolution, name

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """What xarray asks for; fancy indexing is reduced to basic slices by xarray itself."""
        picked: np.ndarray = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )
        return picked

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        rows, rest = key[0], list(zip(key[1:], self.shape[1:], strict=True))
        where = tuple(_forward(k, length) for k, length in rest)
        kept = [(k, length) for k, length in rest if isinstance(k, slice)]
        turned = tuple(slice(None, None, -1 if _is_reversed(k) else None) for k, _ in kept)
        if not isinstance(rows, slice):
            return self._reader.read(int(rows), self._resolution, self._name, where)[turned]
        numbers = range(*rows.indices(self.shape[0]))
        lengths = [len(range(*k.indices(length))) for k, length in kept]
        out = np.empty((len(numbers), *lengths), self.dtype)
        for i, row in enumerate(numbers):
            out[i] = self._reader.read(row, self._resolution, self._name, where)[turned]
        return out


def _stored(key: Any, num_frames: int, frame_stride: int) -> Any:
    """Where among the stored frames the seen ones lie that `key` picks."""
    seen = range(0, num_frames, frame_stride)
    if not isinstance(key, slice):
        return seen[key]
    picked = seen[key]
    return slice(picked.start, picked.stop, picked.step)


def _is_reversed(key: Any) -> bool:
    return isinstance(key, slice) and key.step is not None and key.step < 0


def _forward(key: Any, length: int) -> Any:
    """HDF5 reads forwards only: a reversed slice is read forwards and turned round later."""
    if not _is_reversed(key):
        return key if isinstance(key, slice) else int(key)
    numbers = range(*key.indices(length))[::-1]
    return slice(numbers.start, numbers.stop, numbers.step)
