"""What every shipped recipe promises, on grids small enough to try them all.

On a sphere these are 16 and 32 latitudes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from pdesurrogate.data import Ladder, Recipe, Splits, generate, load_frames, load_recipe
from pdesurrogate.data.recipe import recipes_folder
from pdesurrogate.evaluation import evaluate
from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import ChannelFlow, Cylinder, RandomCylinders
from pdesurrogate.transfer import restrict_fields

RECIPES = sorted(path.parent.name for path in recipes_folder().glob("*/recipe.yaml"))
REFERENCE = 32
STEADY = ("williamson_2",)
"""Recipes for verification whose flow is not to change."""


@cache
def small(name: str) -> Recipe:
    """The recipe on 32 points, with bodies thick enough for them."""
    recipe = load_recipe(name)
    equation = recipe.equation
    if isinstance(equation, ChannelFlow):
        body = equation.obstacle
        if isinstance(body, Cylinder):
            body = replace(body, diameter=2.0)
        if isinstance(body, RandomCylinders):
            body = replace(body, max_count=2, diameter_range=(1.6, 1.8))
        equation = replace(equation, obstacle=body)
    coarsening = recipe.reference_resolution // REFERENCE
    return replace(
        recipe,
        equation=equation,
        resolutions=[16, 32],
        reference_resolution=REFERENCE,
        steps_per_frame=max(1, recipe.steps_per_frame // coarsening),
        num_frames=3,
        spin_up_frames=1,
        splits=Splits(3, 1, 2),
        batch_size=2,
        accuracy_trajectories=0,
    )


def _is_random(recipe: Recipe) -> bool:
    """Whether trajectories differ: some recipes for verification have but one."""
    grid = recipe.grid(16)
    one, other = (
        recipe.initial_condition.sample(np.random.default_rng(seed), grid) for seed in (0, 1)
    )
    return bool(recipe.parameters) or any(not torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module", params=RECIPES)
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    return generate(small(request.param), tmp_path_factory.mktemp(request.param) / "data")


def test_frames_are_finite_move_and_differ_between_trajectories(data: Ladder) -> None:
    for name, field in data.fields.items():
        values = data.train[32][name].values
        assert np.isfinite(values).all()
        least = 1e-5 * np.abs(values).max()
        if not field.is_static and data.name not in STEADY:
            assert np.abs(np.diff(values, axis=1)).max() > least
        if not field.is_static and _is_random(data.recipe):
            assert np.abs(values[0] - values[1]).max() > least
    for known in data.train.diagnostics.values():
        assert np.isfinite(known).all()


def test_a_rung_is_the_restriction_of_the_finer_one(data: Ladder) -> None:
    fields = tuple(data.fields.values())
    fine, expected = (load_frames(data, "train", n, tuple(data.fields)) for n in (32, 16))
    coarse = restrict_fields(fine, fields, data.grid(32), data.grid(16))
    for channel in range(len(fields)):
        scale = float(coarse[:, :, channel].abs().max())
        torch.testing.assert_close(
            coarse[:, :, channel], expected[:, :, channel], atol=5e-6 * scale, rtol=0
        )


def test_a_trajectory_depends_on_nothing_but_itself(data: Ladder, tmp_path: Path) -> None:
    recipe = replace(data.recipe, splits=Splits(4, 0, 0))
    other = generate(recipe, tmp_path / "other")
    for name in data.fields:
        np.testing.assert_array_equal(other.train[32][name].values[:3], data.train[32][name].values)


def test_the_stored_equations_repeat_the_stored_frames(data: Ladder) -> None:
    names = data.prognostic_fields
    frames = load_frames(data, "test", 32, names)
    solver = data.equation.discretise(
        data.grid(32), data.solver_time_step, variants=data.variants("test")
    )
    given = dict(zip(names, frames[:, 0].unbind(1), strict=True))
    state = solver.initialise(given, data.start_time)
    steps = round(data.time_step / data.solver_time_step)
    seen = solver.observe(repeat(solver.step, steps)(state), data.grid(32))
    parts = [channel for channel, name in enumerate(names) if data.fields[name].vector_part]
    for channel, name in enumerate(names):
        truth = frames[:, 1, channel]
        # A flow may have no wind at all along one axis: the vector's length says what is small.
        size = frames[:, 1, parts].norm() if channel in parts else truth.norm()
        error = (seen[name] - truth).norm() / size
        # Staggered velocities come back from the means that are stored to fourth order only.
        assert error < (1e-4 if data.equation.grid_type in (PeriodicBox, GaussianSphere) else 0.1)


def test_an_evaluation_knows_every_kind_of_dataset(data: Ladder) -> None:
    table = evaluate([], data, [16, 32], num_steps=1)
    here = table.sel(run="coarse solver 16", resolution=16, protocol="native")
    assert np.isfinite(here.nrmse).all()
    stepped = list(data.prognostic_fields)
    # Errors are relative to each field, and a flow may have next to no wind along one axis.
    scalars = [name for name in stepped if not data.fields[name].vector_part] or stepped
    # 16 points do not resolve these flows, but the field's mean, which scores 1, is worse. Beside
    # a large mean, such as a depth's, any forecast would have a small nRMSE.
    assert float(here.vrmse.sel(field=scalars).mean()) < 1
