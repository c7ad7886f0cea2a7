"""Scaling files by method instead of by run: curves over the ladder, and their orders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float

from pdesurrogate.evaluation import OrderFit, observed_order, open_scaling
from pdesurrogate.evaluation.scaling.schema import UNTRAINED
from pdesurrogate.report.looks import Look, baseline_look, surrogate_look

__all__ = ["ScalingMethod", "ScalingStudy", "gather_scaling"]


@dataclass(frozen=True)
class ScalingMethod:
    """Networks that differ by their seed alone, trained or not, or the solver.

    Args:
        name: What legends and tables call it.
        kind: `surrogate`, `untrained` or `baseline`.
        table: Its part of a scaling file, along `run`.
        fitted_rungs: Finest rungs below the top that its order is fitted to.
        rounding: Errors that are rounding.
        look: Colour and marker; an untrained network has those of the trained one.
    """

    name: str
    kind: str
    table: xr.Dataset
    fitted_rungs: int
    rounding: float
    look: Look

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Its ladder, ascending."""
        return tuple(int(n) for n in self.table["resolution"].values)

    @property
    def is_trained(self) -> bool:
        """Whether it has learned."""
        return self.kind == "surrogate"

    @property
    def is_untrained(self) -> bool:
        """Whether it is a network with initial weights."""
        return self.kind == UNTRAINED

    def predicts(self, field: str) -> bool:
        """Whether it predicts a field."""
        known = self.table["field"].values
        return field in known and bool(np.isfinite(self.lines("commutation_error", field)).any())

    def lines(self, variable: str, field: str) -> Float[np.ndarray, "run rung"]:
        """Means over trajectories and start frames, of each run, on every rung."""
        values = self.table[variable].sel(field=field)
        return values.mean(("trajectory", "start"), skipna=False).values.astype(float)

    def line(self, variable: str, field: str) -> Float[np.ndarray, " rung"]:
        """Means over runs, trajectories and start frames on every rung."""
        return self.lines(variable, field).mean(axis=0)

    def at(self, variable: str, field: str, resolution: int) -> Float[np.ndarray, "run trajectory"]:
        """Means over start frames on one rung; NaN if the ladder lacks it."""
        if resolution not in self.resolutions:
            return np.full((self.table.sizes["run"], self.table.sizes["trajectory"]), np.nan)
        values = self.table[variable].sel(field=field, resolution=resolution)
        return values.mean("start", skipna=False).values.astype(float)

    def order(self, field: str) -> OrderFit | None:
        """Of the errors averaged over its runs; None where the ladder is too short for one."""
        values = self.table["commutation_error"].sel(field=field).mean(("run", "start"))
        errors = values.transpose("trajectory", "resolution").values.astype(float)[:, :-1]
        if errors.shape[1] < 2 or np.isnan(errors).any():
            return None
        spacings = 1.0 / np.array(self.resolutions)
        last = min(self.fitted_rungs, errors.shape[1])
        return observed_order(spacings[:-1], errors, spacings[-1], last=last, floor=self.rounding)


@dataclass(frozen=True)
class ScalingStudy:
    """What one or several scaling files say.

    Args:
        methods: Trained networks, each followed by the untrained ones; the solver last.
        dataset_sha256: The dataset's identity.
        commands: Command lines that made the files.
    """

    methods: tuple[ScalingMethod, ...]
    dataset_sha256: str
    commands: tuple[str, ...] = ()

    @classmethod
    def of(cls, scaling: xr.Dataset, looks: Mapping[str, Look] | None = None) -> ScalingStudy:
        """Group the runs of one file.

        Args:
            scaling: An opened scaling file.
            looks: Looks of runs by name, as far as other plots have given them some.
        """
        groups: dict[tuple[object, ...], list[int]] = {}
        for index in range(scaling.sizes["run"]):
            groups.setdefault(_identity(scaling, index), []).append(index)
        trained: dict[tuple[object, ...], Look] = {}
        methods = []
        for (kind, *network), indices in groups.items():
            rows = scaling.isel(run=indices)
            key = tuple(network)
            first = str(rows["run"].values[0])
            if kind == "baseline":
                look = baseline_look("coarse solver")
            elif key not in trained:
                known = (looks or {}).get(first)
                look = trained[key] = known or surrogate_look(len(trained))
            else:
                look = trained[key]
            methods.append(
                ScalingMethod(
                    _name(scaling, str(kind), rows),
                    str(kind),
                    rows,
                    int(scaling.attrs["fitted_rungs"]),
                    float(scaling.attrs["rounding"]),
                    look,
                )
            )
        commands = json.loads(scaling.attrs.get("commands", "[]"))
        return cls(tuple(methods), str(scaling.attrs["dataset_sha256"]), tuple(commands))

    def showing(self, field: str) -> tuple[ScalingMethod, ...]:
        """The methods that predict a field."""
        return tuple(method for method in self.methods if method.predicts(field))

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Every rung of every ladder, ascending."""
        return tuple(sorted({n for method in self.methods for n in method.resolutions}))


def gather_scaling(
    paths: Sequence[Path], dataset_sha256: str, looks: Mapping[str, Look]
) -> ScalingStudy | None:
    """Open scaling files; the solver and networks that several hold are taken from the first.

    Args:
        paths: The files.
        dataset_sha256: The dataset that the page is about.
        looks: Looks of runs by name.

    Returns:
        None if there is no file.

    Raises:
        ValueError: If a file is damaged or belongs to another dataset.
    """
    methods: list[ScalingMethod] = []
    commands: list[str] = []
    for path in paths:
        scaling = open_scaling(path)
        if scaling.attrs.get("dataset_sha256") != dataset_sha256:
            raise ValueError(
                f"{path} belongs to another dataset ({scaling.attrs.get('dataset', 'unnamed')}) "
                "than the evaluations of the report"
            )
        study = ScalingStudy.of(scaling, looks)
        known = {method.name for method in methods}
        methods += [method for method in study.methods if method.name not in known]
        commands += study.commands
    return ScalingStudy(tuple(methods), dataset_sha256, tuple(commands)) if paths else None


def _identity(scaling: xr.Dataset, index: int) -> tuple[object, ...]:
    """What runs of one method share; untrained networks have the fingerprint of the trained."""
    row = scaling.isel(run=index)
    keys = ("kind", "model", "settings", "training_resolution", "parameters", "flops")
    return tuple(str(row[key].item()) for key in keys)


def _name(scaling: xr.Dataset, kind: str, rows: xr.Dataset) -> str:
    """The model's name where it tells the networks of a kind apart, else the first run's."""
    if kind == "baseline":
        return str(rows["run"].values[0])
    same = scaling["kind"].values == kind
    model, runs = str(rows["model"].values[0]), rows.sizes["run"]
    alone = int((scaling["model"].values[same] == model).sum()) == runs
    if kind == UNTRAINED:
        first = str(rows["run"].values[0]).rpartition(f" {UNTRAINED} ")[0]
        return f"{model if alone else first}, {UNTRAINED}"
    return model if alone else str(rows["run"].values[0])
