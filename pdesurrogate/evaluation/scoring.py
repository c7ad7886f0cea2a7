"""From one rollout to its numbers, frame by frame, so that no rollout is kept in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdesurrogate.evaluation.entries import Entry, Frames
from pdesurrogate.evaluation.protocols import TransferProtocol
from pdesurrogate.evaluation.schema import late_steps
from pdesurrogate.evaluation.series import Spectra, StepSeries
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
    spatial_mean,
    vrmse,
)
from pdesurrogate.metrics.blow_up import limit_of_mean_squares

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
    is_lost = torch.zeros(len(frames.given), dtype=torch.bool, device=frames.given.device)
    scores: dict[str, StepSeries] = defaultdict(lambda: StepSeries(frames.num_steps))
    true_mean_square, kept = StepSeries(frames.num_steps), StepSeries(frames.num_steps)
    spectra = Spectra(frames.grid, spectrum_steps, late_steps(frames.num_steps))
    errors = Spectra(frames.grid, spectrum_steps, ())
    for k, predicted in enumerate(entry.predict(frames, protocol)):
        is_lost = is_lost | ~predicted.flatten(1).isfinite().all(dim=1)
        p, y = predicted.double(), truth[:, k].double()
        for name, value in score_frame(p, y, fields, frames.grid, entry.band_grid).items():
            value[is_lost] = 0.0 if name == "correlation" else torch.inf
            scores[name].put(k, value)
        true_mean_square.put(k, mean_square(y, frames.grid))
        spectra.put(k, p, is_lost)
        errors.put(k, p - y, is_lost)
        if example is not None:
            kept.put(k, predicted[example : example + 1].float().cpu())
    return RolloutScores(
        {name: series.values for name, series in scores.items()},
        _has_blown_up(scores["mean_square"].values, true_mean_square.values),
        spectra.chosen,
        errors.chosen,
        spectra.late,
        None if example is None else kept.values[0],
    )


def _has_blown_up(
    mean_square: Float[Tensor, "trajectory lead_time field"],
    true_mean_square: Float[Tensor, "trajectory lead_time field"],
) -> Bool[Tensor, "trajectory lead_time"]:
    """From the first frame on at which a field exceeds the limit: known once all truth is seen."""
    limit = limit_of_mean_squares(true_mean_square)
    exceeds = (mean_square > limit[:, None]).any(dim=2)
    return exceeds.cumsum(dim=1) > 0


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
    single = prediction.float(), truth.float()  # sorted in half the time, and they were no more
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
        "distribution_distance": distribution_distance(*single, grid).double(),
        "increment_distance": increment_distance(*single, grid).double(),
    }
