"""An opened dataset: splits, rungs, and what is known of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from copy import copy
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import xarray as xr
from xarray.core import indexing

from pdesurrogate.data.parameters import fixed_parameters, parameter_attributes, with_parameters
from pdesurrogate.data.recipe import Recipe, parse_recipe
from pdesurrogate.data.schema import SPLITS, Manifest, file_sha256, time_attributes
from pdesurrogate.data.shards import LazyField, ShardReader
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.naming import unknown_name
from pdesurrogate.solvers import Equation

__all__ = ["Ladder", "Split", "open_dataset"]


def open_dataset(path: str | Path) -> Ladder:
    """Open a dataset's folder. Nothing is read but the manifest.

    Raises:
        FileNotFoundError: If the folder is no dataset.
        ValueError: If the dataset is incomplete; the message names what is missing and the command
            that completes it.
    """
    return Ladder(Path(path))


class Ladder:
    """A dataset on its ladder of grids: `data.train[64]` is an `xarray.Dataset`, read lazily.

    Trajectories that failed during generation are left out everywhere.

    `data.strided(4)` is the same dataset in steps four times as long.

    Args:
        path: The dataset's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frame_stride = 1
        self.manifest = Manifest.read(path)
        _check_complete(path, self.manifest)

    def strided(self, frame_stride: int) -> Ladder:
        """A view of every `frame_stride`-th frame from the first one on: longer steps.

        Frames, times and diagnostics are those that are seen. What learns may begin at any stored
        frame all the same: see `Windows` and `field_statistics`. Views of views multiply.

        Raises:
            ValueError: If fewer than two frames would be seen.
        """
        last = max(1, self.num_frames - 1)
        if not 1 <= frame_stride <= last:
            raise ValueError(
                f"frame_stride must lie between 1 and {last}, got {frame_stride}: the trajectories "
                f"of {self.path} hold {self.num_frames} frames"
            )
        view = copy(self)
        view.frame_stride = self.frame_stride * frame_stride
        return view

    @property
    def stored(self) -> Ladder:
        """The dataset with every stored frame."""
        whole = copy(self)
        whole.frame_stride = 1
        return whole

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that made it.

        Raises:
            ValueError: If it names a class in a module that has not been imported: opening
                somebody's dataset runs no code that it names.
        """
        for name in _class_paths(self.manifest.recipe):
            module = name.rpartition(".")[0]
            if module and module not in sys.modules:
                raise ValueError(
                    f"{self.path} was made with {name}; import {module} first if you trust it"
                )
        return parse_recipe(self.manifest.recipe)

    @property
    def name(self) -> str:
        """The recipe's name."""
        return str(self.manifest.recipe["name"])

    @property
    def sha256(self) -> str:
        """The dataset's identity."""
        return self.manifest.recipe_sha256

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The rungs, points along y, coarsest first."""
        return tuple(self.manifest.recipe["resolutions"])

    @property
    def reference_resolution(self) -> int:
        """Points along y of the simulation that the rungs observe."""
        return int(self.manifest.recipe["reference_resolution"])

    @property
    def fields(self) -> dict[str, Field]:
        """Stored fields by name."""
        return {field.name: field for field in self.manifest.fields}

    @property
    def static_fields(self) -> tuple[str, ...]:
        """Names of the fields that are the same in every frame of a trajectory."""
        return tuple(f.name for f in self.manifest.fields if f.is_static)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that differ from trajectory to trajectory."""
        return tuple(self.manifest.parameters)

    @property
    def fixed_parameters(self) -> dict[str, float]:
        """Numbers of the equation that are the same in every trajectory, by name."""
        fixed = fixed_parameters(self.equation, self.recipe.parameters)
        return {name: value for name, value in fixed.items() if name not in self.fields}

    def parameter_values(self, split: str) -> dict[str, np.ndarray]:
        """Each parameter's value in every trajectory of a split that was computed."""
        reader = self.reader(split)
        values = {name: reader.read_parameter(name) for name in self.parameters}
        reader.close()
        return values

    def variants(self, split: str, trajectories: slice | None = None) -> tuple[Equation, ...]:
        """The equation that each trajectory follows; empty if all follow `equation`."""
        table = {
            self.manifest.parameters[name]: values[trajectories or slice(None)]
            for name, values in self.parameter_values(split).items()
        }
        rows = zip(*table.values(), strict=True)
        return tuple(
            with_parameters(self.equation, dict(zip(table, map(float, row), strict=True)))
            for row in rows
        )

    @property
    def prognostic_fields(self) -> tuple[str, ...]:
        """Names of the fields that are stepped, from which the others follow."""
        return tuple(f.name for f in self.manifest.fields if f.is_prognostic and not f.is_static)

    @property
    def time_step(self) -> float:
        """Time between frames."""
        return self.frame_stride * float(self.manifest.recipe["frame_interval"])

    @property
    def solver_time_step(self) -> float:
        """Time step of the simulation."""
        return self.stored.time_step / int(self.manifest.recipe["steps_per_frame"])

    @property
    def start_time(self) -> float:
        """Time that had passed in the simulation before the first stored frame."""
        return self.stored.time_step * int(self.manifest.recipe["spin_up_frames"])

    @property
    def num_frames(self) -> int:
        """Frames of a trajectory."""
        return len(range(0, int(self.manifest.recipe["num_frames"]), self.frame_stride))

    @property
    def accuracy(self) -> dict[str, Any]:
        """Measured discretisation error after stored frames; see `measure_accuracy`."""
        return self.manifest.accuracy

    @property
    def equation(self) -> Equation:
        """The physics."""
        return self.recipe.equation

    def grid(self, resolution: int) -> Grid:
        """The grid of a rung.

        Raises:
            ValueError: If the dataset has no such rung.
        """
        self._check_resolution(resolution)
        return self.recipe.grid(resolution)

    def num_trajectories(self, split: str) -> int:
        """Trajectories of a split that were computed."""
        return len(self.reader(split))

    @property
    def train(self) -> Split:
        """Trajectories for fitting."""
        return self.split("train")

    @property
    def valid(self) -> Split:
        """Trajectories for choosing."""
        return self.split("valid")

    @property
    def test(self) -> Split:
        """Trajectories for reporting."""
        return self.split("test")

    def split(self, name: str) -> Split:
        """A split by name."""
        return Split(self, name)

    def reader(self, split: str) -> ShardReader:
        """A reader of a split's frames with files of its own.

        Raises:
            ValueError: If there is no such split.
        """
        if split not in SPLITS:
            raise ValueError(unknown_name("split", split, SPLITS))
        shards = [s for s in self.manifest.shards if s.split == split]
        return ShardReader(self.path, shards, self.frame_stride)

    def check_fields(self, names: tuple[str, ...]) -> None:
        """Raise `ValueError` for a name that is no field of the dataset."""
        for name in names:
            if name not in self.fields:
                raise ValueError(unknown_name(f"field of {self.name}", name, self.fields))

    def check_channels(self, names: tuple[str, ...]) -> None:
        """Raise `ValueError` for a name that is neither a field nor a parameter."""
        known = (*self.fields, *self.parameters)
        for name in names:
            if name not in known:
                kind = "field or parameter" if self.parameters else "field"
                raise ValueError(unknown_name(f"{kind} of {self.name}", name, known))

    def verify(self) -> None:
        """Recompute every shard's checksum.

        Raises:
            ValueError: Naming the first file that differs from the manifest.
        """
        for shard in self.manifest.shards:
            if file_sha256(self.path / shard.file) != shard.sha256:
                raise ValueError(
                    f"{self.path / shard.file} differs from its checksum; delete it and complete "
                    f"the dataset with `pdesurrogate generate {self.path / 'recipe.yaml'} --out "
                    f"{self.path}`"
                )

    def _check_resolution(self, resolution: int) -> None:
        if resolution not in self.resolutions:
            rungs = ", ".join(map(str, self.resolutions))
            raise ValueError(
                f"resolution {resolution} is not in {self.name}; its rungs are {rungs}"
            )


class Split(Mapping[int, xr.Dataset]):
    """A split's rungs by resolution."""

    def __init__(self, ladder: Ladder, name: str) -> None:
        self._ladder, self.name = ladder, name
        self._reader = ladder.reader(name)

    def __len__(self) -> int:
        return len(self._ladder.resolutions)

    def __iter__(self) -> Iterator[int]:
        return iter(self._ladder.resolutions)

    def __getitem__(self, resolution: int) -> xr.Dataset:
        """All trajectories on one rung, dimensions `(trajectory, time, y, x)`.

        On a sphere the last two are `(latitude, longitude)`. Static fields have no `time`;
        parameters are coordinates along `trajectory`.
        """
        ladder, reader = self._ladder, self._reader
        grid = ladder.grid(resolution)
        dimensions = {
            "trajectory": len(reader),
            "time": ladder.num_frames,
            **dict(zip(grid.dimensions, grid.num_points, strict=True)),
        }
        variables = {}
        for name, field in ladder.fields.items():
            kept = {d: n for d, n in dimensions.items() if not (field.is_static and d == "time")}
            lazy = LazyField(reader, resolution, name, tuple(kept.values()))
            attributes = {"units": field.units, "long_name": field.long_name}
            if field.standard_name:
                attributes["standard_name"] = field.standard_name
            variables[name] = (tuple(kept), indexing.LazilyIndexedArray(lazy), attributes)
        points = grid.coordinates(ladder.equation.length_units)
        return xr.Dataset(variables, coords={**self._labels, **points}, attrs=self._attributes)

    @property
    def diagnostics(self) -> xr.Dataset:
        """Conserved and other integral quantities over `(trajectory, time)`, float64, in memory.

        They are those of the reference simulation, on its own grid, and so belong to no rung.
        Empty of variables where the equation has none.
        """
        ladder = self._ladder
        variables = {
            known.name: (
                ("trajectory", "time"),
                self._reader.read_diagnostic(known.name, ladder.num_frames),
                {"units": known.units, "long_name": known.long_name},
            )
            for known in ladder.manifest.diagnostics
        }
        return xr.Dataset(variables, coords=self._labels, attrs=self._attributes)

    @property
    def _labels(self) -> dict[str, Any]:
        """What all rungs share: which trajectories, their parameters, and the times."""
        ladder, reader = self._ladder, self._reader
        times = ladder.time_step * np.arange(ladder.num_frames)
        drawn = {
            name: (
                "trajectory",
                reader.read_parameter(name),
                parameter_attributes(ladder.equation, path),
            )
            for name, path in ladder.manifest.parameters.items()
        }
        return {
            "trajectory": ("trajectory", reader.indices),
            **drawn,
            "time": ("time", times, time_attributes(ladder.equation)),
        }

    @property
    def _attributes(self) -> dict[str, str]:
        ladder = self._ladder
        return {"title": ladder.recipe.title, "dataset": ladder.name, "split": self.name}

    def close(self) -> None:
        """Close the files that were opened for reading."""
        self._reader.close()

    def __enter__(self) -> Split:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _class_paths(value: Any) -> list[str]:
    """The classes that a recipe's plain data name."""
    if not isinstance(value, dict):
        return []
    own = [str(value["class_path"])] if "class_path" in value else []
    return own + [name for part in value.values() for name in _class_paths(part)]


def _check_complete(path: Path, manifest: Manifest) -> None:
    """Every trajectory that the recipe promises lies in a file of the recorded size."""
    recipe, missing = manifest.recipe, []
    finished = {s.file: s for s in manifest.shards}
    for split in SPLITS:
        total, width = recipe["splits"][split], recipe["batch_size"]
        for number in range(-(-total // width)):
            file = f"{split}/shard-{number:05d}.nc"
            shard, where = finished.get(file), path / file
            promised = min(width, total - number * width)
            whole = where.is_file() and shard is not None and where.stat().st_size == shard.size
            if shard is None or not whole or shard.trajectories < promised:
                missing.append(file)
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        raise ValueError(
            f"{path} is incomplete: {shown} missing or damaged; complete it with `pdesurrogate "
            f"generate {path / 'recipe.yaml'} --out {path}`"
        )
