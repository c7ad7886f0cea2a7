"""The recipes of random flows on the sphere, from YAML to files."""

from dataclasses import replace

import numpy as np
import pytest

from pdesurrogate.data import Splits, generate, load_recipe
from pdesurrogate.data.recipe import parse_recipe
from pdesurrogate.grids import GaussianSphere

NAMES = [
    "planetswe_like",
    "shallow_water_pdearena",
    "shallow_water_pdearena_corrected",
    "shallow_water_sphere",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_survives_plain_data_and_its_step_is_stable(name):
    recipe = load_recipe(name)
    assert parse_recipe(recipe.to_dict()) == recipe
    assert recipe.name == name
    grid = recipe.grid(recipe.reference_resolution)
    assert isinstance(grid, GaussianSphere)
    assert grid.num_points[1] == 2 * grid.num_points[0]
    recipe.equation.check_resolved(grid)
    recipe.equation.check_stable(grid, recipe.solver_time_step)


@pytest.mark.parametrize("name", NAMES)
def test_a_small_set_is_generated(name, tmp_path):
    recipe = replace(
        load_recipe(name),
        resolutions=[16, 32],
        reference_resolution=32,
        num_frames=3,
        spin_up_frames=1,
        splits=Splits(train=2, valid=1, test=1),
        batch_size=2,
        accuracy_trajectories=0,
    )
    data = generate(recipe, tmp_path / "data")
    rungs = [data.train[n] for n in (16, 32)]
    assert rungs[1].height.dims == ("trajectory", "time", "latitude", "longitude")
    # The mean depth is the same on every rung and does not change.
    weights = [data.grid(n).quadrature_weights for n in (16, 32)]
    means = [(rung.height.values * w).sum((-2, -1)) for rung, w in zip(rungs, weights, strict=True)]
    np.testing.assert_allclose(means[0], means[1], rtol=1e-5)
    np.testing.assert_allclose(means[0][:, -1], means[0][:, 0], rtol=1e-5)
    np.testing.assert_allclose(data.train.diagnostics.mass.values, means[1], rtol=1e-5)
    first, second = rungs[1].vorticity.values
    assert np.abs(first - second).max() > 1e-6
    has_ground = name != "shallow_water_sphere"
    assert ("orography" in rungs[1]) == has_ground


def test_the_surface_of_pdearenas_states_is_level():
    recipe = load_recipe("shallow_water_pdearena")
    grid = recipe.grid(96)
    solver = recipe.equation.discretise(grid, recipe.solver_time_step)
    fields = recipe.initial_condition.sample(np.random.default_rng(0), grid)
    state = solver.initialise({name: field[None] for name, field in fields.items()})
    seen = solver.observe(state, grid)
    surface = seen["height"] + seen["orography"]
    assert float((surface - 10000).abs().max()) < 0.05
    assert 2e3 < float(seen["orography"].max()) < 6.5e3
