"""How good a surrogate is on rollouts of the validation split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdesurrogate.frame_rollout import rollout_frames
from pdesurrogate.grids import Grid
from pdesurrogate.metrics import mean_square, nrmse
from pdesurrogate.metrics.blow_up import blow_up_limit
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training.distributed import Ranks

__all__ = ["RolloutValidation", "Verdict", "spread_windows"]


class Verdict(NamedTuple):
    """What a validation finds; an error that is not finite counts as infinite.

    Args:
        blow_up: Share of the rollouts that blow up: become infinite, NaN, or far larger than the
            truth ever is; see `pdesurrogate.metrics.blow_up`.
        rollout: Error that judges the rollouts: the mean of all frames, or that at a stated lead.
        one_step: Mean error of the first frame.
    """

    blow_up: float
    rollout: float
    one_step: float


@dataclass(frozen=True)
class RolloutValidation:
    """Normalised RMS error of rollouts: their mean over the lead times, and their first frame.

    Not the last frame, unless that is asked for: in a chaotic flow its error may be smallest for a
    network that predicts next to nothing.

    Args:
        windows: Given frames followed by the frames to predict.
        history: How many frames are given.
        grid: Where they are sampled.
        batch_size: Rollouts that are stepped at once.
        lead: The predicted frame, counted from 1, whose error counts; None for the mean over all.
    """

    windows: Float[Tensor, "window time channel y x"]
    history: int
    grid: Grid
    batch_size: int
    lead: int | None = None

    @torch.no_grad()
    def __call__(
        self,
        surrogate: Surrogate,
        ranks: Ranks | None = None,
        is_cut_short: Callable[[], bool] = lambda: False,
    ) -> Verdict:
        """Mean errors over windows and fields.

        Args:
            surrogate: What is judged.
            ranks: Processes that share the windows between them; None to judge alone.
            is_cut_short: Asked between batches whether to leave the rest undone; what is returned
                then is of no use.
        """
        ranks = ranks or Ranks()
        windows = self.windows.tensor_split(ranks.size)[ranks.rank]
        # Sums over this process's windows: broken ones, errors of the rollouts, of one step.
        sums = torch.zeros(3, dtype=torch.float64)
        for batch in windows.split(self.batch_size):
            if is_cut_short() or len(batch) == 0:
                break
            sums += self._sums(surrogate, batch)
        totals = ranks.totals(*sums.tolist(), device=self.windows.device)
        return Verdict(*(_finite(total / len(self.windows)) for total in totals))

    def _sums(
        self, surrogate: Surrogate, windows: Float[Tensor, "batch time channel y x"]
    ) -> Float[Tensor, " number"]:
        fields = slice(len(surrogate.info.fields))  # beyond them are conditions
        given, following = windows[:, : self.history], windows[:, self.history :, fields]
        limit = blow_up_limit(following, self.grid)
        is_broken = torch.zeros(len(windows), dtype=torch.bool, device=windows.device)
        errors = []
        frames = rollout_frames(surrogate.step, given, following.shape[1], surrogate.info.bundle)
        for frame, truth in zip(frames, following.unbind(1), strict=True):
            predicted = frame[:, fields]
            errors.append(nrmse(predicted, truth, self.grid).double().mean(dim=1))
            is_broken |= ~(mean_square(predicted.double(), self.grid) <= limit).all(dim=1)
        every = torch.stack(errors, dim=1)
        counted = every.mean(dim=1) if self.lead is None else every[:, self.lead - 1]
        return torch.stack([is_broken.double(), counted, every[:, 0]]).sum(dim=1).cpu()


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


def _finite(mean: float) -> float:
    """Infinite for what is not a number: nothing is worse than a rollout that broke."""
    return mean if mean < float("inf") else float("inf")
