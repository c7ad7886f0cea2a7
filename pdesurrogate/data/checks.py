"""What is refused before a simulation begins."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import fields
from functools import reduce

import torch

from pdesurrogate.data.parameters import extreme_equations, numbers
from pdesurrogate.data.recipe import Recipe
from pdesurrogate.data.simulate import draw_variants, make_solver, start
from pdesurrogate.grids import Grid
from pdesurrogate.solvers import Equation, SubStepping, UnstableStepError
from pdesurrogate.transfer import restrict

__all__ = ["check_limits", "check_start", "disagreements"]

log = logging.getLogger(__name__)


def disagreements(recipe: Recipe) -> dict[str, tuple[float, float]]:
    """Numbers that equation and initial condition name alike and give different values.

    A state in balance under another gravity, depth or rotation is out of balance in the equation.
    That may be meant, so nothing is refused.

    Returns:
        By name the equation's value, or one that may be drawn for it, and the initial condition's.
    """
    of_start = dict(_named(recipe.initial_condition))
    return {
        name: (value, of_start[name])
        for _, equation in extreme_equations(recipe.equation, recipe.parameters)
        for name, value in _named(equation)
        if name in of_start and value != of_start[name]
    }


def _named(part: object) -> Iterator[tuple[str, float]]:
    """The numbers of a dataclass, of an equation within it, and of fields that are one number."""
    for path, value in numbers(part):
        *outer, name = path.split(".")
        owner = reduce(getattr, outer, part)
        if not outer or isinstance(owner, Equation):
            yield name, value
        elif len(fields(owner)) == 1:  # type: ignore[arg-type]
            yield outer[-1], value


def check_limits(recipe: Recipe) -> None:
    """Refuse grids and steps that cannot work, for every parameter that may be drawn.

    Logs a warning where equation and initial condition disagree, and where the step is so long that
    small errors may grow.

    Raises:
        ValueError: Names the limit and, where one exists, the value that would keep it.
    """
    drawn_names = {path.rpartition(".")[2] for path in recipe.parameters}
    for name, (of_equation, of_start) in disagreements(recipe).items():
        if name in drawn_names:
            log.warning(
                "%s is drawn for each trajectory's equation, but every initial condition takes %g: "
                "they are not in balance",
                name,
                of_start,
            )
            continue
        log.warning(
            "%s is %g in the equation and %g in the initial condition; where the two are to agree, "
            "change both",
            name,
            of_equation,
            of_start,
        )
    reference = recipe.grid(recipe.reference_resolution)
    _warn_of_long_steps(recipe, reference)
    for n in recipe.resolutions:
        restrict(torch.empty(reference.num_points), reference, recipe.grid(n))
    for drawn, equation in extreme_equations(recipe.equation, recipe.parameters):
        try:
            equation.check_resolved(reference)
            _check_stable(equation, reference, recipe, refinement=1)
            if recipe.accuracy_trajectories:
                twice = reference.at_resolution(2 * reference.resolution)
                _check_stable(equation, twice, recipe, refinement=2)
        except ValueError as error:
            if not drawn:
                raise
            values = ", ".join(f"parameters.{path} = {value:g}" for path, value in drawn.items())
            raise ValueError(f"with {values}: {error}") from None


def _check_stable(equation: Equation, grid: Grid, recipe: Recipe, refinement: int) -> None:
    """Say with a refusal how many steps per frame would do."""
    try:
        equation.check_stable(grid, recipe.solver_time_step / refinement)
    except UnstableStepError as error:
        least = math.ceil(recipe.frame_interval / (refinement * error.largest))
        raise ValueError(f"{error}; take at least {least} steps_per_frame") from None


def _warn_of_long_steps(recipe: Recipe, reference: Grid) -> None:
    dt = recipe.solver_time_step
    equations = extreme_equations(recipe.equation, recipe.parameters)
    advised = min(equation.advised_step(reference, dt) for _, equation in equations)
    if advised < dt:
        log.warning(
            "steps_per_frame %d: in a step of %g on %d points the fastest waves turn so far, with "
            "so little damping, that small errors in them grow slowly; at least %d steps per frame "
            "prevent it, and so does hyperdiffusion of the smallest scales",
            recipe.steps_per_frame,
            dt,
            recipe.reference_resolution,
            math.ceil(recipe.frame_interval / advised),
        )


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
