"""Trajectories that differ in more than their beginning, evaluated on every kind of grid."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.cli import main
from pdesurrogate.conditioning import Condition
from pdesurrogate.data import Ladder, LogUniform, Splits, Uniform, condition_statistics, generate
from pdesurrogate.evaluation import evaluate
from pdesurrogate.evaluation.plan import plan_evaluation
from pdesurrogate.evaluation.protocols import Setting, Step, TransferProtocol
from pdesurrogate.models import MultiResNet
from pdesurrogate.training import TrainingConfig, train
from pdesurrogate.transfer import restrict
from tests.decay import ChannelDecay, ClosedDecay, Decay, decay_recipe
from tests.evaluation.fakes import fake_surrogate


def told_surrogate(data: Ladder, answer: Any, **options: Any) -> Any:
    """A surrogate that is told the numbers as they are."""
    conditioning = (
        Condition("rate", False, False, mean=0.0, std=1.0),
        Condition("mask", True, False, mean=0.0, std=1.0),
    )
    return fake_surrogate(
        data, answer, fields=("concentration",), conditioning=conditioning, **options
    )


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """Each trajectory has a rate, a mask and a force of its own; the force depends on time."""
    drawn = {
        "rate": LogUniform(0.02, 2.0),
        "edge": Uniform(0.1, 0.9),
        "drive": Uniform(0.5, 1.5),
    }
    recipe = decay_recipe(parameters=drawn, steps_per_frame=2, spin_up_frames=3)
    return generate(recipe, tmp_path_factory.mktemp("driven") / "data", workers=1)


@pytest.mark.parametrize("history", [1, 3])
def test_the_solver_knows_each_trajectorys_parameters_and_the_time(
    history: int, driven: Ladder
) -> None:
    """On the reference's own grid it is the reference: only rounding separates them."""
    keep = fake_surrogate(
        driven, lambda w: w[:, -1:], fields=("concentration",), resolution=16, history=history
    )
    root = evaluate([keep], driven, [16], batch_size=2).to_dataset()
    assert root.sizes["trajectory"] == 3
    solver = root.sel(run="coarse solver 16", protocol="native", resolution=16)
    assert (solver.nrmse < 1e-5).all()
    assert (root.sel(run="persistence", protocol="native").nrmse > 0.01).all()


class Spoiling(TransferProtocol):
    """Does to the whole frame what should be done to the fields only."""

    def carry(self, step: Step, setting: Setting) -> Step:
        return lambda window: -3 * step(window)


def test_a_surrogate_is_told_the_same_at_every_step(driven: Ladder) -> None:
    seen: list[Tensor] = []

    def answer(window: Tensor) -> Tensor:
        seen.append(window)
        return 0.9 * window[:, 1:2]

    surrogate = told_surrogate(driven, answer, resolution=8, history=2)
    rates = torch.tensor(driven.parameter_values("test")["rate"], dtype=torch.float32)
    masks = {n: torch.from_numpy(driven.test[n].mask.values) for n in (8, 16)}
    table = evaluate([surrogate], driven, [8, 16], ["native", "projected", Spoiling()])
    kept = [window for window in seen if len(window) == 3]  # the others are timed
    assert len(kept) == 4 * 3
    for window in kept:
        size = window.shape[-1]
        assert window.shape[1] == 4  # two frames of the field, the rate, the mask
        torch.testing.assert_close(window[:, 2], rates[:, None, None].expand(-1, size, size))
        expected = masks[size]
        if size == 8:
            expected = restrict(masks[16], driven.grid(16), driven.grid(8))
        torch.testing.assert_close(window[:, 3], expected, atol=1e-5, rtol=0)
    assert table["nrmse"].sizes["field"] == 1
    # and the field is what the network says: 0.9 of the last one, frame after frame
    power = table["mean_square"].sel(run="fake", protocol="projected", resolution=16)
    np.testing.assert_allclose(power[:, 1], 0.81 * power[:, 0], rtol=1e-4)


def test_without_surrogates_all_that_changes_is_scored(driven: Ladder) -> None:
    plan = plan_evaluation(
        [],
        driven,
        [8, 16],
        ["native"],
        split="test",
        num_trajectories=None,
        num_steps=None,
        device="cpu",
    )
    assert [field.name for field in plan.fields] == ["concentration"]
    assert plan.loaded_fields == ("concentration",)
    assert all(entry.fields == ("concentration",) for entry in plan.entries)
    table = evaluate([], driven, [8, 16], num_steps=1)
    assert table["field"].values.tolist() == ["concentration"]


@pytest.mark.parametrize("equation", [ClosedDecay(edge=2.0), ChannelDecay(edge=2.0)])
def test_on_cells_the_solver_errs_by_the_detail_alone(equation: Decay, tmp_path: Path) -> None:
    """A decay that is the same everywhere commutes with averaging over cells."""
    recipe = decay_recipe(
        equation=equation,
        parameters={"rate": LogUniform(0.02, 2.0)},
        domain_extent=(1.0, 2.0),
        resolutions=[4, 8, 16],
    )
    data = generate(recipe, tmp_path / "data", workers=1)
    config = TrainingConfig(epochs=1, validation_steps=2)
    trained = train(MultiResNet(width=4, levels=1), data, 4, tmp_path / "run", config)
    assert trained.info.condition_names == ("rate", "mask")
    root = evaluate([trained], data, [4, 8, 16]).to_dataset()
    solver = root.sel(run="coarse solver 4")
    assert (solver.nrmse.sel(protocol="native", resolution=4) < 1e-5).all()
    finer = solver.sel(protocol="projected", resolution=[8, 16])
    assert (finer.in_band_error < 1e-5).all()
    floor = root.sel(run="truncation floor 4", protocol="projected", resolution=[8, 16])
    np.testing.assert_allclose(finer.out_of_band_error, floor.out_of_band_error, atol=1e-5)
    assert np.isfinite(
        root.spectrum.sel(run="run", protocol="projected", resolution=16)[:, :, :, 0]
    ).all()
    surrogate = root.nrmse.sel(run="run", protocol="projected", resolution=[8, 16])
    assert np.isfinite(surrogate).all()


def test_cells_that_do_not_fill_others_are_refused_before_anything_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = decay_recipe(
        equation=ClosedDecay(), resolutions=[8, 12], reference_resolution=24, splits=Splits(3, 1, 1)
    )
    data = generate(recipe, tmp_path / "data", workers=1)
    run = tmp_path / "run"
    train(
        MultiResNet(width=4, levels=1),
        data,
        8,
        run,
        TrainingConfig(epochs=1, validation_steps=2),
    )
    sentence = (
        "resolution 12 does not go with the training grid of 8: 12 x 12 cells do not fill 8 x 8 "
        "cells evenly; choose resolutions that are multiples of one another"
    )
    with caplog.at_level(logging.INFO, logger="pdesurrogate.evaluation"):
        words = ["evaluate", run, "--data", data.path, "--resolutions", "8,12", "--out"]
        assert main([str(word) for word in [*words, tmp_path / "eval.nc"]]) == 2
    assert capsys.readouterr().err.endswith(f"pdesurrogate: {sentence}\n")
    assert caplog.messages == []
    evaluate([], data, [12])


def test_a_trained_surrogate_forecasts_as_it_was_evaluated(driven: Ladder, tmp_path: Path) -> None:
    config = TrainingConfig(epochs=1, validation_steps=2)
    trained = train(MultiResNet(width=4, levels=1), driven, 8, tmp_path / "run", config)
    assert trained.info.conditioning == condition_statistics(
        driven, 8, ("rate", "edge", "drive", "mask")
    )
    forecast = trained.rollout(driven.test[8].isel(time=slice(0, 1)), 3)
    assert set(driven.parameters) <= set(forecast.coords)
    table = evaluate([trained], driven, [8], num_steps=3, example_trajectory=1)
    shown = table["example_8"]["prediction"].sel(run="run", protocol="native")
    np.testing.assert_allclose(
        shown.sel(field="concentration"), forecast["concentration"][1], rtol=1e-5, atol=1e-6
    )


def test_what_a_dataset_does_not_draw_its_equation_says(driven: Ladder, tmp_path: Path) -> None:
    """A run that is told the rate goes to data in which all trajectories have the same."""
    seen: list[Tensor] = []

    def answer(window: Tensor) -> Tensor:
        seen.append(window)
        return window[:, :1]

    surrogate = told_surrogate(driven, answer, resolution=8)
    fixed = {path: law for path, law in driven.recipe.parameters.items() if path != "rate"}
    equation = replace(driven.equation, rate=0.25)
    recipe = replace(driven.recipe, parameters=fixed, equation=equation)
    other = generate(recipe, tmp_path / "data", workers=1)
    assert other.fixed_parameters["rate"] == 0.25
    evaluate([surrogate], other, [8], num_steps=1, other_data=True)
    assert (seen[0][:, 1] == 0.25).all()


def test_a_number_that_no_equation_has_is_not_made_up(driven: Ladder, tmp_path: Path) -> None:
    unknown = (Condition("viscosity", False, False, mean=0.0, std=1.0),)
    surrogate = fake_surrogate(
        driven, lambda w: w[:, :1], fields=("concentration",), conditioning=unknown, resolution=8
    )
    other = generate(replace(driven.recipe, seed=5), tmp_path / "data", workers=1)
    with pytest.raises(ValueError, match=r"is told 'viscosity' .* as a parameter of its equation"):
        evaluate([surrogate], other, [8], other_data=True)
