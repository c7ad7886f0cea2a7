"""Doing what was planned, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.data import load_frames
from pdesurrogate.evaluation.entries import Entry, Frames
from pdesurrogate.evaluation.plan import Plan
from pdesurrogate.evaluation.protocols import TransferProtocol
from pdesurrogate.evaluation.schema import empty_example, late_steps
from pdesurrogate.evaluation.scoring import score_rollout
from pdesurrogate.evaluation.timing import seconds_per_step
from pdesurrogate.grids import Grid
from pdesurrogate.metrics import mean_square, power_spectrum, spatial_mean
from pdesurrogate.metrics.spectrum import nyquist_wavenumber, shell_wavenumbers

__all__ = ["Walk", "complete_shells", "spectrum_steps"]

_BATCH_BYTES = 256 * 2**20
_LARGEST_BATCH = 16


def complete_shells(grid: Grid) -> Float[np.ndarray, " shell"]:
    """Wavenumbers of the shells below the Nyquist wavenumber."""
    wavenumbers = shell_wavenumbers(grid)
    return wavenumbers[wavenumbers < nyquist_wavenumber(grid) * (1 - 1e-9)]


def spectrum_steps(num_steps: int) -> tuple[int, ...]:
    """Indices of the first, the middle and the last predicted frame."""
    return tuple(sorted({0, (num_steps - 1) // 2, num_steps - 1}))


@dataclass(frozen=True)
class Walk:
    """Fills the root group rung by rung, batch by batch, holding one batch of frames at a time.

    Args:
        plan: What to do, and where the truth is.
        root: The empty evaluation.
        example_trajectory: The trajectory whose fields are kept.
        batch_size: Trajectories stepped at once; None for as many as `evaluate` says.
        device: Where to compute.
    """

    plan: Plan
    root: xr.Dataset
    example_trajectory: int
    batch_size: int | None
    device: str

    @property
    def num_rollouts(self) -> int:
        """Batches of rollouts to do."""
        return sum(
            len(self._batches(resolution)) * len(self._combinations(resolution))
            for resolution in self.plan.resolutions
        )

    def visit(self, resolution: int, advance: Callable[[str], None]) -> xr.Dataset:
        """Evaluate everybody on one rung and return its example fields."""
        grid = self.plan.data.grid(resolution)
        units = self.plan.data.equation.length_units
        example = empty_example(self.root, grid, self.example_trajectory, units)
        for positions in self._batches(resolution):
            frames = self._frames(resolution, positions)
            place = {"resolution": self.plan.resolutions.index(resolution), "trajectory": positions}
            self._write_truth(frames, place)
            shown = self._example_position(positions)
            if shown is not None:
                fields = tuple(field.name for field in self.plan.fields)
                example["truth"].values[:] = frames.select(fields).truth[shown].cpu().numpy()
            for entry, protocol in self._combinations(resolution):
                what = f"{entry.label.name}, {protocol.name} at {resolution}"
                try:
                    self._score(entry, protocol, frames, place, example, shown)
                except ValueError as error:  # a grid that the model does not allow
                    raise ValueError(f"{what}: {error}") from error
                advance(what)
        return example

    def _combinations(self, resolution: int) -> list[tuple[Entry, TransferProtocol]]:
        return [
            (entry, protocol)
            for entry in self.plan.entries
            for protocol in self.plan.protocols
            if self.plan.takes_part(entry, protocol, resolution)
        ]

    def _batches(self, resolution: int) -> list[slice]:
        """Positions along `trajectory` of the batches, so small that the frames fit in memory."""
        points = np.prod(self.plan.data.grid(resolution).num_points)
        frames = self.plan.history + self.plan.num_steps
        trajectory_bytes = int(4 * points * frames * len(self.plan.loaded_fields))
        size = self.batch_size or min(max(_BATCH_BYTES // trajectory_bytes, 1), _LARGEST_BATCH)
        count = len(self.plan.trajectories)
        return [slice(first, min(first + size, count)) for first in range(0, count, size)]

    def _frames(self, resolution: int, positions: slice) -> Frames:
        history, num_steps = self.plan.history, self.plan.num_steps
        frames = load_frames(
            self.plan.data,
            self.plan.split,
            resolution,
            self.plan.loaded_fields,
            trajectories=positions,
            time=slice(0, history + num_steps),
        ).to(self.device)
        return Frames(
            frames[:, :history],
            frames[:, history:],
            self.plan.loaded_fields,
            self.plan.data.grid(resolution),
            variants=self.plan.data.variants(self.plan.split, positions),
            time=self.plan.data.start_time + (history - 1) * self.plan.data.time_step,
        )

    def _example_position(self, positions: slice) -> int | None:
        indices = self.plan.trajectories[positions]
        if self.example_trajectory not in indices:
            return None
        return indices.index(self.example_trajectory)

    def _write_truth(self, frames: Frames, place: Mapping[str, Any]) -> None:
        truth = frames.select(tuple(field.name for field in self.plan.fields)).truth
        exact = {"true_spatial_mean": spatial_mean, "true_mean_square": mean_square}
        for k, frame in enumerate(truth.unbind(1)):
            for name, metric in exact.items():
                value = metric(frame.double(), frames.grid).cpu().numpy()
                self.root[name][{**place, "lead_time": k}] = value
        for s, k in enumerate(spectrum_steps(self.plan.num_steps)):
            spectrum = power_spectrum(truth[:, k].double(), frames.grid)
            self._write_spectrum("true_spectrum", spectrum, {**place, "spectrum_lead_time": s})
        late = [
            power_spectrum(truth[:, k].double(), frames.grid)
            for k in late_steps(self.plan.num_steps)
        ]
        self._write_spectrum("true_late_spectrum", torch.stack(late).mean(dim=0), place)

    def _score(
        self,
        entry: Entry,
        protocol: TransferProtocol,
        frames: Frames,
        place: Mapping[str, Any],
        example: xr.Dataset,
        shown: int | None,
    ) -> None:
        """Roll one entry out, write its numbers, and its fields where they are shown."""
        run, column = self.plan.entries.index(entry), self.plan.protocols.index(protocol)
        place = {"run": run, "protocol": column, **place}
        names = [field.name for field in self.plan.fields]
        channels = [names.index(name) for name in entry.fields]
        fields = [self.plan.fields[channel] for channel in channels]
        steps = spectrum_steps(self.plan.num_steps)
        is_shown = entry.is_forecast and entry.label.model != "persistence"
        result = score_rollout(entry, protocol, frames, fields, steps, shown if is_shown else None)
        for name, value in result.scores.items():
            self.root[name][{**place, "field": channels}] = value.cpu().numpy()
        self.root["blow_up"][place] = result.blow_up.cpu().numpy()
        for s in range(len(steps)):
            spot = {**place, "spectrum_lead_time": s, "field": channels}
            self._write_spectrum("spectrum", result.spectrum[:, s], spot)
            self._write_spectrum("error_spectrum", result.error_spectrum[:, s], spot)
        spot = {**place, "field": channels}
        self._write_spectrum("late_spectrum", result.late_spectrum, spot)
        if result.example is not None:
            spot = {"run": run, "protocol": column, "field": channels}
            example["prediction"][spot] = result.example.numpy()
        if place["trajectory"].start == 0 and entry.is_forecast:
            spot = {key: place[key] for key in ("run", "protocol", "resolution")}
            self.root["seconds_per_step"][spot] = seconds_per_step(entry, protocol, frames)

    def _write_spectrum(self, name: str, spectrum: Tensor, place: Mapping[str, Any]) -> None:
        """Only complete shells are written."""
        grid = self.plan.data.grid(self.plan.resolutions[place["resolution"]])
        count = len(complete_shells(grid))
        spot = {**place, "wavenumber": slice(0, count)}
        self.root[name][spot] = spectrum[..., :count].cpu().numpy()
