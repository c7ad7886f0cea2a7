"""What a report compares: methods (a model with all its seeds, or a baseline) under protocols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from pdesurrogate.report.looks import Look, baseline_look, surrogate_look

__all__ = ["SOLVERS", "Method", "Series", "Study"]

SOLVERS = ("coarse solver", "solver at equal cost")
"""Baselines that solve the equation."""


@dataclass(frozen=True)
class Method:
    """A model with all its seeds, or a baseline.

    Args:
        name: What tables, legends and sentences call it.
        runs: Its entries along `run`, one per seed.
        model: The model's or baseline's name in the file.
        is_baseline: Whether it was not trained.
        training_resolution: Points along y of the grid it knows; None if it knows none.
        seeds: Seeds of the trainings; empty for a baseline.
        parameters: Trained numbers.
        flops: Floating-point operations of one frame at the training grid; NaN if unknown.
        training_seconds: Wall time of one training, averaged over seeds.
        told: What it is told besides the fields, as the file lists it.
        look: Colour and marker.
        cost_of: For a solver that was chosen for its cost, the run that costs as much.
    """

    name: str
    runs: tuple[str, ...]
    model: str
    is_baseline: bool
    training_resolution: int | None
    seeds: tuple[int, ...]
    parameters: int
    flops: float
    training_seconds: float
    told: str
    look: Look
    cost_of: str = ""


@dataclass(frozen=True)
class Series:
    """A method under a transfer protocol: one line of a plot."""

    method: Method
    protocol: str

    @property
    def name(self) -> str:
        """Method and protocol; a baseline goes by its own name."""
        return (
            self.method.name if self.method.is_baseline else f"{self.method.name} {self.protocol}"
        )


@dataclass(frozen=True)
class Study:
    """All numbers of the evaluations, by method instead of by run.

    Args:
        table: Root group of the evaluations, along `run`.
        methods: Models first, in the file's order, then baselines.
    """

    table: xr.Dataset
    methods: tuple[Method, ...]

    @classmethod
    def of(cls, table: xr.Dataset) -> Study:
        """Group the runs of a table: those that differ by their seed alone are one method."""
        groups: dict[tuple[object, ...], list[int]] = {}
        for index in range(table.sizes["run"]):
            groups.setdefault(_identity(table, index, groups), []).append(index)
        members = sorted(groups.values(), key=lambda g: table["kind"].values[g[0]] == "baseline")
        names = _names(table, members)
        methods: list[Method] = []
        for indices, name in zip(members, names, strict=True):
            methods.append(_method(table, indices, name, methods))
        return cls(table, tuple(methods))

    @property
    def models(self) -> tuple[Method, ...]:
        """The trained ones."""
        return tuple(m for m in self.methods if not m.is_baseline)

    @property
    def baselines(self) -> tuple[Method, ...]:
        """The untrained ones."""
        return tuple(m for m in self.methods if m.is_baseline)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Evaluation grids, coarsest first."""
        return tuple(sorted(int(n) for n in self.table["resolution"].values))

    def size(self, resolution: int) -> str:
        """Points along y and x of a grid, as headings say them."""
        columns = resolution * float(self.table.attrs.get("columns_per_row", 1.0))
        return f"{resolution} × {round(columns)}"

    @property
    def protocols(self) -> tuple[str, ...]:
        """Transfer protocols, in the file's order."""
        return tuple(str(p) for p in self.table["protocol"].values)

    @property
    def fields(self) -> tuple[str, ...]:
        """Predicted fields; the first is the one that figures show."""
        return tuple(str(f) for f in self.table["field"].values)

    def short_size(self, resolution: int) -> str:
        """The same where there is little room: squares by their side."""
        is_square = float(self.table.attrs.get("columns_per_row", 1.0)) == 1
        return f"{resolution}²" if is_square else self.size(resolution).replace(" ", "")

    @property
    def lead_times(self) -> Float[np.ndarray, " lead_time"]:
        """Time since the last given frame, in `time_unit`."""
        return self.table["lead_time"].values.astype(float) / self._time_scale[0]

    @property
    def spectrum_lead_times(self) -> Float[np.ndarray, " spectrum_lead_time"]:
        """The lead times at which there are spectra, in `time_unit`."""
        return self.table["spectrum_lead_time"].values.astype(float) / self._time_scale[0]

    @property
    def time_unit(self) -> str:
        """What follows a lead time in a sentence: empty where time has no unit."""
        return self._time_scale[1]

    @cached_property
    def _time_scale(self) -> tuple[float, str]:
        """Seconds are told in the largest unit of which the rollout has two."""
        unit = str(self.table.attrs.get("time_units", "1"))
        last = float(self.table["lead_time"].values[-1])
        if unit == "s":
            for length, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
                if last >= 2 * length:
                    return length, name
        return 1.0, "" if unit == "1" else unit

    @property
    def num_trajectories(self) -> int:
        """Trajectories scored."""
        return int(self.table.sizes["trajectory"])

    def series(self, resolution: int, field: str) -> Iterator[Series]:
        """The methods and protocols that predicted a field at a resolution, models first."""
        for method in self.methods:
            for protocol in self.protocols:
                if self.predicts(Series(method, protocol), resolution, field):
                    yield Series(method, protocol)

    def predicts(self, series: Series, resolution: int, field: str) -> bool:
        """Whether it was run at a resolution and the field is among those that it predicts."""
        if not self.was_run(series, resolution):
            return False
        return not np.isnan(self.scores("total_error", series, resolution, field)).all()

    def was_run(self, series: Series, resolution: int) -> bool:
        """Whether any of the method's runs was evaluated so."""
        if resolution not in self.resolutions or series.protocol not in self.protocols:
            return False
        return self._select("blow_up", series, resolution).size > 0

    def scores(
        self, metric: str, series: Series, resolution: int, field: str
    ) -> Float[np.ndarray, "seed trajectory lead_time"]:
        """A metric of a combination that was run; infinite where a rollout broke."""
        return self._select(metric, series, resolution, field=field).astype(float)

    def statistic(
        self, values: xr.DataArray, series: Series, resolution: int, field: str
    ) -> Float[np.ndarray, "seed trajectory"]:
        """A statistic of the table's rollouts, one number for each."""
        picked = self._pick(values.variable, series, resolution, field)
        return picked.transpose("run", "trajectory").values.astype(float)

    def blow_ups(
        self, series: Series, resolution: int
    ) -> Int[np.ndarray, "seed trajectory lead_time"]:
        """1 where a rollout has blown up, 0 where not."""
        return self._select("blow_up", series, resolution).astype(int)

    def seconds_per_step(self, series: Series, resolution: int) -> float:
        """Wall time of one frame of one trajectory, median over seeds; NaN if not measured."""
        seconds = self._select("seconds_per_step", series, resolution)
        return float(np.median(seconds)) if np.isfinite(seconds).all() else float("nan")

    def spectra(
        self, series: Series, resolution: int, field: str
    ) -> Float[np.ndarray, "spectrum_lead_time wavenumber"]:
        """Power per shell, averaged over seeds and trajectories."""
        return self._select("spectrum", series, resolution, field=field).mean(axis=(0, 1))

    def true_spectra(
        self, resolution: int, field: str
    ) -> Float[np.ndarray, "spectrum_lead_time wavenumber"]:
        """The reference's power per shell, averaged over trajectories."""
        return (
            self.table["true_spectrum"].sel(resolution=resolution, field=field).values.mean(axis=0)
        )

    def trained_grid(self, method: Method, field: str) -> int | None:
        """The training grid, if the method predicted the field there."""
        n0 = method.training_resolution
        is_there = n0 is not None and self.predicts(Series(method, "native"), n0, field)
        return n0 if is_there else None

    def field_label(self, field: str) -> str:
        """A field's long name, or its name."""
        return self._of_field("field_long_name", field) or field

    def field_units(self, field: str) -> str:
        """A field's unit, `1` if it has none."""
        return self._of_field("field_units", field) or "1"

    def is_signed(self, field: str) -> bool:
        """Whether a field takes both signs."""
        return self._of_field("field_is_signed", field) != "0"

    def _of_field(self, label: str, field: str) -> str:
        if label not in self.table.coords:
            return ""
        return str(self.table[label].sel(field=field).values)

    def _select(
        self, variable: str, series: Series, resolution: int, field: str | None = None
    ) -> np.ndarray:
        """Values along `run` first, of those of the method's runs that were evaluated so."""
        return self._pick(self.table.variables[variable], series, resolution, field).values

    def _pick(
        self, variable: xr.Variable, series: Series, resolution: int, field: str | None
    ) -> xr.Variable:
        places = self._places
        protocol, rung = places["protocol", series.protocol], places["resolution", resolution]
        runs = [places["run", run] for run in series.method.runs]
        where = {
            "run": [run for run in runs if self._was_evaluated[run, protocol, rung]],
            "protocol": protocol,
            "resolution": rung,
            **({} if field is None else {"field": places["field", field]}),
        }
        return variable.isel(where)

    @cached_property
    def _places(self) -> dict[tuple[str, str | int], int]:
        """Positions of labels along their dimensions. Selecting by label in xarray is slow."""
        return {
            (dim, label): place
            for dim in ("run", "protocol", "resolution", "field")
            for place, label in enumerate(self.table[dim].values.tolist())
        }

    @cached_property
    def _was_evaluated(self) -> Bool[np.ndarray, "run protocol resolution"]:
        return np.any(self.table["blow_up"].values >= 0, axis=(-2, -1))


def _identity(
    table: xr.Dataset, index: int, groups: dict[tuple[object, ...], list[int]]
) -> tuple[object, ...]:
    """What runs of one method share. A repeated seed means that something unnamed differs."""
    row = table.isel(run=index)
    if row["kind"].item() == "baseline":
        return ("baseline", row["run"].item())
    identity = tuple(
        row[key].item()
        for key in ("kind", "model", "settings", "training_resolution", "parameters", "flops")
    )
    taken = [table["seed"].values[i] for i in groups.get(identity, [])]
    return (*identity, row["run"].item()) if row["seed"].item() in taken else identity


def _names(table: xr.Dataset, members: Sequence[Sequence[int]]) -> list[str]:
    """Model names where they tell methods apart, else what the run names have in common."""
    models = [str(table["model"].values[indices[0]]) for indices in members]
    runs = [[str(table["run"].values[index]) for index in indices] for indices in members]
    shared = [
        _beginning(names).rstrip(" -_0123456789").removesuffix(" seed") or names[0]
        for names in runs
    ]
    names = [
        names[0] if len(names) == 1 else common for names, common in zip(runs, shared, strict=True)
    ]
    is_baseline = [table["kind"].values[indices[0]] == "baseline" for indices in members]
    return [
        model if models.count(model) == 1 and not baseline else name
        for model, name, baseline in zip(models, names, is_baseline, strict=True)
    ]


def _beginning(names: Sequence[str]) -> str:
    """The longest string with which all names begin."""
    first, last = min(names), max(names)
    length = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), len(first))  # noqa: B905
    return first[:length]


def _method(
    table: xr.Dataset, indices: Sequence[int], name: str, others: Sequence[Method]
) -> Method:
    """A method after `others`."""
    rows = table.isel(run=list(indices))
    model = str(rows["model"].values[0])
    # Files of earlier releases have no such labels.
    told, cost_of = (
        str(rows[label].values[0]) if label in rows.coords else ""
        for label in ("conditioning", "cost_of")
    )
    is_baseline = bool(rows["kind"].values[0] == "baseline")
    training_resolution = int(rows["training_resolution"].values[0])
    return Method(
        name=name,
        runs=tuple(str(run) for run in rows["run"].values),
        model=model,
        is_baseline=is_baseline,
        training_resolution=training_resolution if training_resolution > 0 else None,
        seeds=() if is_baseline else tuple(int(seed) for seed in rows["seed"].values),
        parameters=int(rows["parameters"].values[0]),
        flops=float(rows["flops"].values[0]),
        training_seconds=float(rows["training_seconds"].values.mean()),
        told=told,
        look=_baseline_look(model, cost_of, others) if is_baseline else surrogate_look(len(others)),
        cost_of=cost_of,
    )


def _baseline_look(model: str, cost_of: str, others: Sequence[Method]) -> Look:
    """A solver that costs as much as a model has the model's marker."""
    twin = next((method for method in others if cost_of in method.runs), None)
    return baseline_look(model, "" if twin is None else twin.look.marker)
