"""Trainings on several rungs: in stages, and mixed."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.data import Ladder, field_statistics
from pdesurrogate.models import FNO, ModelSpec, MultiResNet
from pdesurrogate.models.user_model import UserModel
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import Stage, TrainingConfig, train
from pdesurrogate.training.clock import TrainingClock
from pdesurrogate.transfer import prolong, restrict
from tests.training.test_trainer import crash, in_step, metrics

SPEC = MultiResNet(width=4, levels=1)
STAGES = (Stage(8, epochs=2), Stage(16, epochs=2, trajectories=2, freeze=True, width=4))
CONFIG = TrainingConfig(stages=STAGES, batch_size=7, validation_steps=2)
"""4 steps an epoch on the coarse rung, 2 on the fine one with half of the trajectories."""


class Averaging(nn.Sequential):
    """A convolution and a normalisation by running means."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels)
        )


def state(surrogate: Surrogate) -> dict[str, Tensor]:
    return surrogate.module.state_dict()


def reports(run: Path) -> list[dict[str, float]]:
    with (run / "stages.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def staged(flow: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("staged") / "run"
    train(SPEC, flow, 8, out, CONFIG)
    return out


@pytest.mark.parametrize("spec", [SPEC, FNO(modes=2, width=4, layers=1)])
def test_frozen_weights_are_those_of_the_coarse_training(
    spec: ModelSpec, flow: Ladder, tmp_path: Path
) -> None:
    """Bit for bit those of a training that ends after the first stage."""
    staged = train(spec, flow, 8, tmp_path / "staged", CONFIG)
    alone = train(spec, flow, 8, tmp_path / "alone", replace(CONFIG, stages=None, epochs=2))
    inside = staged.module.get_submodule("bottleneck").state_dict()
    assert inside.keys() == state(alone).keys()
    assert all(torch.equal(inside[name], value) for name, value in state(alone).items())
    trained = [name for name in state(staged) if not name.startswith("bottleneck.")]
    assert any(bool(state(staged)[name].abs().max() > 0) for name in trained if "read_off" in name)


def test_what_is_frozen_gathers_no_statistics_either(flow: Ladder, tmp_path: Path) -> None:
    """A network with running means, which its forward pass would change in training mode."""
    spec = UserModel.of(Averaging)
    staged = train(spec, flow, 8, tmp_path / "run", CONFIG)
    coarse = torch.load(tmp_path / "run/checkpoint/best.pt", weights_only=True)["module"]
    inside = staged.module.get_submodule("bottleneck").state_dict()
    assert all(torch.equal(inside[name], value) for name, value in coarse.items())
    assert float(inside["1.running_mean"].abs().max()) > 0


def test_weights_that_are_not_frozen_go_on_learning(flow: Ladder, tmp_path: Path) -> None:
    stages = (STAGES[0], replace(STAGES[1], freeze=False))
    staged = train(SPEC, flow, 8, tmp_path / "run", replace(CONFIG, stages=stages))
    coarse = torch.load(tmp_path / "run/checkpoint/best.pt", weights_only=True)["module"]
    inside = staged.module.get_submodule("bottleneck").state_dict()
    assert all(not torch.equal(inside[name], value) for name, value in coarse.items())


def test_a_stage_begins_as_the_embedding_of_the_one_before(flow: Ladder, tmp_path: Path) -> None:
    """Before its first step the extended network is Q U R; after one of rate 0, still."""
    stages = (STAGES[0], Stage(16, epochs=1, learning_rate=1e-30, width=4))
    config = replace(CONFIG, stages=stages, min_learning_rate=0.0, weight_decay=0.0)
    staged = train(SPEC, flow, 8, tmp_path / "staged", config)
    alone = train(SPEC, flow, 8, tmp_path / "alone", replace(CONFIG, stages=None, epochs=2))
    window = torch.from_numpy(flow.test[16].vorticity.values[:, :1, None].astype(np.float32))
    fine, coarse = flow.grid(16), flow.grid(8)
    with torch.no_grad():
        predicted = staged.step(window) - window
        restricted = restrict(window, fine, coarse)
        expected = prolong(alone.step(restricted) - restricted, coarse, fine)
    torch.testing.assert_close(predicted, expected, rtol=1e-4, atol=5e-5)
    assert staged.info.statistics == field_statistics(flow, 8, ("vorticity",))


def test_a_staged_run_is_for_its_finest_rung_and_can_be_loaded(flow: Ladder, staged: Path) -> None:
    surrogate = Surrogate.load(staged)
    assert surrogate.info.training_grid == flow.grid(16)
    assert surrogate.info.model == "Extended"
    forecast = surrogate.rollout(flow.test[16].isel(time=slice(0, 1)), 2)
    assert np.isfinite(forecast.vorticity.values).all()
    assert surrogate.info.epochs in (2, 3, 4)


def test_every_stage_tells_what_it_cost_and_brought(flow: Ladder, staged: Path) -> None:
    first, second = reports(staged)
    assert (first["stage"], first["resolution"], first["trajectories"]) == (1, 8, 4)
    assert (second["stage"], second["resolution"], second["trajectories"]) == (2, 16, 2)
    assert second["data_megabytes"] == pytest.approx(4e-6 * 2 * 8 * 16**2)
    assert first["parameters"] == first["trained_parameters"]
    assert second["trained_parameters"] == second["parameters"] - first["parameters"]
    assert math.isnan(first["rollout_before"])
    assert second["rollout_after"] <= second["rollout_before"]
    assert metrics(staged, "stage") == ["1", "1", "2", "2"]
    assert metrics(staged, "epoch") == ["1", "2", "3", "4"]
    assert metrics(staged, "step") == ["4", "8", "10", "12"]
    best = min(float(error) for error in metrics(staged, "valid_rollout")[2:])
    assert second["rollout_after"] == pytest.approx(min(best, second["rollout_before"]), rel=1e-5)


@pytest.mark.parametrize("number", [3, 8, 9, 11, 12])
def test_a_staged_training_resumes_with_the_same_bits(
    number: int, staged: Path, flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crashes in the first stage, at its end, and in the second."""
    with monkeypatch.context() as patch:
        in_step(patch, number, crash)
        with pytest.raises(RuntimeError, match="power cut"):
            train(SPEC, flow, 8, tmp_path / "cut", CONFIG)
    torch.manual_seed(99)
    train(SPEC, flow, 8, tmp_path / "cut", CONFIG, resume=True)
    cut, undisturbed = (
        (run / "model.safetensors").read_bytes() for run in (tmp_path / "cut", staged)
    )
    assert cut == undisturbed
    kept = ("data_megabytes", "one_step_before", "rollout_before", "rollout_after", "epochs")
    for one, other in zip(reports(tmp_path / "cut"), reports(staged), strict=True):
        assert str([one[name] for name in kept]) == str([other[name] for name in kept])


def test_a_finished_staged_run_may_be_resumed(staged: Path, flow: Ladder) -> None:
    before = (staged / "model.safetensors").read_bytes()
    train(SPEC, flow, 8, staged, CONFIG, resume=True)
    assert (staged / "model.safetensors").read_bytes() == before


def test_a_mixture_sees_every_rung_and_one_rung_is_the_plain_training(
    flow: Ladder, tmp_path: Path
) -> None:
    config = TrainingConfig(epochs=2, batch_size=7, validation_steps=2)
    plain = train(SPEC, flow, 8, tmp_path / "plain", config)
    alone = train(SPEC, flow, 8, tmp_path / "alone", replace(config, mixture={8: 1.0}))
    mixed = train(SPEC, flow, 8, tmp_path / "mixed", replace(config, mixture={8: 0.5, 16: 0.5}))
    for name, value in state(plain).items():
        assert torch.equal(state(alone)[name], value)
    assert not all(torch.equal(state(mixed)[name], value) for name, value in state(plain).items())
    assert mixed.info.training_grid == flow.grid(8)


@pytest.mark.parametrize(
    ("resolution", "options", "sentence"),
    [
        (8, {"mixture": {8: 0.5, 16: 0.4}}, "shares of mixture must add up to 1, .* make 0.9"),
        (8, {"mixture": {8: 1.5, 16: -0.5}}, "mixture must give every rung a positive share"),
        (8, {"mixture": {16: 1.0}}, "mixture must give the resolution 8, .*; it names 16"),
        (8, {"mixture": {8: 0.5, 12: 0.5}}, "resolution 12 is not in kolmogorov"),
        (8, {"stages": (Stage(16, 1), Stage(8, 1))}, "stages must go from coarse to fine rungs"),
        (8, {"stages": (Stage(16, 1),)}, "has resolution 16, but the training is on 8"),
        (8, {"stages": (Stage(8, 1), Stage(24, 1))}, "resolution 24 is not in kolmogorov"),
        (8, {"stages": (Stage(8, 1), Stage(16, 1, trajectories=9))}, "asks for 9 .* has 4"),
        (8, {"stages": (Stage(8, 1), Stage(8, 1, freeze=True))}, "adds no level"),
        (8, {"stages": (Stage(8, 1, freeze=True),)}, "first of the stages has nothing to freeze"),
        (8, {"stages": ()}, "stages must name at least one stage"),
        (8, {"stages": (Stage(8, 1),), "mixture": {8: 1.0}}, "stages and mixture exclude"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(
    resolution: int, options: dict[str, Any], sentence: str, flow: Ladder, out: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        train(SPEC, flow, resolution, out, replace(TrainingConfig(validation_steps=2), **options))
    assert not out.exists()


def test_stages_say_what_they_need() -> None:
    with pytest.raises(ValueError, match="epochs of a stage must be at least 1, got 0"):
        Stage(8, epochs=0)
    with pytest.raises(ValueError, match="learning_rate of a stage must be positive"):
        Stage(8, epochs=1, learning_rate=-1.0)


def test_a_staged_training_that_runs_out_of_time_goes_on_where_it_was(
    staged: Path, flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is over in the first stage: its surrogate so far is kept."""
    ticks = iter(range(10000))
    with monkeypatch.context() as patch:
        patch.setattr(TrainingClock, "seconds", lambda self: float(next(ticks)))
        early = train(SPEC, flow, 8, tmp_path / "run", replace(CONFIG, time_budget=5.0))
    assert early.info.training_grid == flow.grid(8)
    assert not (tmp_path / "run/stages.csv").exists()
    train(SPEC, flow, 8, tmp_path / "run", CONFIG, resume=True)
    late, undisturbed = (
        (run / "model.safetensors").read_bytes() for run in (tmp_path / "run", staged)
    )
    assert late == undisturbed
