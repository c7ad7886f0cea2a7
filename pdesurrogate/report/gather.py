"""Opening evaluation files and laying several of them side by side along `run`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pdesurrogate.evaluation import open_evaluation
from pdesurrogate.evaluation.schema import EXAMPLE_PREFIX, VARIABLES
from pdesurrogate.grids import GaussianSphere

__all__ = ["Example", "Gathered", "gather", "json_attribute"]

_SHARED_AXES = ("trajectory", "lead_time", "field")
_SHARED_SETTINGS = ("split", "history")
_LATER_LABELS = ("conditioning", "cost_of")
"""Labels of runs that files of earlier releases do not have."""


@dataclass(frozen=True)
class Example:
    """Fields of one trajectory at one resolution, read frame by frame when they are drawn.

    Args:
        group: The group `example_<resolution>` of a file.
    """

    group: xr.Dataset

    @property
    def trajectory(self) -> int:
        """Which trajectory of the split is shown."""
        return int(self.group.attrs.get("trajectory", -1))

    @property
    def is_map(self) -> bool:
        """Whether rows are latitudes and columns longitudes."""
        return "latitude" in self.group.dims

    @property
    def weights(self) -> np.ndarray:
        """What a row of points weighs against the others, of shape `(y, 1)`."""
        rows = self.group["truth"].shape[-2]
        if not self.is_map:
            return np.ones((rows, 1))
        return GaussianSphere((rows, self.group.sizes["longitude"])).quadrature_weights[:, :1]

    def truth(self, step: int, field: str) -> np.ndarray:
        """The reference solution after `step + 1` predicted frames, of shape `(y, x)`."""
        return self.group["truth"].sel(field=field).isel(lead_time=step).values

    def prediction(self, run: str, protocol: str, step: int, field: str) -> np.ndarray | None:
        """What a run predicted, of shape `(y, x)`; None if the file holds no picture of it."""
        prediction = self.group["prediction"]
        if run not in prediction["run"].values or protocol not in prediction["protocol"].values:
            return None
        frame = prediction.sel(run=run, protocol=protocol, field=field).isel(lead_time=step).values
        return None if np.isnan(frame).all() else frame


@dataclass(frozen=True)
class Gathered:
    """One or several evaluations of the same dataset.

    Args:
        table: All scores, concatenated along `run`.
        examples: Pictures by resolution, one entry per file that has them.
        paths: The files, in the order given.
        commands: Command lines that made them, each once; empty if a file does not tell.
    """

    table: xr.Dataset
    examples: Mapping[int, Sequence[Example]]
    paths: tuple[Path, ...]
    commands: tuple[str, ...]


def gather(evaluations: Sequence[Path | str], files: ExitStack) -> Gathered:
    """Open evaluation files and concatenate them along `run`.

    A baseline that several files hold (persistence, say) is taken from the first.

    Args:
        evaluations: Paths of evaluation files.
        files: Keeps the files open, as pictures are read late.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is no evaluation, if the files belong to different datasets, score
            different trajectories, lead times or fields, or hold a run of the same name.
    """
    paths = tuple(Path(path) for path in evaluations)
    if not paths:
        raise ValueError("a report needs at least one evaluation file, got none")
    trees = [files.enter_context(open_evaluation(path)) for path in paths]
    tables = [_table(path, tree) for path, tree in zip(paths, trees, strict=True)]
    for path, table in zip(paths[1:], tables[1:], strict=True):
        _require_comparable(paths[0], tables[0], path, table)
    examples: dict[int, list[Example]] = {}
    for tree in trees:
        for resolution, group in _examples(tree).items():
            examples.setdefault(resolution, []).append(Example(group))
    told = [json_attribute(table, "commands", []) for table in tables]
    commands = dict.fromkeys(command for lines in told for command in lines) if all(told) else {}
    return Gathered(_concatenate(paths, tables), examples, paths, tuple(commands))


def json_attribute(table: xr.Dataset, name: str, default: Any) -> Any:
    """An attribute that is stored as JSON; the default if it is absent or damaged."""
    try:
        return json.loads(table.attrs[name])
    except (KeyError, TypeError, ValueError):
        return default


def _table(path: Path, evaluation: xr.DataTree) -> xr.Dataset:
    if "dataset_sha256" not in evaluation.attrs:
        raise ValueError(f"{path} is not an evaluation: it does not say of which dataset")
    table = evaluation.to_dataset().load()
    nothing = np.full(table.sizes["run"], "")
    absent = [label for label in _LATER_LABELS if label not in table.coords]
    return table.assign_coords(dict.fromkeys(absent, ("run", nothing)))


def _examples(evaluation: xr.DataTree) -> dict[int, xr.Dataset]:
    return {
        int(name.removeprefix(EXAMPLE_PREFIX)): group.to_dataset()
        for name, group in evaluation.children.items()
        if name.startswith(EXAMPLE_PREFIX)
    }


def _require_comparable(first_path: Path, first: xr.Dataset, path: Path, table: xr.Dataset) -> None:
    if first.attrs["dataset_sha256"] != table.attrs["dataset_sha256"]:
        names = [str(t.attrs.get("dataset", "unnamed")) for t in (first, table)]
        raise ValueError(
            f"{path} belongs to another dataset ({names[1]}) than {first_path} ({names[0]}); "
            f"evaluations of one dataset only can share a report"
        )
    for key in _SHARED_SETTINGS:
        if first.attrs.get(key) != table.attrs.get(key):
            raise ValueError(
                f"{path} and {first_path} score rollouts of a different {key} "
                f"({table.attrs.get(key)} and {first.attrs.get(key)}); evaluate them together to "
                "compare them"
            )
    for axis in _SHARED_AXES:
        if not np.array_equal(first[axis].values, table[axis].values):
            raise ValueError(
                f"{path} and {first_path} score a different {axis.replace('_', ' ')}; evaluate "
                f"again with the same settings to compare them"
            )


def _concatenate(paths: Sequence[Path], tables: Sequence[xr.Dataset]) -> xr.Dataset:
    seen: dict[str, Path] = {}
    parts: list[xr.Dataset] = []
    for path, table in zip(paths, tables, strict=True):
        fresh = []
        for run, kind in zip(table["run"].values, table["kind"].values, strict=True):
            if str(run) in seen and kind != "baseline":
                raise ValueError(f"a run named {run} is in both {seen[str(run)]} and {path}")
            fresh.append(str(run) not in seen)
            seen.setdefault(str(run), path)
        parts.append(table.isel(run=np.array(fresh)))
    if len(parts) == 1:
        return parts[0]
    along_run = [
        part[[v.name for v in VARIABLES if "run" in v.dims]] for part in parts if part.sizes["run"]
    ]
    merged = xr.concat(
        along_run,
        dim="run",
        join="outer",
        fill_value={v.name: v.not_run for v in VARIABLES if "run" in v.dims},
        combine_attrs="override",
        coords="minimal",
        compat="override",
        data_vars="all",
    )
    for variable in (v for v in VARIABLES if "run" not in v.dims):
        combined = parts[0][variable.name]
        for part in parts[1:]:
            combined = combined.combine_first(part[variable.name])
        merged[variable.name] = combined
    merged.attrs = dict(parts[0].attrs)
    return merged
