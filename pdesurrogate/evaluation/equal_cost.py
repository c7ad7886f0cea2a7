"""The solver that a surrogate must beat: the finest one that costs no more than it does."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch

from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation.baselines import CoarseSolver, solver_on
from pdesurrogate.evaluation.entries import Frames, SurrogateEntry
from pdesurrogate.evaluation.plan import Plan
from pdesurrogate.evaluation.protocols import Native
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.evaluation.timing import seconds_per_step
from pdesurrogate.grids import GaussianSphere, Grid, PeriodicBox
from pdesurrogate.solvers import UnstableStepError
from pdesurrogate.transfer import restrict, restrict_fields

__all__ = [
    "allowed_resolutions",
    "choose_solvers",
    "fewest_steps",
    "finest_within",
    "with_solvers",
]

log = logging.getLogger(__name__)

_FEWEST_POINTS = 8
_LARGEST_FACTOR = 5
"""Transforms of lengths with larger prime factors cost more than those of the next without."""

_SHARE_OF_COURANT_LIMIT = 0.9

_TIMED_FRAMES = 3
"""Fewer than where the times themselves are told: the search looks at several grids."""


def choose_solvers(plan: Plan, device: str) -> dict[str, int]:
    """For every network, measure the finest grid on which the solver costs no more than it does.

    Both are timed alike, per frame of one trajectory, each on its own grid: the network on its
    training grid, the solver with the steps of `fewest_steps`. Networks that differ by their seed
    alone cost the same, so that only the first is timed. Cost is taken to grow with the grid, so
    that bisection finds the grid.

    Args:
        plan: What is evaluated; without surrogates there is nothing to choose.
        device: Where to compute.

    Returns:
        Points along y of the solver's grid by the name of the surrogate. A surrogate that is
        cheaper than the solver on the coarsest grid is left out, and the log says so.
    """
    start = _Start(plan, device)
    grids = allowed_resolutions(plan.data, plan.resolutions)
    seconds_of_solver = cache(start.seconds_of_solver)
    chosen = {}
    for entry in _networks(_surrogates(plan)):
        seconds = start.seconds_of_surrogate(entry)
        found = finest_within(seconds, grids, seconds_of_solver)
        if found is None:
            log.info(
                "no solver is as cheap as %s, which takes %.3g s a frame", entry.label.name, seconds
            )
        else:
            chosen[entry.label.name] = found
            log.info(
                "%s takes %.3g s a frame, the solver on %d points %.3g s",
                entry.label.name,
                seconds,
                found,
                seconds_of_solver(found),
            )
    return chosen


def with_solvers(plan: Plan, chosen: Mapping[str, int], device: str) -> Plan:
    """The plan with the solvers that were chosen as further baselines.

    Their errors are split by the band of the plan, as the surrogates' are.

    Args:
        plan: What is evaluated.
        chosen: What `choose_solvers` returned.
        device: Where to compute.
    """
    names = _names([entry for entry in _surrogates(plan) if entry.label.name in chosen])
    start = _Start(plan, device)
    solvers = []
    for run, n in chosen.items():
        label = RunLabel(
            name=f"solver {n} (cost of {names[run]})",
            kind="baseline",
            model="solver at equal cost",
            training_resolution=n,
            cost_of=run,
        )
        solvers.append(replace(start.solver(n), label=label))
    return replace(plan, entries=(*plan.entries, *solvers))


def fewest_steps(solver: CoarseSolver, frames: Frames) -> int:
    """Steps per frame that keep a solver stable from given frames on, with a margin.

    The reference simulation is far more accurate than a surrogate and steps accordingly. To step as
    it does would make a weak baseline: where the steps are limited by stability, errors of the size
    of a surrogate's do not depend on them. A tenth of the Courant limit is left to the flow, which
    may become faster. Where no Courant number is unstable the solver keeps its steps.

    Args:
        solver: With the steps of the reference, which it never exceeds.
        frames: Where it starts.
    """
    discretised, state = solver.start(frames)
    limit = discretised.courant_limit
    courant = float(discretised.courant_number(state).max())
    if not math.isfinite(limit) or not math.isfinite(courant):
        return solver.steps_per_frame
    time_step = solver.steps_per_frame * discretised.dt
    share = courant / (_SHARE_OF_COURANT_LIMIT * limit)
    steps = max(1, math.ceil(solver.steps_per_frame * share))
    for equation in frames.variants or (solver.equation,):
        try:
            equation.check_stable(solver.grid, time_step / steps)
        except UnstableStepError as error:
            steps = math.ceil(time_step / error.largest)
        advised = equation.advised_step(solver.grid, time_step / steps)
        steps = max(steps, math.ceil(time_step / advised * (1 - 1e-9)))
    return min(steps, solver.steps_per_frame)


def finest_within(
    seconds: float, resolutions: Sequence[int], cost: Callable[[int], float | None]
) -> int | None:
    """The last of the resolutions whose cost is at most `seconds`, by bisection.

    Args:
        seconds: What may be spent.
        resolutions: Ascending, and with them the cost.
        cost: Seconds at a resolution; None if it is too coarse to be used at all.

    Returns:
        None if even the first usable one costs more.

    Example:
        >>> finest_within(50.0, [2, 4, 6, 8], lambda n: n * n)
        6
    """
    first, last, found = 0, len(resolutions) - 1, None
    while first <= last:
        middle = (first + last) // 2
        spent = cost(resolutions[middle])
        if spent is not None and spent > seconds:
            last = middle - 1
            continue
        if spent is not None:
            found = resolutions[middle]
        first = middle + 1
    return found


def allowed_resolutions(data: Ladder, rungs: Sequence[int]) -> tuple[int, ...]:
    """Grids on which a solver can stand beside the rungs, coarsest first.

    An even number of points along y, a rung's or one without prime factors above 5, not more than
    at the finest rung, such that every rung which is finer can be restricted to it.

    Args:
        data: Whose domain.
        rungs: Where the solver is evaluated, ascending.
    """
    finest = data.grid(rungs[-1])
    allowed = []
    for n in range(_FEWEST_POINTS, rungs[-1] + 1, 2):
        if n not in rungs and not _is_smooth(n):
            continue
        try:
            grid = finest.at_resolution(n)
        except ValueError:  # no such number of points along x
            continue
        if all(_is_transferable(data.grid(rung), grid) for rung in rungs if rung > n):
            allowed.append(n)
    return tuple(allowed)


def _is_smooth(number: int) -> bool:
    for factor in range(2, _LARGEST_FACTOR + 1):
        while number % factor == 0:
            number //= factor
    return number == 1


def _is_transferable(fine: Grid, coarse: Grid) -> bool:
    """Through a series any grid goes to any coarser one; of others it is tried."""
    if isinstance(fine, PeriodicBox | GaussianSphere):
        return True
    try:
        restrict(torch.zeros(fine.num_points), fine, coarse)
    except ValueError:
        return False
    return True


def _surrogates(plan: Plan) -> list[SurrogateEntry]:
    return [entry for entry in plan.entries if isinstance(entry, SurrogateEntry)]


def _networks(surrogates: Sequence[SurrogateEntry]) -> list[SurrogateEntry]:
    """The first of those that differ by their seed alone."""
    first: dict[object, SurrogateEntry] = {}
    for entry in surrogates:
        label = entry.label
        key = (label.settings, label.model, label.training_resolution)
        first.setdefault(key if label.settings else label.name, entry)
    return list(first.values())


def _names(surrogates: Sequence[SurrogateEntry]) -> dict[str, str]:
    """What a network is called whatever its seed, if that is unique, by the name of its run."""
    names = {entry.label.name: entry.surrogate.info.name for entry in surrogates}
    count = Counter(names.values())
    return {run: name if count[name] == 1 else run for run, name in names.items()}


@dataclass(frozen=True)
class _Start:
    """The given frames of the first trajectory, and who starts from them.

    Args:
        plan: What is evaluated.
        device: Where to compute.
    """

    plan: Plan
    device: str

    def solver(self, resolution: int) -> CoarseSolver:
        """The solver on a grid with as few steps as are safe.

        Raises:
            ValueError: If the equation refuses the grid or the state.
        """
        plan = self.plan
        grid = plan.data.grid(plan.resolutions[-1]).at_resolution(resolution)
        on_grid = partial(
            solver_on, grid, plan.data, plan.fields, band_grid=plan.band_grid, device=self.device
        )
        return on_grid(steps_per_frame=fewest_steps(on_grid(), self._restricted(grid)))

    def seconds_of_surrogate(self, entry: SurrogateEntry) -> float:
        """Seconds a frame on its training grid."""
        frames = self._frames(entry.training_grid.resolution, self.plan.loaded_fields)
        return seconds_per_step(entry, Native(), frames)

    def seconds_of_solver(self, resolution: int) -> float | None:
        """Seconds a frame on a grid; None where the equation refuses it."""
        try:
            solver = self.solver(resolution)
            frames = self._restricted(solver.grid)
            return seconds_per_step(solver, Native(), frames, _TIMED_FRAMES)
        except ValueError:
            return None

    def _restricted(self, grid: Grid) -> Frames:
        """What a solver starts from, restricted from the finest rung."""
        names = self.plan.data.prognostic_fields
        fields = [self.plan.data.fields[name] for name in names]
        frames = self._frames(self.plan.resolutions[-1], names)
        given = restrict_fields(frames.given, fields, frames.grid, grid)
        return replace(frames, given=given, truth=given[:, -1:], grid=grid)

    def _frames(self, resolution: int, names: Sequence[str]) -> Frames:
        """The given frames of the first trajectory; the last stands for the truth, whose values
        nobody looks at."""
        plan, first = self.plan, slice(0, 1)
        given = load_frames(
            plan.data, plan.split, resolution, names, first, slice(0, plan.history)
        ).to(self.device)
        return Frames(
            given,
            given[:, -1:],
            tuple(names),
            plan.data.grid(resolution),
            variants=plan.data.variants(plan.split, first),
            time=plan.data.start_time + (plan.history - 1) * plan.data.time_step,
        )
