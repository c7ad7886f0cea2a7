"""How good a surrogate is on rollouts of the validation split."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.metrics import nrmse
from pdesurrogate.rollout import rollout_frames
from pdesurrogate.surrogate import Surrogate

__all__ = ["RolloutValidation", "spread_windows"]


@dataclass(frozen=True)
class RolloutValidation:
    """Normalised RMS error of rollouts: their mean over the lead times, and their first frame.

    Not the last frame: in a chaotic flow its error may be smallest for a network that predicts
    next to nothing.

    Args:
        windows: Given frames followed by the frames to predict.
        history: How many frames are given.
        grid: Where they are sampled.
        batch_size: Rollouts that are stepped at once.
    """

    windows: Float[Tensor, "window time channel y x"]
    history: int
    grid: Grid
    batch_size: int

    @torch.no_grad()
    def __call__(self, surrogate: Surrogate) -> tuple[float, float]:
        """Mean errors over windows and fields.

        Returns:
            The mean error of all frames and that of the first. One that is not finite counts as
            infinite: nothing is worse than a rollout that broke.
        """
        every, first = [], []
        fields = slice(len(surrogate.info.fields))  # beyond them are conditions
        for windows in self.windows.split(self.batch_size):
            given, following = windows[:, : self.history], windows[:, self.history :]
            predicted = rollout_frames(
                surrogate.step, given, following.shape[1], surrogate.info.bundle
            )
            errors = [
                nrmse(frame[:, fields], truth[:, fields], self.grid)
                for frame, truth in zip(predicted, following.unbind(1), strict=True)
            ]
            first.append(errors[0])
            every.extend(errors)
        return _finite_mean(every), _finite_mean(first)


def spread_windows(
    num_trajectories: int, per_trajectory: int, spacing: int, at_most: int
) -> Int[Tensor, " window"]:
    """Numbers of windows that do not overlap, spread evenly over a split.

    Windows are numbered by trajectory and, within it, by first frame.

    Args:
        num_trajectories: Trajectories of the split.
        per_trajectory: Windows of each.
        spacing: Stored frames from one window's first to that of the next that shares none.
        at_most: Greatest number of windows.

    Example:
        >>> spread_windows(num_trajectories=2, per_trajectory=5, spacing=3, at_most=9).tolist()
        [0, 3, 5, 8]
    """
    first = torch.arange(num_trajectories)[:, None] * per_trajectory
    numbers = (first + torch.arange(0, per_trajectory, spacing)).flatten()
    if len(numbers) <= at_most:
        return numbers
    return numbers[torch.arange(at_most) * len(numbers) // at_most]


def _finite_mean(errors: list[Tensor]) -> float:
    mean = float(torch.cat(errors).double().mean())
    return mean if mean < float("inf") else float("inf")
