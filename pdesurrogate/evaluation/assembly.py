"""Pieces, put together to an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from pdesurrogate.evaluation.parts import PartsFolder
from pdesurrogate.evaluation.pieces import Combination, Piece
from pdesurrogate.evaluation.plan import Plan
from pdesurrogate.evaluation.schema import EXAMPLE_PREFIX, empty_example
from pdesurrogate.evaluation.walk import empty_root

__all__ = ["Assembly"]


class Assembly:
    """An evaluation that is filled piece by piece, in any order.

    Args:
        plan: Who takes part, where.
        pieces: All that there will be.
        example_trajectory: Index in the split of the trajectory whose fields are kept.
        parts: Where predicted fields stay until somebody looks at them; None to hold them all.
    """

    def __init__(
        self, plan: Plan, pieces: list[Piece], example_trajectory: int, parts: PartsFolder | None
    ) -> None:
        self.root = empty_root(plan)
        self._plan = plan
        self._examples = {
            resolution: self._example(resolution, pieces, example_trajectory, parts)
            for resolution in plan.resolutions
        }

    @property
    def tree(self) -> xr.DataTree:
        """The evaluation as far as it is filled."""
        examples = {f"/{EXAMPLE_PREFIX}{n}": example for n, example in self._examples.items()}
        return xr.DataTree.from_dict({"/": self.root, **examples})

    def put(self, piece: Piece, result: xr.Dataset) -> None:
        """Put what a piece gave in its place."""
        combination = self._place(piece.combination)
        rung = self._plan.resolutions.index(piece.resolution)
        place = {**combination, "resolution": rung, "trajectory": piece.trajectories}
        for name, variable in result.data_vars.items():
            if name in self.root:
                target = self.root[name]
                target[{d: at for d, at in place.items() if d in target.dims}] = variable.values
            else:
                self._examples[piece.resolution][name][combination] = variable.values

    def put_seconds(self, combination: Combination, resolution: int, seconds: float) -> None:
        """Put in its place how long a step takes."""
        rung = self._plan.resolutions.index(resolution)
        place = {**self._place(combination), "resolution": rung}
        self.root["seconds_per_step"][place] = seconds

    def _place(self, combination: Combination | None) -> dict[str, int]:
        if combination is None:
            return {}
        return {
            "run": self._plan.entries.index(combination.entry),
            "protocol": self._plan.protocols.index(combination.protocol),
        }

    def _example(
        self,
        resolution: int,
        pieces: list[Piece],
        example_trajectory: int,
        parts: PartsFolder | None,
    ) -> xr.Dataset:
        grid = self._plan.data.grid(resolution)
        predictions = None
        if parts is not None:
            sizes = [self.root.sizes[d] for d in ("run", "protocol", "lead_time", "field")]
            where = {
                tuple(self._place(piece.combination).values()): parts.file(piece)
                for piece in pieces
                if piece.resolution == resolution
                and piece.combination is not None
                and piece.example is not None
            }
            lazy = _KeptPredictions((*sizes, *grid.num_points), where)
            predictions = indexing.LazilyIndexedArray(lazy)
        units = self._plan.data.equation.length_units
        return empty_example(self.root, grid, example_trajectory, units, predictions=predictions)


class _KeptPredictions(BackendArray):
    """Predicted fields over `(run, protocol, lead_time, field, y, x)`, read where they are kept.

    NaN where nothing is.
    """

    def __init__(self, shape: tuple[int, ...], files: dict[tuple[int, ...], Path]) -> None:
        self.shape, self.dtype = shape, np.dtype("float32")
        self._files = files

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        picked: np.ndarray = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )
        return picked

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        runs, protocols = (np.arange(n)[k] for n, k in zip(self.shape, key[:2], strict=False))
        rest = key[2:]
        shape = np.broadcast_to(np.nan, self.shape[2:])[rest].shape
        out = np.full((*runs.shape, *protocols.shape, *shape), np.nan, self.dtype)
        flat = out.reshape(runs.size, protocols.size, *shape)
        for i, run in enumerate(runs.flat):
            for j, protocol in enumerate(protocols.flat):
                if (run, protocol) in self._files:
                    with h5py.File(self._files[run, protocol], "r") as file:
                        flat[i, j] = np.asarray(file["prediction"])[rest]
        return out
