"""Is a surrogate worth having? Surrogates and the solver in the plane of cost and error.

    python -m benchmarks.cost_error --data DIR --runs RUN RUN --name kolmogorov --figure plane.png

Every row is a forecast of the finest rung: a run, carried there by a protocol, or the dataset's
equation, solved on some grid with some step. The steps of a grid are twice as many as at the
reference's Courant number, as many, half as many, and so on until the solver breaks. Errors are
total errors of one field, mean over the test trajectories with its 95% interval. Costs are CPU
milliseconds of a frame of one trajectory, on one thread, computed alone or in a batch. `front`
marks those that no other forecast beats in cost (computed alone) and error; `break_even` is the
number of rollouts, as long as the last mark, after which a run has saved the time of its training
against the cheapest solver that errs no more.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.measuring import write_table
from pdesurrogate.data import load_frames, open_dataset
from pdesurrogate.evaluation import mean_interval
from pdesurrogate.evaluation.baselines import CoarseSolver, courant_steps, solver_on
from pdesurrogate.evaluation.cost_error import break_even, pareto_front
from pdesurrogate.evaluation.entries import Entry, Frames, SurrogateEntry
from pdesurrogate.evaluation.equal_cost import allowed_resolutions
from pdesurrogate.evaluation.plan import Plan, plan_evaluation
from pdesurrogate.evaluation.protocols import Native, Projected, TransferProtocol
from pdesurrogate.evaluation.timing import frame_seconds
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.intervals import Interval
from pdesurrogate.metrics import total_error
from pdesurrogate.report.cost_error import FILLINGS, Mark, plot_cost_error
from pdesurrogate.report.looks import baseline_look, surrogate_look

RESULTS = Path(__file__).with_name("results")
_BROKEN = 10.0
"""An error from which on a solver has broken: its next longer step is not tried."""


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Args:
        plan: The runs and the trajectories.
        field: Whose errors.
        marks: Frames after which errors are told, ascending.
        grids: Points along y of the grids on which the equation is solved.
        batch: Trajectories computed at once in the second of the two costs.
        repetitions: Rollouts that are timed.
    """

    plan: Plan
    field: str
    marks: tuple[int, ...]
    grids: tuple[int, ...]
    batch: int
    repetitions: int

    @property
    def finest(self) -> int:
        """The rung on which everything is compared."""
        return self.plan.resolutions[-1]

    def channels(self, entry: Entry) -> list[Field]:
        """What an entry predicts."""
        by_name = {field.name: field for field in self.plan.fields}
        return [by_name[name] for name in entry.fields]


@dataclass(frozen=True)
class Forecast:
    """One point of the plane.

    Args:
        entry: What predicts.
        protocol: How it is carried to the finest rung.
        errors: Total errors at the marks.
        seconds: CPU seconds of a frame of one trajectory, computed alone.
        seconds_in_batch: The same in a batch.
    """

    entry: SurrogateEntry | CoarseSolver
    protocol: TransferProtocol
    errors: Float[np.ndarray, "trajectory mark"]
    seconds: float
    seconds_in_batch: float

    @property
    def is_surrogate(self) -> bool:
        """Whether it was trained."""
        return isinstance(self.entry, SurrogateEntry)

    @property
    def means(self) -> Float[np.ndarray, " mark"]:
        """Mean errors at the marks."""
        return self.errors.mean(axis=0)


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    data = open_dataset(options.data)
    finest = data.resolutions[-1]
    plan = plan_evaluation(
        options.runs,
        data,
        [finest],
        options.protocols,
        split="test",
        num_trajectories=options.trajectories,
        num_steps=max(options.marks),
        device="cpu",
    )
    settings = Settings(
        plan,
        options.field or plan.fields[0].name,
        tuple(sorted(options.marks)),
        tuple(options.grids or usual_grids(allowed_resolutions(plan.data, [finest]))),
        options.batch,
        options.repetitions,
    )
    forecasts = []
    for forecast in measure(settings):
        forecasts.append(forecast)
        print(_told(forecast, settings.marks), flush=True)
    where = (
        f"{options.name}: {settings.field} at {finest} points, {len(plan.trajectories)} "
        f"trajectories, batch {options.batch}, one thread, CPU milliseconds"
    )
    out = options.out or RESULTS / f"cost_error_{options.name}.csv"
    rows = table_rows(forecasts, settings.marks)
    write_table(rows, where, {"torch": torch.__version__}, out)
    if options.figure is not None:
        plot_cost_error(_planes(forecasts, settings.marks), options.figure)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="trained runs")
    parser.add_argument("--name", required=True, help="of the table")
    parser.add_argument("--protocols", nargs="+", default=["projected"])
    parser.add_argument("--grids", type=int, nargs="+", default=None, help="of the solver")
    parser.add_argument("--field", default=None, help="the first predicted one if not said")
    parser.add_argument("--marks", type=int, nargs="+", default=[1, 4, 12], help="frames")
    parser.add_argument("--trajectories", type=int, default=None, help="all if not said")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=3, help="rollouts that are timed")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--figure", type=Path, default=None)
    return parser.parse_args()


def usual_grids(resolutions: Sequence[int]) -> list[int]:
    """Powers of two and thrice powers of two, from an eighth of the finest on."""
    return [n for n in resolutions if n // (n & -n) in (1, 3) and 8 * n >= resolutions[-1]]


def measure(settings: Settings) -> Iterator[Forecast]:
    """Every run under every protocol, then the solver in every way that does not break."""
    frames = _frames(settings.plan, settings.finest)
    for entry, protocol in _surrogates(settings):
        errors = _errors(entry, protocol, frames, settings)
        yield _timed(entry, protocol, errors, frames, settings)
    protocols = (Native(), Projected())
    for n in settings.grids:
        protocol = protocols[n < settings.finest]
        grid = settings.plan.data.grid(settings.finest).at_resolution(n)
        for steps in numbers_of_steps(courant_steps(settings.plan.data, grid)):
            try:
                entry = _solver(settings, grid, steps)
                errors = _errors(entry, protocol, frames, settings)
            except ValueError as reason:
                print(f"solver on {n} points, {steps} steps: {reason}", file=sys.stderr)
                break
            if not (errors < _BROKEN).all():
                print(f"solver on {n} points, {steps} steps: broke", file=sys.stderr)
                break
            yield _timed(entry, protocol, errors, frames, settings)


def numbers_of_steps(at_reference: int) -> list[int]:
    """Twice as many as at the reference's Courant number, then halves down to one."""
    halves = [-(-at_reference // 2**i) for i in range(at_reference.bit_length() + 1)]
    return list(dict.fromkeys([2 * at_reference, *halves]))


def _frames(plan: Plan, resolution: int) -> Frames:
    """All trajectories on the finest rung."""
    rows, times = slice(0, len(plan.trajectories)), slice(0, plan.history + plan.num_steps)
    frames = load_frames(plan.data, plan.split, resolution, plan.loaded_fields, rows, times)
    return Frames(
        frames[:, : plan.history],
        frames[:, plan.history :],
        plan.loaded_fields,
        plan.data.grid(resolution),
        variants=plan.data.variants(plan.split, rows),
        time=plan.data.start_time + (plan.history - 1) * plan.data.time_step,
    )


def _surrogates(settings: Settings) -> Iterator[tuple[SurrogateEntry, TransferProtocol]]:
    plan = settings.plan
    for entry in plan.entries:
        for protocol in plan.protocols:
            is_run = plan.takes_part(entry, protocol, settings.finest)
            if isinstance(entry, SurrogateEntry) and is_run:
                yield entry, protocol


def _solver(settings: Settings, grid: Grid, steps: int) -> CoarseSolver:
    """The equation on a grid, unless it refuses the step."""
    plan = settings.plan
    plan.data.equation.check_stable(grid, plan.data.time_step / steps)
    return solver_on(grid, plan.data, plan.fields, band_grid=plan.band_grid, steps_per_frame=steps)


def _timed(
    entry: SurrogateEntry | CoarseSolver,
    protocol: TransferProtocol,
    errors: Tensor,
    frames: Frames,
    settings: Settings,
) -> Forecast:
    alone, in_batch = (
        _seconds(entry, protocol, _batch(frames, size), settings) / size
        for size in (1, settings.batch)
    )
    return Forecast(entry, protocol, errors.numpy(), alone, in_batch)


def _seconds(entry: Entry, protocol: TransferProtocol, frames: Frames, settings: Settings) -> float:
    """CPU time of a frame, mean over a rollout, of whose every step the least counts.

    Steps may differ: a solver that chooses its sub-steps takes longer where the flow is fast.
    """
    steps = max(1, -(-settings.marks[-1] // entry.bundle) - 1)
    rollouts = [
        frame_seconds(entry, protocol, frames, steps, time.process_time)
        for _ in range(settings.repetitions)
    ]
    return float(np.min(rollouts, axis=0).mean())


@torch.no_grad()
def _errors(
    entry: Entry, protocol: TransferProtocol, frames: Frames, settings: Settings
) -> Float[Tensor, "trajectory mark"]:
    """Total errors of the field, one trajectory at a time to need little memory."""
    channels, place = settings.channels(entry), entry.fields.index(settings.field)
    every = []
    for row in range(len(frames.given)):
        single = _rows_of(frames, [row])
        truth = single.select(entry.fields).truth.double()
        errors = [
            total_error(p.double(), truth[:, k - 1], single.grid, entry.band_grid, channels)
            for k, p in enumerate(entry.predict(single, protocol), start=1)
            if k in settings.marks
        ]
        every.append(torch.stack(errors, dim=1)[..., place])
    return torch.cat(every).nan_to_num(nan=torch.inf)


def _batch(frames: Frames, size: int) -> Frames:
    """So many trajectories, the same ones again where there are too few."""
    return _rows_of(frames, [row % len(frames.given) for row in range(size)])


def _rows_of(frames: Frames, rows: Sequence[int]) -> Frames:
    return replace(
        frames,
        given=frames.given[list(rows)],
        truth=frames.truth[list(rows)],
        variants=tuple(frames.variants[row] for row in rows) if frames.variants else (),
    )


def _name(entry: Entry) -> str:
    if isinstance(entry, CoarseSolver):
        return f"solver {entry.grid.resolution}"
    return entry.label.name


def _told(forecast: Forecast, marks: Sequence[int]) -> str:
    """A line about a forecast."""
    steps = getattr(forecast.entry, "steps_per_frame", "")
    errors = "  ".join(f"{k}: {e:.3g}" for k, e in zip(marks, forecast.means, strict=True))
    cost = f"{1e3 * forecast.seconds:.2f} / {1e3 * forecast.seconds_in_batch:.2f} ms"
    return f"{_name(forecast.entry)} {forecast.protocol.name} {steps}  {cost}  {errors}"


def table_rows(forecasts: Sequence[Forecast], marks: Sequence[int]) -> list[dict[str, Any]]:
    """A row per forecast, as the table has them."""
    seconds = np.array([forecast.seconds for forecast in forecasts])
    means = np.array([forecast.means for forecast in forecasts])
    fronts = {mark: pareto_front(seconds, means[:, i]) for i, mark in enumerate(marks)}
    rows = []
    for number, forecast in enumerate(forecasts):
        entry = forecast.entry
        row: dict[str, Any] = {
            "forecast": _name(entry),
            "protocol": forecast.protocol.name,
            "grid": entry.label.training_resolution,
            "steps_per_frame": getattr(entry, "steps_per_frame", ""),
            "ms_alone": round(1e3 * forecast.seconds, 4),
            "ms_in_batch": round(1e3 * forecast.seconds_in_batch, 4),
        }
        for i, mark in enumerate(marks):
            row |= _error_columns(mean_interval(forecast.errors[:, i]), mark)
            row[f"front_{mark}"] = int(fronts[mark][number])
        rows.append(row | _break_even(forecast, forecasts, marks[-1]))
    return rows


def _error_columns(error: Interval, mark: int) -> dict[str, float]:
    names = (f"error_{mark}", f"error_{mark}_low", f"error_{mark}_high")
    return {name: float(f"{value:.4g}") for name, value in zip(names, error, strict=True)}


def _break_even(forecast: Forecast, forecasts: Sequence[Forecast], frames: int) -> dict[str, Any]:
    """What the training took, and how many rollouts of so many frames pay for it."""
    if not forecast.is_surrogate:
        return {}
    solvers = [f for f in forecasts if not f.is_surrogate]
    errors = np.array([f.means[-1] for f in solvers])
    numbers: dict[str, Any] = {"training_s": round(forecast.entry.label.training_seconds, 1)}
    for column, attribute in (("alone", "seconds"), ("in_batch", "seconds_in_batch")):
        number = break_even(
            forecast.entry.label.training_seconds,
            frames * getattr(forecast, attribute),
            float(forecast.means[-1]),
            frames * np.array([getattr(f, attribute) for f in solvers]),
            errors,
        )
        numbers[f"break_even_{column}"] = float(f"{number:.4g}")
    return numbers


def _planes(forecasts: Sequence[Forecast], marks: Sequence[int]) -> dict[str, list[Mark]]:
    """What a figure shows, by panel."""
    models = list(dict.fromkeys(_name(f.entry) for f in forecasts if f.is_surrogate))
    planes: dict[str, list[Mark]] = {}
    for i, mark in enumerate(marks):
        marked = planes.setdefault(f"After {mark} frame{'s' if mark > 1 else ''}", [])
        for forecast in forecasts:
            error = mean_interval(forecast.errors[:, i])
            if not 0 < error.mean < np.inf:
                continue
            name = _name(forecast.entry)
            if forecast.is_surrogate:
                look, filling = surrogate_look(models.index(name)), forecast.protocol.name
                label = f"{name} {forecast.protocol.name}"
                marked.append(
                    Mark(label, forecast.seconds, error, look, FILLINGS.get(filling, "bottom"))
                )
            else:
                note = str(forecast.entry.label.training_resolution)
                look = baseline_look("coarse solver")
                marked.append(Mark("solver", forecast.seconds, error, look, note=note))
    return planes


if __name__ == "__main__":
    main()
