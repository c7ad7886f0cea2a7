"""Measuring what was planned, one batch of trajectories at one start frame at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.data import load_frames
from pdesurrogate.evaluation.baselines import CoarseSolver
from pdesurrogate.evaluation.entries import Frames, SurrogateEntry
from pdesurrogate.evaluation.scaling.commutation import commutation_error
from pdesurrogate.evaluation.scaling.level_losses import level_losses, level_projections
from pdesurrogate.evaluation.scaling.new_detail import out_of_band_change
from pdesurrogate.evaluation.scaling.norms import relative_norm
from pdesurrogate.evaluation.scaling.plan import ScalingPlan
from pdesurrogate.evaluation.scaling.views import band_limited, one_step, restricted
from pdesurrogate.grids import Grid

__all__ = ["ScalingWalk"]

_Answers = Mapping[int, Float[Tensor, "batch bundle field y x"]]
"""What one step predicts on each rung."""

_Detail = dict[tuple[int, int], dict[str, Float[Tensor, "batch field"]]]
"""What physics creates beyond a training grid's band on a finer one, by both resolutions."""


@dataclass(frozen=True)
class _Views:
    """A batch of trajectories at one start frame.

    Args:
        whole: As every rung sees it.
        band: As every rung sees what a training grid knows of it, by training grid and rung.
    """

    whole: Mapping[int, Frames]
    band: Mapping[int, Mapping[int, Frames]]


@dataclass(frozen=True)
class ScalingWalk:
    """Fills the table, holding one batch of trajectories at one start frame at a time.

    Args:
        plan: What to do, and where the truth is.
        table: The empty scaling file.
        batch_size: Trajectories stepped at once.
        device: Where to compute.
    """

    plan: ScalingPlan
    table: xr.Dataset
    batch_size: int
    device: str

    @property
    def num_steps(self) -> int:
        """How often a network or the solver is taken up the ladder."""
        return len(self._batches()) * len(self.plan.starts) * (len(self.plan.entries) + 1)

    def go(self, advance: Callable[[str], None]) -> None:
        """Measure everybody everywhere."""
        for positions in self._batches():
            for s in range(len(self.plan.starts)):
                views = self._views(positions, s)
                spot = {"trajectory": positions, "start": s}
                detail = self._detail(views)
                for run, entry in enumerate(self.plan.entries):
                    self._measure(run, entry, views, spot)
                    if run < len(self.plan.trained):
                        self._write_detail(run, entry, detail, spot)
                    advance(entry.label.name)
                answers = {n: one_step(self.plan.solvers[n], v) for n, v in views.whole.items()}
                solver = self.plan.solvers[self._top]
                self._write_commutation(len(self.plan.entries), solver, answers, views, spot)
                advance("solver")

    @property
    def _top(self) -> int:
        return self.plan.resolutions[-1]

    def _grid(self, resolution: int) -> Grid:
        return self.plan.data.grid(resolution)

    def _batches(self) -> list[slice]:
        count = len(self.plan.evaluation.trajectories)
        size = self.batch_size
        return [slice(first, min(first + size, count)) for first in range(0, count, size)]

    def _views(self, positions: slice, s: int) -> _Views:
        plan, last = self.plan, self.plan.starts[s]
        evaluation, history = plan.evaluation, plan.evaluation.history
        frames = load_frames(
            plan.data,
            evaluation.split,
            self._top,
            evaluation.loaded_fields,
            trajectories=positions,
            time=slice(last + 1 - history, last + 1 + plan.horizon),
        ).to(self.device)
        top = Frames(
            frames[:, :history],
            frames[:, history:],
            evaluation.loaded_fields,
            self._grid(self._top),
            variants=plan.data.variants(evaluation.split, positions),
            time=plan.data.start_time + last * plan.data.time_step,
        )
        fields = plan.channel_fields
        whole = {n: restricted(top, fields, self._grid(n)) for n in plan.resolutions}
        trained = {entry.training_grid.resolution for entry in plan.trained}
        return _Views(
            whole,
            {
                n0: {
                    n: band_limited(view, fields, self._grid(n0))
                    for n, view in whole.items()
                    if n >= n0
                }
                for n0 in trained
            },
        )

    def _measure(
        self, run: int, entry: SurrogateEntry, views: _Views, spot: Mapping[str, Any]
    ) -> None:
        """Everything that a network is asked for; untrained ones are asked for commutation only."""
        answers = {n: _answer(entry, view) for n, view in views.whole.items()}
        self._write_commutation(run, entry, answers, views, spot)
        if run >= len(self.plan.trained):
            return
        n0 = entry.training_grid.resolution
        for n, band in views.band[n0].items():
            whole = views.whole[n]
            from_band = _answer(entry, band)[:, 0] if n > n0 else answers[n][:, 0]
            errors = {
                "extrapolation_error": _error(entry, answers[n][:, 0], whole),
                "interpolation_error": _error(entry, from_band, band),
            }
            if n > n0:
                errors["out_of_band_change"] = self._beyond(
                    entry, from_band, band, entry.training_grid
                )
            self._write(run, entry, n, errors, spot)
            self._write_level_losses(run, entry, answers[n], whole, spot)

    def _write_commutation(
        self,
        run: int,
        entry: SurrogateEntry | CoarseSolver,
        answers: _Answers,
        views: _Views,
        spot: Mapping[str, Any],
    ) -> None:
        before = views.whole[self._top].select(entry.fields).given[:, -1]
        fields = [self.plan.data.fields[name] for name in entry.fields]
        top, fine = self._grid(self._top), answers[self._top][:, 0]
        for n in self.plan.resolutions[:-1]:
            coarse = answers[n][:, 0]
            found = commutation_error(fine, coarse, before, fields, top, self._grid(n))
            errors = {
                "commutation_error": found.error,
                "commutation_error_of_change": found.error_of_change,
            }
            self._write(run, entry, n, errors, spot)

    def _detail(self, views: _Views) -> _Detail:
        """What the truth and the solver make beyond each training grid's band."""
        return {
            (n0, n): {
                "solver_out_of_band_change": self._beyond(
                    solver, one_step(solver, band)[:, 0], band, self._grid(n0)
                ),
                "true_out_of_band_change": self._beyond(
                    solver,
                    views.whole[n].select(solver.fields).truth[:, 0],
                    views.whole[n],
                    self._grid(n0),
                ),
            }
            for n0, bands in views.band.items()
            for n, band in bands.items()
            if n > n0
            for solver in (self.plan.solvers[n],)
        }

    def _write_detail(
        self, run: int, entry: SurrogateEntry, detail: _Detail, spot: Mapping[str, Any]
    ) -> None:
        names = [field.name for field in self.plan.evaluation.fields]
        channels = [names.index(name) for name in entry.fields]
        for (n0, n), shares in detail.items():
            if n0 == entry.training_grid.resolution:
                own = {name: share[:, channels] for name, share in shares.items()}
                self._write(run, entry, n, own, spot)

    def _beyond(
        self, entry: SurrogateEntry | CoarseSolver, after: Tensor, before: Frames, band_grid: Grid
    ) -> Float[Tensor, "batch field"]:
        fields = [self.plan.data.fields[name] for name in entry.fields]
        given = before.select(entry.fields).given[:, -1]
        return out_of_band_change(after, given, fields, before.grid, band_grid)

    def _write_level_losses(
        self,
        run: int,
        entry: SurrogateEntry,
        answer: Float[Tensor, "batch bundle field y x"],
        frames: Frames,
        spot: Mapping[str, Any],
    ) -> None:
        """Where the network has levels: errors of what the network itself should have answered."""
        surrogate = entry.surrogate
        projections = level_projections(surrogate.module, frames.grid)
        if not projections:
            return
        own = frames.select(entry.fields)
        found = level_losses(
            surrogate.network_target(own.given, answer),
            surrogate.network_target(own.given, own.truth[:, : entry.bundle]),
            projections,
        )
        place = {
            "run": run,
            "resolution": self.plan.resolutions.index(frames.grid.resolution),
            **spot,
            "level": slice(0, len(projections) + 1),
        }
        self.table["level_loss"][place] = found.loss
        self.table["level_truncation"][place] = found.truncation

    def _write(
        self,
        run: int,
        entry: SurrogateEntry | CoarseSolver,
        resolution: int,
        values: Mapping[str, Float[Tensor, "batch field"]],
        spot: Mapping[str, Any],
    ) -> None:
        names = [field.name for field in self.plan.evaluation.fields]
        place = {
            "run": run,
            "resolution": self.plan.resolutions.index(resolution),
            **spot,
            "field": [names.index(name) for name in entry.fields],
        }
        for name, value in values.items():
            self.table[name][place] = value.cpu().numpy().astype(np.float32)


def _answer(entry: SurrogateEntry, frames: Frames) -> Float[Tensor, "batch bundle field y x"]:
    try:
        return one_step(entry, frames)
    except ValueError as error:  # a grid that the model does not allow
        raise ValueError(f"{entry.label.name} at {frames.grid.resolution}: {error}") from error


def _error(
    entry: SurrogateEntry, predicted: Float[Tensor, "batch field y x"], frames: Frames
) -> Float[Tensor, "batch field"]:
    """One-step error against the frames' own truth."""
    truth = frames.select(entry.fields).truth[:, 0].double()
    return relative_norm(predicted.double() - truth, frames.grid, truth, frames.grid)
