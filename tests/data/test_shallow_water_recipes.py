"""The shallow-water recipes, from YAML to files."""

from dataclasses import replace

import numpy as np
import pytest

from pdesurrogate.data import Splits, generate, load_recipe
from pdesurrogate.data.recipe import parse_recipe
from pdesurrogate.grids import ClosedBox, OpenBox

NAMES = {"radial_dam_break": OpenBox, "random_dam_breaks": ClosedBox}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_survives_plain_data_and_is_resolved(name):
    recipe = load_recipe(name)
    assert parse_recipe(recipe.to_dict()) == recipe
    assert recipe.name == name
    grid = recipe.grid(recipe.reference_resolution)
    assert type(grid) is NAMES[name]
    recipe.equation.check_resolved(grid)


@pytest.mark.parametrize("name", NAMES)
def test_rungs_share_mass_and_beds_differ(name, tmp_path):
    recipe = replace(
        load_recipe(name),
        resolutions=[16, 32],
        reference_resolution=64,
        num_frames=4,
        splits=Splits(train=2, valid=1, test=1),
        accuracy_trajectories=1,
    )
    data = generate(recipe, tmp_path / "data")
    rungs = [data.train[n] for n in (16, 32)]
    masses = [rung.height.mean(dim=("y", "x")).values for rung in rungs]
    np.testing.assert_allclose(masses[0], masses[1], rtol=1e-5)
    np.testing.assert_allclose(masses[0][:, -1], masses[0][:, 0], rtol=1e-5)
    assert float(rungs[0].height.min()) >= 0
    if name == "random_dam_breaks":
        first, second = rungs[1].bathymetry.values
        assert rungs[1].bathymetry.dims == ("trajectory", "y", "x")
        assert np.abs(first - second).max() > 0.1
        assert len(set(rungs[1].bathymetry_seed.values)) == 2
