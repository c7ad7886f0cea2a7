"""Parts of an initial state: independent streams, no field twice."""

import numpy as np
import pytest
import torch

from pdesurrogate.data.recipe import load_recipe, parse_recipe
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.initial_conditions import (
    CombinedInitialCondition,
    GaussianRandomField,
    McWilliamsVorticity,
)
from pdesurrogate.transfer import resample

BOX = PeriodicBox((64, 64))
TRACER = GaussianRandomField(max_wavenumber=8, field="tracer")


def draw(*parts, box=BOX, seed=5):
    return CombinedInitialCondition(list(parts)).sample(np.random.default_rng(seed), box)


def test_every_part_gives_its_fields_whatever_the_others_are():
    first = draw(McWilliamsVorticity(max_wavenumber=8), TRACER)
    second = draw(McWilliamsVorticity(max_wavenumber=20), TRACER)
    assert list(first) == ["vorticity", "tracer"]
    assert torch.equal(first["tracer"], second["tracer"])
    assert not torch.equal(first["vorticity"], second["vorticity"])


def test_the_parts_are_independent():
    vorticity = GaussianRandomField(max_wavenumber=8)
    fields = draw(vorticity, TRACER)
    pair = torch.stack([fields["vorticity"].flatten(), fields["tracer"].flatten()])
    assert torch.corrcoef(pair)[0, 1].abs() < 0.5
    assert not torch.equal(*pair)


def test_the_same_seed_gives_the_same_functions_on_every_grid():
    fine = draw(McWilliamsVorticity(max_wavenumber=8), TRACER)
    coarse = draw(McWilliamsVorticity(max_wavenumber=8), TRACER, box=BOX.at_resolution(24))
    for name, values in coarse.items():
        torch.testing.assert_close(resample(fine[name], (24, 24)), values, rtol=0, atol=1e-12)


def test_two_parts_with_one_field_and_none_at_all_are_refused():
    with pytest.raises(ValueError, match=r"two parts .* give the field 'tracer'"):
        draw(TRACER, TRACER)
    with pytest.raises(ValueError, match="at least one part"):
        CombinedInitialCondition([])


def test_a_recipe_may_name_the_parts():
    content = load_recipe("kolmogorov").to_dict()
    parts = [
        {"class_path": "McWilliamsVorticity", "init_args": {"peak_wavenumber": 3.0}},
        {"class_path": "GaussianRandomField", "init_args": {"field": "tracer"}},
    ]
    content["initial_condition"] = {
        "class_path": "CombinedInitialCondition",
        "init_args": {"parts": parts},
    }
    recipe = parse_recipe(content)
    assert recipe.initial_condition.parts[0] == McWilliamsVorticity(peak_wavenumber=3.0)
    assert parse_recipe(recipe.to_dict()) == recipe
