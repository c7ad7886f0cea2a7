"""The learning rate at which a network learns fast and does not yet diverge."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import torch
import xarray as xr

from pdesurrogate.data import Ladder
from pdesurrogate.models import ModelSpec
from pdesurrogate.progress import progress_display
from pdesurrogate.training.batches import Batch, Batches
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.distributed import Ranks
from pdesurrogate.training.learner import Learner
from pdesurrogate.training.precision import computing_in, resolved_precision
from pdesurrogate.training.preparation import bound_loss, window_source
from pdesurrogate.training.rehearsal import planned

__all__ = ["find_learning_rate"]

log = logging.getLogger(__name__)

MEMORY = 0.9
"""Share of the smoothed loss that comes from the steps before."""

DIVERGED = 4.0
"""A smoothed loss of so many times the least one says enough."""

FALL = 0.99
"""The least smoothed loss is at most so much of what it was, or nothing was learnt."""

SETTLED = 10
"""Steps after which the smoothed loss is a mean of many: before, single batches make it."""

SAFETY = 10.0
"""How far below the rate of least loss the suggestion lies."""


def find_learning_rate(
    spec: ModelSpec,
    data: Ladder,
    resolution: int,
    config: TrainingConfig | None = None,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
) -> xr.Dataset:
    r"""Train for a few steps at ever higher rates, and see where the loss turns.

    $$ \eta_s = \eta_\mathrm{lowest}
       \Big(\frac{\eta_\mathrm{highest}}{\eta_\mathrm{lowest}}\Big)^{s / (n - 1)}, \qquad
       m_s = \beta m_{s-1} + (1 - \beta)\,\ell_s, \qquad
       \bar\ell_s = \frac{m_s}{1 - \beta^{s + 1}} $$

    with the loss $\ell_s$ of a batch before its step and $\beta = 0.9$. It ends early once the
    smoothed loss $\bar\ell$ is four times its least value. Suggested is a tenth of the rate at
    which $\bar\ell$ is least, its first ten values aside: there the steps are already so long that
    they begin to undo what they win, and $\bar\ell$ sees it some steps late. The place of the
    steepest descent, which others take, depends more on the noise of single batches.

    A short test cannot know what a long training with a falling rate bears: take the suggestion as
    a place to begin, and try a third and three times of it. Nothing is written, and the caller's
    random state is left alone.

    Args:
        spec: The model.
        data: The dataset.
        resolution: The rung to train on.
        config: How to train; None for the defaults. Its learning rates say nothing here, nor do its
            stages: the rate is that of the first.
        lowest: The first rate.
        highest: The last rate, if the loss bears it.
        steps: Optimiser steps; where the training split has fewer batches they come round again.

    Returns:
        `loss` and `smoothed_loss` over the coordinate `learning_rate`, and the scalar `suggested`.

    Raises:
        ValueError: If the arguments do not fit the data or each other, or the loss never fell.

    References:
        Smith (2017), *Cyclical Learning Rates for Training Neural Networks*, §3.3.
    """
    _check_range(lowest, highest, steps)
    # Nothing is validated, and there is one stage.
    config = replace(
        config or TrainingConfig(), stages=None, validation_steps=1, validation_lead=None
    )
    plan = planned(spec, data, resolution, config)
    config, data, stage = plan.config, plan.data, plan.stages[0]
    device = torch.device(config.device)
    rates = np.geomspace(lowest, highest, steps)
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        computing_in(resolved_precision(config.precision, device)),
    ):
        surrogate = plan.first_surrogate(data.name).to(device)
        sources = {rung: window_source(data, rung, config, device) for rung in stage.shares}
        criteria = {rung: bound_loss(surrogate, config, data.grid(rung)) for rung in stage.shares}
        learner = Learner(surrogate, config, criteria, Ranks())
        batches = Batches(sources, config.batch_size, config.seed, stage.shares)
        losses = _losses(learner, batches, rates)
    smoothed = _smoothed(losses)
    best = _turning_point(smoothed)
    if best is None:
        raise ValueError(
            f"the loss did not fall between the learning rates {lowest:g} and "
            f"{rates[max(len(losses), 1) - 1]:g}: try others, or take more than {steps} steps"
        )
    suggested = rates[best] / SAFETY
    if suggested < lowest:
        raise ValueError(
            f"the loss is least at {rates[best]:.2g}, of which a tenth is below the lowest "
            f"learning rate that was tried, {lowest:g}: begin lower"
        )
    return xr.Dataset(
        {
            "loss": ("learning_rate", losses, {"long_name": "loss of the batch before the step"}),
            "smoothed_loss": ("learning_rate", smoothed, {"long_name": "loss, smoothed"}),
            "suggested": ((), suggested, {"long_name": "suggested learning rate"}),
        },
        coords={"learning_rate": rates[: len(losses)]},
        attrs={
            "model": type(spec).__name__,
            "dataset": data.name,
            "resolution": resolution,
            "seed": config.seed,
        },
    )


def _losses(learner: Learner, batches: Batches, rates: np.ndarray) -> np.ndarray:
    """The loss before each step, up to the one that says enough."""
    config, losses = learner.config, []
    objective = config.objective.at(0.0)
    with progress_display("raising the learning rate", len(rates), log) as progress:
        for step, (rate, batch) in enumerate(zip(rates, _endless(batches), strict=False)):
            loss, norm = learner.gradient(batch, objective, (config.seed, step))
            losses.append(loss)
            if not _is_worth_going_on(losses) or not math.isfinite(norm):
                break
            learner.step(float(rate), step)
            progress.step()
    return np.array([loss for loss in losses if math.isfinite(loss)])


def _endless(batches: Batches) -> Iterator[Batch]:
    for epoch in count():
        yield from batches.epoch(epoch)


def _is_worth_going_on(losses: list[float]) -> bool:
    """Whether the loss may still fall."""
    if not math.isfinite(losses[-1]):
        return False
    smoothed = _smoothed(np.array(losses))
    return bool(smoothed[-1] <= DIVERGED * smoothed.min())


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Exponential moving average, corrected for its start at zero."""
    smoothed, mean = np.empty_like(losses), 0.0
    for step, loss in enumerate(losses):
        mean = MEMORY * mean + (1 - MEMORY) * loss
        smoothed[step] = mean / (1 - MEMORY ** (step + 1))
    return smoothed


def _turning_point(smoothed: np.ndarray) -> int | None:
    """Where the smoothed loss is least, if it falls by more than chance."""
    later = smoothed[SETTLED:]
    if len(later) < 2 or later.min() > FALL * later[0]:
        return None
    return SETTLED + int(later.argmin())


def _check_range(lowest: float, highest: float, steps: int) -> None:
    if not 0 < lowest < highest < math.inf:
        raise ValueError(
            f"learning rates must rise from above 0, got lowest {lowest:g} and highest {highest:g}"
        )
    if steps < 2 * SETTLED:
        raise ValueError(f"steps must be at least {2 * SETTLED}, got {steps}")
