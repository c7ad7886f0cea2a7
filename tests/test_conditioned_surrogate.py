"""A surrogate that is told more than the fields: the same world's numbers by every way in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from pdesurrogate.conditioning import Condition, ConditionNormaliser
from pdesurrogate.grids import Channel, ClosedBox, Grid, PeriodicBox
from pdesurrogate.surrogate import Surrogate, SurrogateInfo
from pdesurrogate.transfer import prolong, restrict
from tests.test_surrogate import INFO, Pointwise, flow

VISCOSITY = Condition("viscosity", False, True, mean=-4.0, std=2.0)
DRAG = Condition("drag", False, False, mean=0.5, std=0.0)
BED = Condition("bed", True, False, mean=1.0, std=0.5)
TOLD = replace(INFO, conditioning=(VISCOSITY, BED, DRAG))

# Channels are (vorticity, height) of the older frame and of the newer one, viscosity, bed, drag.
MATRIX = [[0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 10.0]]


def told(matrix: list[list[float]] = MATRIX, info: SurrogateInfo = TOLD) -> Surrogate:
    module = nn.Conv2d(len(matrix[0]), len(matrix), 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(matrix)[:, :, None, None])
    return Surrogate(module, info)


def world() -> xr.Dataset:
    """Two trajectories with a viscosity, a bed and a drag, as a dataset of ours holds them."""
    bed = np.random.default_rng(1).random((2, 8, 8)).astype(np.float32)
    return (
        flow()
        .assign(bed=(("trajectory", "y", "x"), bed))
        .assign_coords(viscosity=("trajectory", [1e-3, 1e-1]), drag=("trajectory", [0.5, 0.75]))
    )


def test_normalisation_by_hand() -> None:
    normalise = ConditionNormaliser(TOLD.conditioning, torch.device("cpu"))
    values = torch.tensor([1e-2, 2.0, 0.75]).reshape(1, 3, 1, 1)
    expected = torch.tensor([(np.log(1e-2) + 4) / 2, 2.0, 0.25], dtype=torch.float32)
    torch.testing.assert_close(normalise(values).flatten(), expected)


def test_gradients_pass_where_no_logarithm_is_taken_of_numbers_that_have_none() -> None:
    normalise = ConditionNormaliser(TOLD.conditioning, torch.device("cpu"))
    values = torch.tensor([1e-2, -2.0, 0.0]).reshape(1, 3, 1, 1).requires_grad_()
    normalise(values).sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad.flatten(), torch.tensor([50.0, 2.0, 1.0]))


def test_a_step_feeds_the_conditions_and_hands_them_on() -> None:
    numbers = [[2.0, 90.0, 1e-2, 3.0, 0.5], [3.0, 120.0, 1e-3, 2.0, 0.75]]
    window = torch.tensor([numbers])[..., None, None].expand(1, 2, 5, 4, 4)
    stepped = told().step(window)
    assert torch.equal(stepped[:, 0], window[:, 1])
    assert torch.equal(stepped[:, 1, 2:], window[:, 1, 2:])
    # Told is what stands in the last frame: log 1e-3, bed 2, drag 0.75.
    vorticity = 3 + 0.5 * ((90 - 100) / 10 + (np.log(1e-3) + 4) / 2)
    height = 120 + 4 * ((3 - 1) / 2 + (2 - 1) / 0.5 + 10 * 0.25)
    expected = torch.tensor([vorticity, height], dtype=torch.float32)
    torch.testing.assert_close(stepped[0, 1, :2, 0, 0], expected)


def test_a_rollout_finds_its_conditions_among_the_data() -> None:
    given = world()
    forecast = told().rollout(given, 2)
    assert list(forecast.data_vars) == ["vorticity", "height"]
    np.testing.assert_array_equal(forecast["viscosity"], given["viscosity"])
    assert forecast["viscosity"].dims == ("trajectory",)
    older, newer = (given.isel(time=i) for i in (1, 2))
    scaled = (np.log(given["viscosity"]) + 4) / 2
    first = newer["vorticity"] + 0.5 * ((older["height"] - 100) / 10 + scaled)
    np.testing.assert_allclose(forecast["vorticity"][:, 0], first, rtol=1e-5)
    second = forecast["vorticity"][:, 0] + 0.5 * ((newer["height"] - 100) / 10 + scaled)
    np.testing.assert_allclose(forecast["vorticity"][:, 1], second, rtol=1e-4)
    bed = newer["height"] + 4 * (
        (newer["vorticity"] - 1) / 2 + (given["bed"] - 1) / 0.5 + 10 * (given["drag"] - 0.5)
    )
    np.testing.assert_allclose(forecast["height"][:, 0], bed, rtol=1e-5)


def test_whose_parameters_they_are_matters_and_how_they_are_given_does_not() -> None:
    surrogate, given = told(), world()
    whole = surrogate.rollout(given, 2)
    swapped = given.assign_coords(viscosity=("trajectory", given["viscosity"].values[::-1]))
    assert not np.allclose(surrogate.rollout(swapped, 2)["vorticity"], whole["vorticity"])

    shared = given.assign_coords(viscosity=("trajectory", [1e-2, 1e-2]))
    as_scalar = given.drop_vars("viscosity").assign_coords(viscosity=1e-2)
    as_variable = given.drop_vars("viscosity").assign(viscosity=1e-2)
    expected = surrogate.rollout(shared, 2)
    for other in (as_scalar, as_variable):
        xr.testing.assert_equal(
            surrogate.rollout(other, 2).drop_vars("viscosity", errors="ignore"),
            expected.drop_vars("viscosity"),
        )
    one_bed = given.isel(trajectory=0)["bed"].drop_vars(["trajectory", "viscosity", "drag"])
    first = surrogate.rollout(given.assign(bed=one_bed), 2)
    np.testing.assert_array_equal(first["height"][0], whole["height"][0])
    assert not np.allclose(first["height"][1], whole["height"][1])


def test_equal_worlds_have_equal_forecasts() -> None:
    twins = world().isel(trajectory=[1, 1])
    forecast = told().rollout(twins, 2)
    np.testing.assert_array_equal(forecast["height"][0], forecast["height"][1])


def test_a_single_trajectory_any_order_of_dimensions_and_any_batch_size_will_do() -> None:
    surrogate, given = told(), world()
    whole = surrogate.rollout(given, 2)
    single = surrogate.rollout(given.isel(trajectory=1), 2)
    np.testing.assert_array_equal(single["height"][0], whole["height"][1])
    turned = surrogate.rollout(given.transpose("x", "time", "y", "trajectory"), 2)
    np.testing.assert_array_equal(turned["height"], whole["height"])
    np.testing.assert_array_equal(
        surrogate.rollout(given, 2, batch_size=1)["height"], whole["height"]
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (world().drop_vars("bed"), "conditioned on 'bed', which the data lack: give it, a static"),
        (world().drop_vars("drag"), "conditioned on 'drag', .* give it, one per trajectory"),
        (world().assign(bed=1.0), "'bed' must have dimensions .*'y', 'x'.*, got \\(\\)"),
        (world().assign_coords(drag=("time", [1.0, 2, 3])), r"'drag' must .* got \('time',\)"),
        (world().assign_coords(viscosity=0.0), "'viscosity' must be positive, since .* logarithm"),
    ],
)
def test_conditions_that_do_not_fit_are_named(given: xr.Dataset, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        told().rollout(given, 1)


def test_conditions_survive_saving(tmp_path: Path) -> None:
    surrogate = told(info=replace(TOLD, options={"bias": False}))
    surrogate.save(tmp_path)
    loaded = Surrogate.load(tmp_path, specs=[Pointwise])
    assert loaded.info == surrogate.info
    xr.testing.assert_identical(loaded.rollout(world(), 2), surrogate.rollout(world(), 2))


def test_a_description_from_before_there_was_conditioning_has_none(tmp_path: Path) -> None:
    description = INFO.to_dict()
    assert description.pop("conditioning") == []
    assert SurrogateInfo.from_dict(json.loads(json.dumps(description))) == INFO


@pytest.mark.parametrize("kind", [PeriodicBox, ClosedBox, Channel])
def test_a_constant_stays_constant_on_every_grid(kind: type[Grid]) -> None:
    """So that a parameter is the same number wherever a protocol takes it."""
    fine, coarse = kind((12, 24)), kind((4, 8))
    values = torch.tensor([1e-6, 3e-3, 0.7, 1234.0])[:, None, None].expand(-1, 12, 24)
    seen: Tensor = values
    for _ in range(50):
        seen = prolong(restrict(seen, fine, coarse), coarse, fine)
    torch.testing.assert_close(seen, values, rtol=1e-5, atol=0.0)
    once = restrict(values, fine, coarse)
    torch.testing.assert_close(once, values[:, :4, :8], rtol=1e-6, atol=0.0)
