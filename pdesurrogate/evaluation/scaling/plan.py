"""Who takes part in a study of the scaling limit, and on what."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pdesurrogate.data import Ladder
from pdesurrogate.evaluation.baselines import CoarseSolver, solver_on
from pdesurrogate.evaluation.entries import SurrogateEntry
from pdesurrogate.evaluation.plan import Plan, plan_evaluation
from pdesurrogate.evaluation.scaling.schema import UNTRAINED
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.fields import Field
from pdesurrogate.surrogate import Surrogate, SurrogateInfo

__all__ = ["ScalingPlan", "plan_scaling"]


@dataclass(frozen=True)
class ScalingPlan:
    """What is measured, and where.

    Args:
        evaluation: The checked wishes that it shares with an evaluation.
        trained: The surrogates.
        untrained: The same networks with initial weights, a few of each kind.
        solvers: The dataset's equation by resolution.
        starts: Indices of the last given frames.
        horizon: True frames that are read after them.
    """

    evaluation: Plan
    trained: tuple[SurrogateEntry, ...]
    untrained: tuple[SurrogateEntry, ...]
    solvers: Mapping[int, CoarseSolver]
    starts: tuple[int, ...]
    horizon: int

    @property
    def data(self) -> Ladder:
        """The dataset in the surrogates' time steps."""
        return self.evaluation.data

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Rungs, ascending; the last one is the top."""
        return self.evaluation.resolutions

    @property
    def entries(self) -> tuple[SurrogateEntry, ...]:
        """All networks."""
        return (*self.trained, *self.untrained)

    @property
    def labels(self) -> tuple[RunLabel, ...]:
        """What is known of each entry along `run`; the solver is the last."""
        solver = RunLabel("solver", "baseline", "solver")
        return (*(entry.label for entry in self.entries), solver)

    @property
    def channel_fields(self) -> tuple[Field, ...]:
        """What the first channels that are read are; parameters follow."""
        fields = self.data.fields
        return tuple(fields[name] for name in self.evaluation.loaded_fields if name in fields)


def plan_scaling(
    surrogates: Sequence[Surrogate | str | os.PathLike[str]],
    data: Ladder,
    resolutions: Sequence[int],
    *,
    split: str,
    num_trajectories: int | None,
    num_starts: int,
    random_seeds: int,
    other_data: bool,
    specs: Sequence[type[Any]],
    device: str,
) -> ScalingPlan:
    """Check everything that was asked for; see `measure_scaling`."""
    plan = plan_evaluation(
        surrogates,
        data,
        resolutions,
        ["native"],
        split=split,
        num_trajectories=num_trajectories,
        num_steps=None,
        other_data=other_data,
        device=device,
    )
    if len(plan.resolutions) < 2:
        raise ValueError(
            f"a scaling limit needs at least two resolutions, got {plan.resolutions[0]} alone"
        )
    if random_seeds < 0:
        raise ValueError(f"random_seeds must not be negative, got {random_seeds}")
    trained = tuple(entry for entry in plan.entries if isinstance(entry, SurrogateEntry))
    horizon = max((entry.bundle for entry in trained), default=1)
    return ScalingPlan(
        evaluation=plan,
        trained=trained,
        untrained=tuple(_untrained(trained, random_seeds, specs, device)),
        solvers={
            n: solver_on(
                plan.data.grid(n), plan.data, plan.fields, band_grid=plan.band_grid, device=device
            )
            for n in plan.resolutions
        },
        starts=_starts(num_starts, plan.history - 1, plan.data.num_frames - 1 - horizon),
        horizon=horizon,
    )


def _starts(count: int, first: int, last: int) -> tuple[int, ...]:
    """Indices of so many frames, evenly spread from the first possible to the last."""
    available = last - first + 1
    if not 1 <= count <= available:
        raise ValueError(
            f"num_starts must lie between 1 and {available}, the frames of a trajectory that a "
            f"step can start from, got {count}"
        )
    return tuple(round(index) for index in np.linspace(first, last, count))


def _untrained(
    trained: Sequence[SurrogateEntry], count: int, specs: Sequence[type[Any]], device: str
) -> Iterator[SurrogateEntry]:
    """So many networks with initial weights for each kind of network, under seeds of no run."""
    taken = {entry.surrogate.info.seed for entry in trained}
    seeds = list(itertools.islice((seed for seed in itertools.count() if seed not in taken), count))
    seen: list[SurrogateInfo] = []
    for entry in trained:
        kind = _kind(entry.surrogate.info)
        if kind in seen:
            continue
        seen.append(kind)
        for seed in seeds:
            surrogate = Surrogate.untrained(entry.surrogate.info, seed, specs=specs)
            label = replace(
                entry.label,
                name=f"{entry.label.name} untrained {seed}",
                kind=UNTRAINED,
                seed=seed,
                training_seconds=0.0,
            )
            yield SurrogateEntry(surrogate.to(device), label, entry.band_grid)


def _kind(info: SurrogateInfo) -> SurrogateInfo:
    """All that untrained networks of the same kind share."""
    return replace(
        info, name="", seed=0, epochs=0, training_seconds=0.0, settings="", flops=0, parameters=0
    )
