"""Doing what was planned, piece by piece, with bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.data import load_frames
from pdesurrogate.evaluation.entries import Frames
from pdesurrogate.evaluation.pieces import Combination, Piece
from pdesurrogate.evaluation.plan import Plan
from pdesurrogate.evaluation.schema import empty_evaluation, late_steps
from pdesurrogate.evaluation.scoring import score_rollout
from pdesurrogate.evaluation.series import Spectra
from pdesurrogate.evaluation.stored_frames import FrameBlocks, StoredFrames
from pdesurrogate.grids import Grid
from pdesurrogate.metrics import mean_square, spatial_mean
from pdesurrogate.metrics.spectrum import (
    nyquist_wavenumber,
    shell_wavenumbers,
    wavenumber_attributes,
)

__all__ = ["Walk", "complete_shells", "empty_root", "spectrum_steps"]


def complete_shells(grid: Grid) -> Float[np.ndarray, " shell"]:
    """Wavenumbers of the shells below the Nyquist wavenumber."""
    wavenumbers = shell_wavenumbers(grid)
    return wavenumbers[wavenumbers < nyquist_wavenumber(grid) * (1 - 1e-9)]


def spectrum_steps(num_steps: int) -> tuple[int, ...]:
    """Indices of the first, the middle and the last predicted frame."""
    return tuple(sorted({0, (num_steps - 1) // 2, num_steps - 1}))


def empty_root(plan: Plan) -> xr.Dataset:
    """The root group of a planned evaluation, in which nothing has been run yet."""
    data = plan.data
    finest = data.grid(plan.resolutions[-1])
    lead_times = [data.time_step * (k + 1) for k in range(plan.num_steps)]
    return empty_evaluation(
        runs=[entry.label for entry in plan.entries],
        protocols=[protocol.name for protocol in plan.protocols],
        resolutions=plan.resolutions,
        trajectories=plan.trajectories,
        lead_times=lead_times,
        fields=plan.fields,
        wavenumbers=complete_shells(finest),
        spectrum_lead_times=[lead_times[k] for k in spectrum_steps(plan.num_steps)],
        time_units=data.equation.time_units,
        wavenumber_attributes=wavenumber_attributes(finest, data.equation.length_units),
    )


@dataclass(frozen=True)
class Walk:
    """Computes pieces, holding a few frames of one batch at a time.

    Args:
        plan: Where the truth is, and what is scored on which rungs; who takes part is left to the
            pieces.
        device: Where to compute.
    """

    plan: Plan
    device: str

    def visit(self, piece: Piece) -> xr.Dataset:
        """Compute one piece.

        Returns:
            Variables of the root group that have a `trajectory`, without run, protocol and
            resolution, and the fields that are kept as `truth` or `prediction`.

        Raises:
            ValueError: If the model does not allow the grid; the message names the piece.
        """
        frames = self.frames(piece.resolution, piece.trajectories)
        if piece.combination is None:
            return self._truth(piece, frames)
        try:
            return self._rollout(piece, piece.combination, frames)
        except ValueError as error:
            raise ValueError(f"{piece.what}: {error}") from error

    def frames(self, resolution: int, positions: slice) -> Frames:
        """What is given of some trajectories, and what is true, read when it is needed."""
        plan, history = self.plan, self.plan.history
        where = (plan.data, plan.split, resolution, plan.loaded_fields, positions)
        return Frames(
            load_frames(*where, time=slice(0, history)).to(self.device),
            StoredFrames(
                FrameBlocks(*where, first=history, num_steps=plan.num_steps, device=self.device)
            ),
            plan.loaded_fields,
            plan.data.grid(resolution),
            variants=plan.data.variants(plan.split, positions),
            time=plan.data.start_time + (history - 1) * plan.data.time_step,
        )

    def _truth(self, piece: Piece, frames: Frames) -> xr.Dataset:
        """What the predictions are compared with, in numbers."""
        result = self._blank(piece, ())
        example = self._room_for_fields(piece, frames.grid)
        truth = frames.select(tuple(field.name for field in self.plan.fields)).truth
        exact = {"true_spatial_mean": spatial_mean, "true_mean_square": mean_square}
        num_steps = self.plan.num_steps
        spectra = Spectra(frames.grid, spectrum_steps(num_steps), late_steps(num_steps))
        for k in range(num_steps):
            frame = truth[:, k].double()
            for name, metric in exact.items():
                result[name][{"lead_time": k}] = metric(frame, frames.grid).cpu().numpy()
            spectra.put(k, frame)
            if example is not None:
                example[k] = truth[:, k][piece.example].cpu().numpy()
        for s, spectrum in enumerate(spectra.chosen.unbind(1)):
            place = {"spectrum_lead_time": s}
            _write_spectrum(result["true_spectrum"], spectrum, place, frames.grid)
        _write_spectrum(result["true_late_spectrum"], spectra.late, {}, frames.grid)
        return _with_fields(result, "truth", example, frames.grid)

    def _rollout(self, piece: Piece, combination: Combination, frames: Frames) -> xr.Dataset:
        """Roll one entry out, and keep its numbers, and its fields where they are shown."""
        entry, protocol = combination.entry, combination.protocol
        names = [field.name for field in self.plan.fields]
        channels = [names.index(name) for name in entry.fields]
        fields = [self.plan.fields[channel] for channel in channels]
        steps = spectrum_steps(self.plan.num_steps)
        scored = score_rollout(entry, protocol, frames, fields, steps, piece.example)
        result = self._blank(piece, (combination,))
        for name, value in scored.scores.items():
            result[name][{"field": channels}] = value.cpu().numpy()
        result["blow_up"][:] = scored.blow_up.cpu().numpy()
        for s in range(len(steps)):
            place = {"spectrum_lead_time": s, "field": channels}
            for name in ("spectrum", "error_spectrum"):
                _write_spectrum(result[name], getattr(scored, name)[:, s], place, frames.grid)
        place = {"field": channels}
        _write_spectrum(result["late_spectrum"], scored.late_spectrum, place, frames.grid)
        example = self._room_for_fields(piece, frames.grid)
        if example is not None and scored.example is not None:
            example[:, channels] = scored.example.numpy()
        return _with_fields(result, "prediction", example, frames.grid)

    def _blank(self, piece: Piece, ran: Sequence[Combination]) -> xr.Dataset:
        """Those variables of the root group that a piece fills, bare of labels, not run yet."""
        root = empty_root(
            replace(
                self.plan,
                entries=tuple(each.entry for each in ran),
                protocols=tuple(each.protocol for each in ran),
                trajectories=self.plan.trajectories[piece.trajectories],
            )
        )
        rung = self.plan.resolutions.index(piece.resolution)
        place = {"run": 0, "protocol": 0, "resolution": rung}
        filled = {
            name: variable.variable.isel(place, missing_dims="ignore").copy()
            for name, variable in root.data_vars.items()
            if "trajectory" in variable.dims and ("run" in variable.dims) == bool(ran)
        }
        return xr.Dataset({name: (v.dims, v.values) for name, v in filled.items()})

    def _room_for_fields(
        self, piece: Piece, grid: Grid
    ) -> Float[np.ndarray, "lead_time field y x"] | None:
        """Where the fields go that are kept of a piece, NaN yet; None if none are."""
        if piece.example is None:
            return None
        shape = (self.plan.num_steps, len(self.plan.fields), *grid.num_points)
        return np.full(shape, np.nan, dtype=np.float32)


def _with_fields(
    result: xr.Dataset,
    name: str,
    fields: Float[np.ndarray, "lead_time field y x"] | None,
    grid: Grid,
) -> xr.Dataset:
    if fields is None:
        return result
    return result.assign({name: (("lead_time", "field", *grid.dimensions), fields)})


def _write_spectrum(
    variable: xr.DataArray, spectrum: Tensor, place: Mapping[str, Any], grid: Grid
) -> None:
    """Only complete shells are written."""
    count = len(complete_shells(grid))
    spot = {**place, "wavenumber": slice(0, count)}
    variable[spot] = spectrum[..., :count].cpu().numpy()
