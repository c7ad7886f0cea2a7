"""What is refused before a simulation begins."""

from __future__ import annotations

import math

import torch

from pdesurrogate.data.parameters import extreme_equations
from pdesurrogate.data.recipe import Recipe
from pdesurrogate.data.simulate import draw_variants, make_solver, start
from pdesurrogate.solvers import SubStepping
from pdesurrogate.transfer import restrict

__all__ = ["check_limits", "check_start"]


def check_limits(recipe: Recipe) -> None:
    """Refuse grids and steps that cannot work, for every parameter that may be drawn.

    Raises:
        ValueError: Names the limit and, where one exists, the value that would keep it.
    """
    reference = recipe.grid(recipe.reference_resolution)
    for n in recipe.resolutions:
        restrict(torch.empty(reference.num_points), reference, recipe.grid(n))
    for drawn, equation in extreme_equations(recipe.equation, recipe.parameters):
        try:
            equation.check_resolved(reference)
            equation.check_stable(reference, recipe.solver_time_step)
            if recipe.accuracy_trajectories:
                twice = reference.at_resolution(2 * reference.resolution)
                equation.check_stable(twice, recipe.solver_time_step / 2)
        except ValueError as error:
            if not drawn:
                raise
            values = ", ".join(f"parameters.{path} = {value:g}" for path, value in drawn.items())
            raise ValueError(f"with {values}: {error}") from None


def check_start(recipe: Recipe, device: str = "cpu") -> None:
    """Refuse a time step that breaks the solver's Courant limit before anything has moved.

    Looks at the first batch of the training split.

    Raises:
        ValueError: Naming the limit and the number of steps per frame that keeps it.
    """
    indices = range(recipe.batch_size)
    solver = make_solver(recipe, draw_variants(recipe, "train", indices), device=device)
    with torch.inference_mode():
        state = start(recipe, solver, "train", indices)
        courant = float(solver.courant_number(state).max())
        if isinstance(solver, SubStepping) and solver.substeps(state).max() > solver.max_substeps:
            raise ValueError(
                f"a step of {recipe.solver_time_step:g} on {recipe.reference_resolution} points "
                f"needs more than {solver.max_substeps} sub-steps; raise steps_per_frame "
                f"({recipe.steps_per_frame}), or lower what drives the flow, its viscosity or "
                "reference_resolution"
            )
    if courant > solver.courant_limit:
        least = math.ceil(recipe.steps_per_frame * courant / solver.courant_limit)
        raise ValueError(
            f"steps_per_frame {recipe.steps_per_frame} is unstable: the initial state's Courant "
            f"number is {courant:.2f}, the limit {solver.courant_limit:g}; take at least {least}"
        )
