"""Recipes: shipped ones, overrides, identity and refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pdesurrogate.data import Splits, Uniform, list_recipes, load_recipe
from pdesurrogate.data.checks import check_limits, disagreements
from pdesurrogate.data.recipe import parse_recipe, recipes_folder
from pdesurrogate.initial_conditions import GaussianRandomField
from pdesurrogate.solvers import (
    DiagonalForcing,
    KolmogorovForcing,
    SphericalShallowWater,
    UniformRotation,
)

RECIPES = sorted(path.parent.name for path in recipes_folder().glob("*/recipe.yaml"))


def test_the_shipped_recipes_are_what_their_names_say():
    assert list(list_recipes()) == RECIPES
    assert len(RECIPES) >= 11
    kolmogorov = load_recipe("kolmogorov")
    assert isinstance(kolmogorov.equation.forcing, KolmogorovForcing)
    assert kolmogorov.equation.drag > 0
    assert load_recipe("decaying_turbulence").equation.forcing is None
    fno = load_recipe("fno_forced")
    assert fno.equation.forcing == DiagonalForcing(0.1)
    assert fno.domain_extent == (1.0, 1.0)
    assert isinstance(fno.initial_condition, GaussianRandomField)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_plain_data(name):
    recipe = load_recipe(name)
    assert parse_recipe(recipe.to_dict()) == recipe
    assert recipe.name == name


@pytest.mark.parametrize("name", RECIPES)
def test_equation_and_initial_condition_agree_on_what_both_name(name):
    assert disagreements(load_recipe(name)) == {}


def test_a_start_for_another_equation_is_told(caplog):
    jets = load_recipe("galewsky")
    heavier = replace(jets, equation=replace(jets.equation, gravity=12.0))
    assert disagreements(heavier) == {"gravity": (12.0, 9.80616)}
    check_limits(heavier)
    assert "gravity is 12 in the equation and 9.80616 in the initial condition" in caplog.text
    plane = load_recipe("geostrophic_turbulence")
    slower = replace(plane, equation=replace(plane.equation, coriolis=UniformRotation(5e-5)))
    assert disagreements(slower) == {"coriolis": (5e-5, 1e-4)}
    planet = load_recipe("planetswe_like")
    shallow = replace(planet.equation, flow=replace(planet.equation.flow, mean_depth=5000.0))
    assert disagreements(replace(planet, equation=shallow)) == {"mean_depth": (5000.0, 5960.0)}
    drawn = replace(jets, parameters={"rotation_rate": Uniform(0.0, 7.292e-5)})
    assert disagreements(drawn) == {"rotation_rate": (0.0, 7.292e-5)}


@pytest.mark.parametrize("name", RECIPES)
def test_no_shipped_recipe_has_steps_in_which_waves_grow(name, caplog):
    check_limits(load_recipe(name))
    assert not caplog.records


def test_steps_in_which_waves_grow_are_told(caplog):
    check_limits(load_recipe("williamson_6", reference_resolution=256))
    # Waves of degree 170 in 9523 m turn by 4.91 radians in 600 s: 36 * 4.91 / 2.5 steps.
    assert "steps_per_frame 36: in a step of 600 on 256 points" in caplog.text
    assert "at least 71 steps per frame" in caplog.text
    caplog.clear()
    check_limits(load_recipe("williamson_6", reference_resolution=256, steps_per_frame=71))
    assert not caplog.records


def test_overrides_replace_fields_and_parts_of_the_splits():
    recipe = load_recipe("kolmogorov", splits={"train": 3}, resolutions=[64, 32, 32], seed=7)
    assert recipe.splits == Splits(train=3, valid=8, test=16)
    assert recipe.resolutions == [32, 64]
    assert recipe.seed == 7


def test_identity_is_all_that_determines_a_trajectory(tiny):
    assert replace(tiny, splits=Splits(1, 1, 1)).sha256 == tiny.sha256
    assert replace(tiny, title="another").sha256 == tiny.sha256
    for field, value in (
        ("seed", 1),
        ("batch_size", 4),
        ("resolutions", [8]),
        ("dtype", "float64"),
        ("equation", replace(tiny.equation, viscosity=2e-3)),
    ):
        assert replace(tiny, **{field: value}).sha256 != tiny.sha256


def test_rungs_keep_square_cells(tiny):
    wide = replace(tiny, domain_extent=(1.0, 2.5))
    assert wide.grid(8).num_points == (8, 20)
    with pytest.raises(ValueError, match=r"resolution 9 gives 22.500 points along x"):
        wide.grid(9)


def test_the_extent_is_by_default_that_of_the_grid(tiny):
    assert replace(tiny, domain_extent=None).domain_extent == (2 * np.pi, 2 * np.pi)
    globe = replace(tiny, equation=SphericalShallowWater(), domain_extent=None)
    assert globe.domain_extent == (180.0, 360.0)
    assert globe.grid(8).num_points == (8, 16)
    assert replace(globe, domain_extent=(180.0, 360.0)).sha256 == globe.sha256


def test_unknown_names_are_refused_with_the_nearest_one():
    with pytest.raises(FileNotFoundError, match=r"recipe 'kolmogorof' \(did you mean 'kolmogorov'"):
        load_recipe("kolmogorof")
    with pytest.raises(ValueError, match=r"recipe field 'sed' \(did you mean 'seed'"):
        load_recipe("kolmogorov", sed=1)
    with pytest.raises(FileNotFoundError, match=r"there is no recipe file nowhere\.yaml"):
        load_recipe("nowhere.yaml")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"reference_resolution": 8}, "at least the finest rung of resolutions"),
        ({"resolutions": []}, "rungs of at least 4 points"),
        ({"num_frames": 0}, "num_frames must be positive, got 0"),
        ({"seed": -1}, "seed must not be negative"),
        ({"splits": {"train": -1}}, "splits.train must not be negative"),
    ],
)
def test_values_out_of_range_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        load_recipe("kolmogorov", **change)


def test_a_broken_file_is_named(tmp_path: Path, tiny):
    import yaml

    path = tmp_path / "mine.yaml"
    content = tiny.to_dict()
    content["equation"]["init_args"]["vicosity"] = 1.0
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=r"mine\.yaml: .*'vicosity' is not accepted"):
        load_recipe(path)
    del content["equation"]["init_args"]["vicosity"]
    content["splits"]["train"] = 2
    path.write_text(yaml.safe_dump(content))
    assert load_recipe(path).splits.train == 2
