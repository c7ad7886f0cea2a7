"""How far the reference simulation is from the equation's solution, measured."""

from __future__ import annotations

from typing import Any

import torch

from pdesurrogate.data.recipe import Recipe
from pdesurrogate.data.simulate import draw_variants, make_solver, start
from pdesurrogate.metrics import nrmse
from pdesurrogate.rollout import repeat, rollout
from pdesurrogate.solvers import Solver

__all__ = ["measure_accuracy"]


def measure_accuracy(recipe: Recipe, device: str = "cpu") -> dict[str, Any]:
    """Compare the reference simulation with one of half the spacing and half the time step.

    Both start from the fields of the first stored frame of the first training trajectories, so
    that the error is that of the stored evolution. In chaotic flow it grows with time whatever
    the scheme; the error after one frame is what a one-step surrogate is trained on.

    Returns:
        Plain data: the method in words, the number of trajectories, and per rung and prognostic
        field the relative L2 error after the first, the middle and the last frame interval, mean
        over the trajectories. Empty when the recipe asks for no trajectories.
    """
    count = recipe.accuracy_trajectories
    if count == 0 or recipe.num_frames < 2:
        return {}
    variants = draw_variants(recipe, "train", range(count))
    coarse = make_solver(recipe, variants, device=device)
    twice = 2 * recipe.reference_resolution
    fine = make_solver(recipe, variants, refinement=2, resolution=twice, device=device)
    names = [field.name for field in recipe.equation.fields if field.is_prognostic]
    last = recipe.num_frames - 1
    marks = {"first_frame": 1, "middle_frame": (last + 1) // 2, "last_frame": last}
    errors: dict[str, dict[str, dict[str, float]]] = {
        str(n): {name: {} for name in names} for n in recipe.resolutions
    }
    with torch.inference_mode():
        state = start(recipe, coarse, "train", range(count))
        state = repeat(coarse.step, recipe.spin_up_frames * recipe.steps_per_frame)(state)
        time = recipe.spin_up_frames * recipe.frame_interval
        given = coarse.observe(state, coarse.grid)
        state, refined = coarse.initialise(given, time), fine.initialise(given, time)
        frames = zip(
            rollout(repeat(coarse.step, recipe.steps_per_frame), state, last),
            rollout(repeat(fine.step, 2 * recipe.steps_per_frame), refined, last),
            strict=True,
        )
        for number, pair in enumerate(frames, start=1):
            for mark in (mark for mark, frame in marks.items() if frame == number):
                for n in recipe.resolutions:
                    for name in names:
                        errors[str(n)][name][mark] = _error(recipe, (coarse, fine), pair, n, name)
    return {
        "method": (
            f"reference simulation ({recipe.reference_resolution} points, step "
            f"{recipe.solver_time_step:g}) against {2 * recipe.reference_resolution} points and "
            f"step {recipe.solver_time_step / 2:g}, both from the first stored frame"
        ),
        "trajectories": count,
        "frame_numbers": marks,
        "relative_l2_error": errors,
    }


def _error(
    recipe: Recipe, solvers: tuple[Solver, Solver], states: Any, resolution: int, name: str
) -> float:
    grid = recipe.grid(resolution)
    values, truth = (
        solver.observe(state, grid)[name] for solver, state in zip(solvers, states, strict=True)
    )
    return float(nrmse(values, truth, grid).mean())
