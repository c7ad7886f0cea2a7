"""The files of a dataset: manifest, shards, and how they are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from pdesurrogate.data.parameters import parameter_attributes, parameter_name
from pdesurrogate.fields import Diagnostic, Field
from pdesurrogate.files import write_atomically
from pdesurrogate.grids import Grid
from pdesurrogate.interrupts import interrupts_wait
from pdesurrogate.solvers import Equation

__all__ = [
    "FAILED",
    "MANIFEST",
    "OK",
    "SPLITS",
    "Manifest",
    "Shard",
    "ShardWriter",
    "file_sha256",
    "group_name",
    "time_attributes",
]

MANIFEST = "manifest.json"
SPLITS = ("train", "valid", "test")
OK, FAILED = 0, 1
"""Values of a trajectory's `status`."""


def group_name(resolution: int) -> str:
    """The netCDF group of a rung."""
    return f"resolution_{resolution}"


def file_sha256(path: Path) -> str:
    """Checksum of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


@dataclass(frozen=True)
class Shard:
    """A finished file of trajectories.

    Args:
        split: `train`, `valid` or `test`.
        file: Path below the dataset's folder.
        first: Index in the split of its first trajectory.
        trajectories: How many it holds.
        failed: Indices in the split of trajectories that could not be computed.
        sha256: Checksum of the file.
        size: Bytes.
    """

    split: str
    file: str
    first: int
    trajectories: int
    failed: tuple[int, ...]
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What a dataset is and which of its files are finished.

    Args:
        recipe: `Recipe.to_dict()`.
        recipe_sha256: `Recipe.sha256`, the dataset's identity.
        fields: Descriptions of the stored fields, prognostic ones first.
        versions: Package and library versions that wrote it.
        diagnostics: Descriptions of what is stored along each trajectory.
        accuracy: Measured discretisation error; empty until it is measured.
        shards: Finished files.
        wall_seconds: Time spent generating, all sessions together.
    """

    recipe: dict[str, Any]
    recipe_sha256: str
    fields: tuple[Field, ...]
    versions: dict[str, str]
    diagnostics: tuple[Diagnostic, ...] = ()
    accuracy: dict[str, Any] = field(default_factory=dict)
    shards: tuple[Shard, ...] = ()
    wall_seconds: float = 0.0

    def write(self, folder: Path) -> None:
        """Write `manifest.json` atomically."""
        content = {**asdict(self), "fields": [f.to_dict() for f in self.fields]}
        write_atomically(folder / MANIFEST, (json.dumps(content, indent=2) + "\n").encode())

    @property
    def parameters(self) -> dict[str, str]:
        """Names of the parameters that were drawn per trajectory → paths in the equation."""
        return {parameter_name(path): path for path in self.recipe.get("parameters", {})}

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read `manifest.json`.

        Raises:
            FileNotFoundError: If the folder is no dataset.
            ValueError: If the file is damaged or of another kind.
        """
        path = folder / MANIFEST
        if not folder.exists():
            raise FileNotFoundError(f"there is no dataset {folder}: nothing is there")
        if not path.is_file():
            raise FileNotFoundError(f"{folder} is no dataset: it has no {MANIFEST}")
        try:
            content = json.loads(path.read_text())
            shards = [Shard(**{**s, "failed": tuple(s["failed"])}) for s in content["shards"]]
            parts = {
                "shards": tuple(shards),
                "fields": tuple(Field.from_dict(f) for f in content["fields"]),
                # Datasets of the first releases have none.
                "diagnostics": tuple(Diagnostic(**d) for d in content.get("diagnostics", ())),
            }
            return cls(**{**content, **parts})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a readable manifest: {error}") from None

    def with_shard(self, shard: Shard) -> Manifest:
        """The manifest with a newly finished (or rewritten) shard, in order."""
        others = [s for s in self.shards if s.file != shard.file]
        order = {split: i for i, split in enumerate(SPLITS)}
        shards = sorted([*others, shard], key=lambda s: (order[s.split], s.first))
        return replace(self, shards=tuple(shards))


class ShardWriter:
    """Writes one shard frame by frame, so that memory does not grow with the trajectory's length.

    Ctrl-C waits for the method that is under way.

    Args:
        path: File to write.
        attributes: Global attributes.
        indices: Indices of the trajectories in their split.
        seed: The recipe's seed.
        times: Times of the frames.
        grids: Grid of every rung.
        equation: What is simulated; it declares fields, diagnostics and units.
        parameters: What was drawn for each trajectory, by path in the equation.
    """

    @interrupts_wait()
    def __init__(
        self,
        path: Path,
        *,
        attributes: Mapping[str, str],
        indices: Sequence[int],
        seed: int,
        times: np.ndarray,
        grids: Mapping[int, Grid],
        equation: Equation,
        parameters: Mapping[str, Sequence[float]],
    ) -> None:
        self._equation = equation
        self._file = netCDF4.Dataset(path, "w", format="NETCDF4")
        self._file.setncatts({"Conventions": "CF-1.11", **attributes})
        self._file.createDimension("trajectory", len(indices))
        self._coordinate("trajectory", np.asarray(indices, "i8"), "index in the split")
        seeds = self._variable(
            "seed",
            "i8",
            "seed of the recipe; with the split and the index it determines the trajectory",
        )
        seeds[:] = seed
        self._status = self._variable("status", "i1", "whether the trajectory was computed")
        self._status.setncatts(
            {"flag_values": np.array([OK, FAILED], "i1"), "flag_meanings": "ok failed"}
        )
        self._status[:] = OK
        self._time_step = self._variable("time_step", "f8", "time step of the simulation")
        self._time_step.units = equation.time_units
        self._failure = self._variable("failure", str, "why a trajectory failed")
        for i in range(len(indices)):
            self._failure[i] = ""
        for where, drawn in parameters.items():
            variable = self._file.createVariable(parameter_name(where), "f8", ("trajectory",))
            variable.setncatts(parameter_attributes(equation, where))
            variable[:] = drawn
        if equation.diagnostics:
            _add_coordinate(self._file, "time", times, time_attributes(equation))
        self._diagnostics = {d.name: self._diagnostic(d) for d in equation.diagnostics}
        self._groups = {n: self._group(n, grid, times) for n, grid in grids.items()}

    def _variable(self, name: str, kind: Any, long_name: str) -> Any:
        variable = self._file.createVariable(name, kind, ("trajectory",))
        variable.long_name = long_name
        return variable

    def _coordinate(self, name: str, values: np.ndarray, long_name: str) -> None:
        self._variable(name, values.dtype, long_name)[:] = values

    def _diagnostic(self, described: Diagnostic) -> Any:
        variable = self._file.createVariable(
            described.name, "f8", ("trajectory", "time"), contiguous=True, fill_value=np.nan
        )
        variable.setncatts({"units": described.units, "long_name": described.long_name})
        return variable

    def _group(self, n: int, grid: Grid, times: np.ndarray) -> Any:
        group = self._file.createGroup(group_name(n))
        group.setncatts({"grid": json.dumps(grid.to_dict()), "sampling": grid.sampling})
        _add_coordinate(group, "time", times, time_attributes(self._equation))
        for name, values, attributes in grid.coordinates(self._equation.length_units).values():
            _add_coordinate(group, name, values, attributes)
        for stored in self._equation.fields:
            over_time = () if stored.is_static else ("time",)
            variable = group.createVariable(
                stored.name,
                "f4",
                ("trajectory", *over_time, *grid.dimensions),
                contiguous=True,
                fill_value=np.float32(np.nan),
            )
            variable.setncatts({"units": stored.units, "long_name": stored.long_name})
            if stored.standard_name:
                variable.standard_name = stored.standard_name
        return group

    @interrupts_wait()
    def write(
        self, frame: int, resolution: int, name: str, values: np.ndarray, rows: Sequence[int]
    ) -> None:
        """Store one frame of one field for some rows of a batch `(trajectory, y, x)`.

        A static field is stored once, with the first frame.
        """
        variable = self._groups[resolution][name]
        if "time" in variable.dimensions:
            variable[list(rows), frame] = values[list(rows)]
        elif frame == 0:
            variable[list(rows)] = values[list(rows)]

    @interrupts_wait()
    def write_diagnostic(
        self, frame: int, name: str, values: np.ndarray, rows: Sequence[int]
    ) -> None:
        """Store one frame of one diagnostic for some rows of a batch `(trajectory,)`."""
        self._diagnostics[name][list(rows), frame] = values[list(rows)]

    @interrupts_wait()
    def write_time_step(self, time_step: float, rows: Sequence[int]) -> None:
        """Say with which time step some rows were simulated."""
        for row in rows:
            self._time_step[row] = time_step

    @interrupts_wait()
    def fail(self, row: int, reason: str) -> None:
        """Record a trajectory as failed, and fill it with NaN."""
        self._status[row] = FAILED
        self._failure[row] = reason
        for variable in self._diagnostics.values():
            variable[row] = np.nan
        for group in self._groups.values():
            for name, variable in group.variables.items():
                if name not in group.dimensions:
                    variable[row] = np.nan

    @interrupts_wait()
    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def time_attributes(equation: Equation) -> dict[str, str]:
    """CF attributes of the times of frames."""
    return {"units": equation.time_units, "long_name": "time", "axis": "T"}


def _add_coordinate(
    group: Any, name: str, values: np.ndarray, attributes: Mapping[str, str]
) -> None:
    group.createDimension(name, len(values))
    variable = group.createVariable(name, "f8", (name,))
    variable.setncatts(attributes)
    variable[:] = values
