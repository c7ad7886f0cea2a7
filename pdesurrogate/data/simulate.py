"""From a recipe and trajectory numbers to fields on every rung."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pdesurrogate.data.parameters import draw_parameters, with_parameters
from pdesurrogate.data.recipe import Recipe
from pdesurrogate.data.schema import SPLITS
from pdesurrogate.grids import Grid
from pdesurrogate.rollout import repeat, rollout
from pdesurrogate.solvers import Diagnosing, Equation, Solver, SubStepping

__all__ = [
    "Failure",
    "Frame",
    "draw_variants",
    "make_solver",
    "simulate",
    "start",
    "trajectory_parameters",
]


class Frame(NamedTuple):
    """What is stored of a batch of trajectories at one time.

    Args:
        rungs: Resolution → field name → `(trajectory, y, x)`, float32.
        diagnostics: Name → `(trajectory,)`, float64; of the simulation, so the same for all rungs.
    """

    rungs: dict[int, dict[str, Tensor]]
    diagnostics: dict[str, Tensor]


@dataclass(frozen=True)
class Failure:
    """Why a trajectory could not be computed.

    Args:
        row: Its place in the batch.
        reason: One sentence with time, Courant number and seed.
    """

    row: int
    reason: str


def trajectory_parameters(recipe: Recipe, split: str, index: int) -> dict[str, float]:
    """The parameters drawn for one trajectory, by path."""
    return draw_parameters(recipe.parameters, recipe.seed, (SPLITS.index(split), index))


def draw_variants(recipe: Recipe, split: str, indices: Sequence[int]) -> tuple[Equation, ...]:
    """The equation of each trajectory; empty if all follow the recipe's own."""
    if not recipe.parameters:
        return ()
    return tuple(
        with_parameters(recipe.equation, trajectory_parameters(recipe, split, i)) for i in indices
    )


def make_solver(
    recipe: Recipe,
    variants: Sequence[Equation] = (),
    *,
    refinement: int = 1,
    resolution: int | None = None,
    device: str = "cpu",
) -> Solver:
    """The recipe's solver.

    Args:
        recipe: What to solve.
        variants: The equation of each trajectory; empty for the recipe's own.
        refinement: Divides the time step.
        resolution: Points along y; None for the reference resolution.
        device: Where to compute.
    """
    return recipe.equation.discretise(
        recipe.grid(resolution or recipe.reference_resolution),
        recipe.solver_time_step / refinement,
        variants=variants,
        dtype=getattr(torch, recipe.dtype),
        device=device,
    )


def start(recipe: Recipe, solver: Solver, split: str, indices: Sequence[int]) -> Any:
    """The solver's state at time zero for some trajectories of a split."""
    drawn = []
    for i in indices:
        # Seeded by the key alone, so that order, workers and split sizes do not matter.
        key = np.random.SeedSequence(recipe.seed, spawn_key=(SPLITS.index(split), i))
        drawn.append(recipe.initial_condition.sample(np.random.default_rng(key), solver.grid))
    return solver.initialise(
        {name: torch.stack([fields[name] for fields in drawn]) for name in drawn[0]}
    )


def simulate(
    recipe: Recipe,
    split: str,
    indices: Sequence[int],
    *,
    refinement: int = 1,
    device: str = "cpu",
    on_failure: Callable[[Failure], None] = lambda failure: None,
) -> Iterator[Frame]:
    """Yield the stored frames of some trajectories, all rungs observed from one simulation.

    Args:
        recipe: What to simulate.
        split: Which split the trajectories belong to.
        indices: Their indices in the split.
        refinement: Divides the time step, and the sub-steps of a solver that chooses them itself.
        device: Where to compute.
        on_failure: Told once of every trajectory that became non-finite or broke the Courant
            limit; its later frames are meaningless.

    Yields:
        `num_frames` frames.
    """
    variants = draw_variants(recipe, split, indices)
    solver = make_solver(recipe, variants, refinement=refinement, device=device)
    if isinstance(solver, SubStepping):
        solver.substep_share = 1 / refinement
    state = start(recipe, solver, split, indices)
    to_frame = repeat(solver.step, recipe.steps_per_frame * refinement)
    failed: set[int] = set()
    limit = solver.courant_limit
    calm = [0.0] * len(indices)  # the last finite Courant numbers
    grids = {n: recipe.grid(n) for n in recipe.resolutions}
    last = recipe.spin_up_frames + recipe.num_frames - 1
    with torch.inference_mode():
        for number, current in enumerate(_with_first(state, rollout(to_frame, state, last))):
            for row, courant in enumerate(solver.courant_number(current).tolist()):
                if row not in failed and not courant <= limit:
                    failed.add(row)
                    time = number * recipe.frame_interval
                    where = f"trajectory {indices[row]} of {split}, seed {recipe.seed}"
                    on_failure(Failure(row, _reason(where, time, courant, calm[row], limit)))
                elif row not in failed:
                    calm[row] = courant
            if number >= recipe.spin_up_frames:
                yield _frame(solver, current, grids)


def _frame(solver: Solver, state: Any, grids: Mapping[int, Grid]) -> Frame:
    rungs = {n: _stored(solver.observe(state, grid), torch.float32) for n, grid in grids.items()}
    known = solver.diagnose(state) if isinstance(solver, Diagnosing) else {}
    return Frame(rungs, _stored(known, torch.float64))


def _stored(values: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: of_batch.to("cpu", dtype) for name, of_batch in values.items()}


def _with_first(state: Any, following: Iterator[Any]) -> Iterator[Any]:
    yield state
    yield from following


def _reason(where: str, time: float, courant: float, before: float, limit: float) -> str:
    if not np.isfinite(courant):
        return (
            f"non-finite (Courant number {before:.2f} one frame before) at time {time:g} in {where}"
        )
    return f"Courant number {courant:.2f} (limit {limit:g}) at time {time:g} in {where}"
