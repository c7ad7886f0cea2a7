"""From one rollout to its numbers, frame by frame, so that no rollout is kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdesurrogate.evaluation.entries import Entry, Frames
from pdesurrogate.evaluation.protocols import TransferProtocol
from pdesurrogate.evaluation.schema import late_steps
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.metrics import (
    correlation,
    distribution_distance,
    in_band_error,
    increment_distance,
    mean_square,
    nrmse,
    out_of_band_error,
    power_spectrum,
    spatial_mean,
    vrmse,
)
from pdesurrogate.metrics.blow_up import blow_up_limit

__all__ = ["RolloutScores", "score_frame", "score_rollout"]


@dataclass(frozen=True)
class RolloutScores:
    """The numbers of one rollout of a batch of trajectories.

    Args:
        scores: Every variable of `SCORES`, over `(trajectory, lead_time, field)`.
        blow_up: Whether the rollout has blown up, over `(trajectory, lead_time)`.
        spectrum: Power per shell at the chosen steps, over `(trajectory, lead_time, field, shell)`.
        error_spectrum: The same of prediction minus truth.
        late_spectrum: Power per shell, averaged over the steps of the second half.
        example: Predicted frames of the batch's chosen trajectory, over `(lead_time, field, y, x)`.
    """

    scores: dict[str, Float[Tensor, "trajectory lead_time field"]]
    blow_up: Bool[Tensor, "trajectory lead_time"]
    spectrum: Float[Tensor, "trajectory spectrum_lead_time field shell"]
    error_spectrum: Float[Tensor, "trajectory spectrum_lead_time field shell"]
    late_spectrum: Float[Tensor, "trajectory field shell"]
    example: Float[Tensor, "lead_time field y x"] | None


@torch.no_grad()
def score_rollout(
    entry: Entry,
    protocol: TransferProtocol,
    frames: Frames,
    fields: Sequence[Field],
    spectrum_steps: tuple[int, ...],
    example: int | None = None,
) -> RolloutScores:
    """Roll out and compare every predicted frame with the truth, in double precision.

    From its first non-finite value on, in whatever field, a trajectory is lost: its errors are
    infinite, its correlation 0, its integrals and spectra infinite.

    Args:
        entry: What predicts.
        protocol: How it is carried to the frames' grid.
        frames: What is given and what is true.
        fields: What the entry predicts, in its order.
        spectrum_steps: Indices of the steps whose spectra are kept.
        example: Which trajectory of the batch to keep the fields of; None for none.
    """
    truth = frames.select(entry.fields).truth
    limit = blow_up_limit(truth, frames.grid)
    is_lost = torch.zeros(len(truth), dtype=torch.bool, device=truth.device)
    has_blown_up = is_lost
    per_step: list[dict[str, Tensor]] = []
    blow_up, kept = [], []
    spectra = _Spectra(frames.grid, spectrum_steps, late_steps(frames.num_steps))
    for k, predicted in enumerate(entry.predict(frames, protocol)):
        is_lost = is_lost | ~predicted.flatten(1).isfinite().all(dim=1)
        p, y = predicted.double(), truth[:, k].double()
        scores = score_frame(p, y, fields, frames.grid, entry.band_grid)
        for name, value in scores.items():
            value[is_lost] = 0.0 if name == "correlation" else torch.inf
        per_step.append(scores)
        has_blown_up = has_blown_up | (scores["mean_square"] > limit).any(dim=1)
        blow_up.append(has_blown_up)
        spectra.add(k, p, y, is_lost)
        if example is not None:
            kept.append(predicted[example].float().cpu())
    return RolloutScores(
        {name: torch.stack([s[name] for s in per_step], dim=1) for name in per_step[0]},
        torch.stack(blow_up, dim=1),
        torch.stack(spectra.predicted, dim=1),
        torch.stack(spectra.errors, dim=1),
        torch.stack(spectra.late).mean(dim=0),
        torch.stack(kept) if kept else None,
    )


@dataclass(frozen=True)
class _Spectra:
    """Collects the spectra of a rollout.

    Args:
        grid: Where its fields are sampled.
        chosen_steps: The steps whose spectra are kept.
        late_steps: The steps over which spectra are averaged.
        predicted: Spectra of the prediction at the chosen steps.
        errors: Spectra of prediction minus truth at the chosen steps.
        late: Spectra of the prediction at the late steps.
    """

    grid: Grid
    chosen_steps: tuple[int, ...]
    late_steps: range
    predicted: list[Tensor] = field(default_factory=list)
    errors: list[Tensor] = field(default_factory=list)
    late: list[Tensor] = field(default_factory=list)

    def add(self, step: int, p: Tensor, y: Tensor, is_lost: Tensor) -> None:
        """Take a frame; infinite where its trajectory is lost."""
        if step not in self.chosen_steps and step not in self.late_steps:
            return
        predicted = self._spectrum(p, is_lost)
        if step in self.chosen_steps:
            self.predicted.append(predicted)
            self.errors.append(self._spectrum(p - y, is_lost))
        if step in self.late_steps:
            self.late.append(predicted)

    def _spectrum(self, u: Tensor, is_lost: Tensor) -> Tensor:
        spectrum = power_spectrum(u, self.grid)
        spectrum[is_lost] = torch.inf
        return spectrum


def score_frame(
    prediction: Float[Tensor, "trajectory field y x"],
    truth: Float[Tensor, "trajectory field y x"],
    fields: Sequence[Field],
    grid: Grid,
    band_grid: Grid,
) -> dict[str, Float[Tensor, "trajectory field"]]:
    """Every variable of `SCORES` for one predicted frame.

    Args:
        prediction: Fields on `grid`.
        truth: The same fields of the reference.
        fields: What they are; on a sphere the parts of a wind are split by band together.
        grid: Where they are sampled.
        band_grid: The grid whose band tells in-band from out-of-band errors.
    """
    normalised = nrmse(prediction, truth, grid)
    inside = in_band_error(prediction, truth, grid, band_grid, fields)
    outside = out_of_band_error(prediction, truth, grid, band_grid, fields)
    return {
        "nrmse": normalised,
        "vrmse": vrmse(prediction, truth, grid),
        "r_mse": normalised**2,
        "correlation": correlation(prediction, truth, grid),
        "in_band_error": inside,
        "out_of_band_error": outside,
        "total_error": torch.hypot(inside, outside),
        "spatial_mean": spatial_mean(prediction, grid),
        "mean_square": mean_square(prediction, grid),
        "distribution_distance": distribution_distance(prediction, truth, grid),
        "increment_distance": increment_distance(prediction, truth, grid),
    }
