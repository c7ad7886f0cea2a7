from __future__ import annotations

import csv
import logging
import math
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from torch import Tensor, nn

from pdesurrogate.data import Ladder, field_statistics, generate
from pdesurrogate.grids import Grid
from pdesurrogate.locks import LOCK
from pdesurrogate.models import FNO, ModelSpec, MultiResNet
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import (
    Criterion,
    Curriculum,
    FrameLoss,
    LossSetting,
    NonFiniteLossError,
    Objective,
    TrainingConfig,
    Unrolled,
    learner,
    preparation,
    train,
)
from pdesurrogate.training.learner import Learner
from pdesurrogate.training.loop import TrainingLoop
from pdesurrogate.training.validation import RolloutValidation, Verdict

SPEC = MultiResNet(width=4, levels=1)
CONFIG = TrainingConfig(epochs=3, batch_size=6, validation_steps=2)  # 28 windows, 5 steps an epoch


@dataclass(frozen=True)
class Noisy(ModelSpec):
    """A convolution after dropout, so that training draws random numbers."""

    probability: float = 0.2

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return nn.Sequential(
            nn.Dropout(self.probability),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="circular"),
        )


@dataclass(frozen=True)
class Poisoned(FrameLoss):
    """A loss that is never finite."""

    def on(self, setting: LossSetting) -> Criterion:
        return lambda prediction, truth: torch.inf * (prediction - truth).square().mean()


def weights(surrogate: Surrogate) -> Tensor:
    return torch.cat([w.detach().flatten() for w in surrogate.module.parameters()])


def in_step(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[], Any]) -> None:
    """Do something in the middle of an optimiser step, counted from 1."""
    steps = 0
    clip = learner.clip_grad_norm_

    def clip_and_act(*args: Any) -> Tensor:
        nonlocal steps
        steps += 1
        result = action() if steps == number else None
        return clip(*args) if result is None else result

    monkeypatch.setattr(learner, "clip_grad_norm_", clip_and_act)


def crash() -> None:
    raise RuntimeError("power cut")


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_every_epoch_is_a_line_in_the_log(
    flow: Ladder, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pdesurrogate"):
        train(SPEC, flow, 16, out, CONFIG)
    lines = [line for line in caplog.messages if line.startswith("epoch ")]
    assert len(lines) == CONFIG.epochs
    assert re.fullmatch(
        rf"epoch 1/{CONFIG.epochs}: loss \S+, one step \S+, rollout \S+, \S+ s", lines[0]
    )


def test_a_run_holds_what_was_promised(flow: Ladder, out: Path) -> None:
    surrogate = train(SPEC, flow, 16, out, CONFIG)
    assert {path.name for path in out.iterdir()} - {LOCK} == {
        "config.yaml",
        "model.safetensors",
        "surrogate.json",
        "metrics.csv",
        "checkpoint",
    }
    kept = {path.name for path in (out / "checkpoint").iterdir()}
    assert kept == {"best.pt", "epoch.pt", "last.pt"}
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "5"), ("2", "10"), ("3", "15")]
    assert all(math.isfinite(float(value)) for row in rows for value in row.values())
    settings = yaml.safe_load((out / "config.yaml").read_text())
    assert settings["model"] == {"class_path": "MultiResNet", "init_args": parts_to_plain(SPEC)}
    assert settings["learning_rate"] == SPEC.learning_rate
    assert settings["fields"] == ["vorticity"]
    assert flow.sha256 in (out / "config.yaml").read_text()

    info = surrogate.info
    assert (info.name, info.model, info.seed, info.dataset) == (
        "run",
        "MultiResNet",
        0,
        "kolmogorov",
    )
    assert info.parameters == sum(w.numel() for w in surrogate.module.parameters())
    assert info.statistics == field_statistics(flow, 16, ("vorticity",))
    assert info.time_step == flow.time_step
    assert info.training_grid == flow.grid(16)
    assert info.flops > 0
    assert info.training_seconds > 0


def test_what_is_returned_is_what_is_saved(flow: Ladder, out: Path) -> None:
    surrogate = train(SPEC, flow, 16, out, CONFIG)
    loaded = Surrogate.load(out)
    given = flow.test[16].isel(time=slice(0, 2))
    forecast = surrogate.rollout(given, 3)
    xr.testing.assert_identical(forecast, loaded.rollout(given, 3))
    np.testing.assert_allclose(forecast["time"], flow.test[16]["time"][2:5])
    assert forecast["vorticity"].attrs == given["vorticity"].attrs
    assert dict(surrogate.rollout(flow.test[8], 1).sizes)["y"] == 8


def test_one_trajectory_can_be_learnt_by_heart(tmp_path: Path) -> None:
    data = generate(
        "kolmogorov",
        tmp_path / "data",
        resolutions=[16],
        reference_resolution=16,
        num_frames=4,
        spin_up_frames=0,
        steps_per_frame=16,
        splits={"train": 1, "valid": 1, "test": 0},
        batch_size=1,
        accuracy_trajectories=0,
        workers=1,
    )
    config = TrainingConfig(epochs=60, batch_size=1, validation_steps=1, learning_rate=4e-3)
    train(MultiResNet(width=16, levels=1), data, 16, tmp_path / "run", config)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        losses = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0] / 100


@pytest.mark.parametrize("spec", [SPEC, Noisy(), FNO(modes=2, width=4, layers=1)])
def test_training_twice_gives_the_same_bits(spec: ModelSpec, flow: Ladder, tmp_path: Path) -> None:
    first = train(spec, flow, 8, tmp_path / "first", CONFIG)
    torch.manual_seed(99)
    second = train(spec, flow, 8, tmp_path / "second", CONFIG)
    assert torch.equal(weights(first), weights(second))
    other = train(spec, flow, 8, tmp_path / "other", replace(CONFIG, seed=1))
    assert not torch.equal(weights(first), weights(other))


def test_training_leaves_the_callers_random_state_alone(flow: Ladder, out: Path) -> None:
    before = torch.get_rng_state()
    train(Noisy(), flow, 8, out, CONFIG)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("spec", [SPEC, Noisy()], ids=["plain", "noisy"])
@pytest.mark.parametrize("number", [1, 5, 6, 8, 15])
@pytest.mark.parametrize(
    "options",
    [{}, {"ema_decay": 0.9, "objective": Unrolled(2), "history": 2, "checkpoint_seconds": 0.0}],
    ids=["plain", "averaged"],
)
def test_a_resumed_training_ends_with_the_same_bits(
    spec: ModelSpec,
    number: int,
    options: dict[str, Any],
    flow: Ladder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Crashes before the first, at the last, and in the middle of an epoch."""
    config = replace(CONFIG, batch_size=4 if options else 6, **options)  # 5 steps an epoch
    undisturbed = train(spec, flow, 8, tmp_path / "undisturbed", config)
    with monkeypatch.context() as patch:
        in_step(patch, number, crash)
        with pytest.raises(RuntimeError, match="power cut"):
            train(spec, flow, 8, tmp_path / "cut", config)
    torch.manual_seed(99)
    resumed = train(spec, flow, 8, tmp_path / "cut", config, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))
    for column in ("train_loss", "valid_rollout", "gradient_norm"):
        assert metrics(tmp_path / "cut", column) == metrics(tmp_path / "undisturbed", column)


def metrics(run: Path, column: str) -> list[str]:
    with (run / "metrics.csv").open() as file:
        return [row[column] for row in csv.DictReader(file)]


@pytest.mark.parametrize("number", [3, 5, 15])
def test_ctrl_c_finishes_the_step_and_can_be_resumed(
    number: int, flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = train(Noisy(), flow, 8, tmp_path / "undisturbed", CONFIG)
    with monkeypatch.context() as patch:
        in_step(patch, number, press_ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            train(Noisy(), flow, 8, tmp_path / "cut", CONFIG)
    position = torch.load(tmp_path / "cut/checkpoint/last.pt", weights_only=True)["position"]
    assert position["step"] == number
    assert not (tmp_path / "cut/surrogate.json").exists()
    resumed = train(Noisy(), flow, 8, tmp_path / "cut", CONFIG, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))


def test_a_finished_run_may_be_resumed(flow: Ladder, out: Path) -> None:
    first = train(SPEC, flow, 8, out, CONFIG)
    again = train(SPEC, flow, 8, out, CONFIG, resume=True)
    assert torch.equal(weights(first), weights(again))
    assert again.info == first.info


def test_resuming_nothing_starts_and_overwriting_begins_again(flow: Ladder, out: Path) -> None:
    first = train(SPEC, flow, 8, out, CONFIG, resume=True)
    other = train(SPEC, flow, 8, out, replace(CONFIG, seed=1), overwrite=True)
    assert not torch.equal(weights(first), weights(other))
    assert len(metrics(out, "epoch")) == 3


def test_the_best_weights_are_kept_not_the_last(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = iter([Verdict(0.0, 3.0, 0.5), Verdict(0.0, 2.0, 0.4), Verdict(1.0, 0.1, 0.1)])
    seen = []

    def judge(validation: Any, surrogate: Surrogate, *_: Any, **__: Any) -> Verdict:
        seen.append(weights(surrogate))
        return next(verdicts)

    monkeypatch.setattr(RolloutValidation, "__call__", judge)
    surrogate = train(SPEC, flow, 8, out, CONFIG)
    assert torch.equal(weights(surrogate), seen[1])
    assert surrogate.info.epochs == 2


def test_of_rollouts_that_all_break_the_best_first_step_wins(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = iter([Verdict(1.0, math.inf, error) for error in (0.5, 0.3, 0.4)])
    monkeypatch.setattr(RolloutValidation, "__call__", lambda *_, **__: next(verdicts))
    assert train(SPEC, flow, 8, out, CONFIG).info.epochs == 2


def test_with_averaging_the_average_is_what_is_kept(flow: Ladder, out: Path) -> None:
    surrogate = train(SPEC, flow, 8, out, replace(CONFIG, ema_decay=0.999))
    last = torch.load(out / "checkpoint/last.pt", weights_only=True)
    assert surrogate.info.epochs == 3
    average = torch.cat([value.flatten() for value in last["average"].values()])
    module = torch.cat([value.flatten() for value in last["module"].values()])
    assert torch.equal(weights(surrogate), average)
    assert not torch.equal(average, module)


@pytest.mark.parametrize("fields", [("vorticity", "velocity_x"), ("velocity_x", "vorticity")])
def test_channels_are_in_the_order_that_was_asked_for(
    fields: tuple[str, ...], flow: Ladder, out: Path
) -> None:
    surrogate = train(SPEC, flow, 8, out, replace(CONFIG, fields=fields, history=2))
    assert surrogate.info.field_names == fields
    assert surrogate.info.statistics == field_statistics(flow, 8, fields)
    given = flow.test[8].isel(time=slice(0, 2))
    forecast = surrogate.rollout(given, 1)
    window = torch.stack(
        [torch.from_numpy(given[name].values.astype(np.float32)) for name in fields], dim=2
    )
    with torch.no_grad():
        expected = surrogate.step(window)[:, -1]
    for channel, name in enumerate(fields):
        np.testing.assert_array_equal(forecast[name].values[:, 0], expected[:, channel])


def test_windows_from_disk_train_the_same_network(
    flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_memory = train(Noisy(), flow, 8, tmp_path / "memory", CONFIG)
    monkeypatch.setattr(preparation, "IN_MEMORY_BYTES", 0)
    from_disk = train(Noisy(), flow, 8, tmp_path / "disk", CONFIG)
    assert torch.equal(weights(from_memory), weights(from_disk))


def test_training_works_outside_the_main_thread(flow: Ladder, out: Path) -> None:
    worker = threading.Thread(target=train, args=(SPEC, flow, 8, out, replace(CONFIG, epochs=1)))
    worker.start()
    worker.join()
    assert (out / "surrogate.json").exists()


def test_a_loss_that_is_not_finite_goes_back_to_the_epochs_beginning(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The second epoch, repeated at half the rate, is one of a training that began at that rate."""
    in_step(monkeypatch, 7, lambda: torch.tensor(math.nan))
    train(Noisy(), flow, 8, out, CONFIG)
    assert metrics(out, "rollbacks") == ["0", "1", "1"]
    assert metrics(out, "step") == ["5", "10", "15"]
    assert "norm nan in epoch 2, step 7: back to the beginning of the epoch, at 0.5 times" in (
        caplog.text
    )
    rates = [float(rate) for rate in metrics(out, "learning_rate")]
    monkeypatch.undo()
    train(Noisy(), flow, 8, out, CONFIG, overwrite=True)
    undisturbed = [float(rate) for rate in metrics(out, "learning_rate")]
    assert rates == pytest.approx([undisturbed[0], 0.5 * undisturbed[1], 0.5 * undisturbed[2]])


@pytest.mark.parametrize("number", [2, 8, 13])
def test_a_training_with_a_rollback_resumes_with_the_same_bits(
    number: int, flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is not finite whenever the second epoch's second step is taken at the full rate."""
    loss = Learner.gradient

    def spoilt(self: Learner, batch: Any, objective: Any, seed: Any) -> tuple[float, float]:
        value, norm = loss(self, batch, objective, seed)
        is_wild = seed[2:] == (1, 1) and loop_of[0].position.rollbacks == 0
        return (math.nan if is_wild else value), norm

    loop_of: list[TrainingLoop] = []
    begin = TrainingLoop.train

    def noted(self: TrainingLoop, *args: Any) -> Any:
        loop_of[:] = [self]
        return begin(self, *args)

    monkeypatch.setattr(Learner, "gradient", spoilt)
    monkeypatch.setattr(TrainingLoop, "train", noted)
    config = replace(CONFIG, checkpoint_seconds=0.0)
    undisturbed = train(Noisy(), flow, 8, tmp_path / "undisturbed", config)
    with monkeypatch.context() as patch:
        in_step(patch, number, crash)
        with pytest.raises(RuntimeError, match="power cut"):
            train(Noisy(), flow, 8, tmp_path / "cut", config)
    resumed = train(Noisy(), flow, 8, tmp_path / "cut", config, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))
    assert metrics(tmp_path / "cut", "rollbacks") == ["0", "1", "1"]


def jump(monkeypatch: pytest.MonkeyPatch, steps: range, factor: float) -> None:
    """Let the loss of some steps be told as higher than it is, counted from 1."""
    gradient, done = Learner.gradient, 0

    def raised(self: Learner, batch: Any, objective: Any, seed: Any) -> tuple[float, float]:
        nonlocal done
        done += 1
        loss, norm = gradient(self, batch, objective, seed)
        return loss * (factor if done in steps else 1.0), norm

    monkeypatch.setattr(Learner, "gradient", raised)


@pytest.mark.parametrize(
    ("steps", "factor", "rollbacks"),
    [
        (range(6, 11), 20.0, ["0", "1", "1"]),  # the whole second epoch
        (range(13, 14), 100.0, ["0", "0", "1"]),  # one step of the third
        (range(6, 11), 5.0, ["0", "0", "0"]),  # not ten times as high
        (range(1, 6), 20.0, ["0", "0", "0"]),  # the first has none to be compared with
    ],
)
def test_a_loss_that_jumps_goes_back_to_the_epochs_beginning(
    steps: range,
    factor: float,
    rollbacks: list[str],
    flow: Ladder,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    jump(monkeypatch, steps, factor)
    train(Noisy(), flow, 8, out, CONFIG)
    assert metrics(out, "rollbacks") == rollbacks
    assert metrics(out, "step") == ["5", "10", "15"]
    epoch = 1 + rollbacks.index("1") if "1" in rollbacks else 0
    assert (f" in epoch {epoch}, step {5 * epoch}: back to" in caplog.text) == (epoch > 0)


def test_a_training_that_jumped_resumes_with_the_same_bits(
    flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        jump(patch, range(6, 11), 20.0)
        undisturbed = train(Noisy(), flow, 8, tmp_path / "undisturbed", CONFIG)
    with monkeypatch.context() as patch:
        jump(patch, range(6, 11), 20.0)
        in_step(patch, 13, crash)  # of those after the rollback
        with pytest.raises(RuntimeError, match="power cut"):
            train(Noisy(), flow, 8, tmp_path / "cut", CONFIG)
    resumed = train(Noisy(), flow, 8, tmp_path / "cut", CONFIG, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))
    assert metrics(tmp_path / "cut", "rollbacks") == ["0", "1", "1"]


def test_losses_of_different_objectives_are_not_compared(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump(monkeypatch, range(6, 11), 20.0)
    growing = replace(CONFIG, epochs=2, objective=Curriculum(Unrolled(2)))
    assert growing.objective.at(0.0) != growing.objective.at(0.9)
    train(Noisy(), flow, 8, out, growing)
    assert metrics(out, "rollbacks") == ["0", "0"]


def test_a_loss_that_keeps_jumping_is_put_up_with(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is finite, and may come back by itself."""
    jump(monkeypatch, range(6, 21), 20.0)
    train(Noisy(), flow, 8, out, replace(CONFIG, rollbacks=2))
    assert metrics(out, "rollbacks") == ["0", "1", "1"]
    losses = [float(loss) for loss in metrics(out, "train_loss")]
    assert losses[1] > 10 * losses[0]


def test_the_last_rollback_is_kept_for_a_loss_that_is_not_finite(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump(monkeypatch, range(6, 16), 20.0)  # the second epoch, twice
    in_step(monkeypatch, 18, lambda: torch.tensor(math.nan))
    train(Noisy(), flow, 8, out, replace(CONFIG, rollbacks=2))
    assert metrics(out, "rollbacks") == ["0", "1", "2"]


def test_a_loss_that_stays_infinite_stops_before_it_does_harm(flow: Ladder, out: Path) -> None:
    config = replace(CONFIG, loss=Poisoned(), rollbacks=2)
    with pytest.raises(NonFiniteLossError, match=r"step 1 after 2 rollbacks: .*epoch\.pt holds"):
        train(SPEC, flow, 8, out, config)
    last = torch.load(out / "checkpoint/last.pt", weights_only=True)
    assert last["position"]["step"] == 0
    assert last["position"]["rollbacks"] == 2
    assert all(value.isfinite().all() for value in last["module"].values())


def test_a_training_that_really_diverges_is_stopped(flow: Ladder, out: Path) -> None:
    wild = replace(CONFIG, learning_rate=1e18, gradient_clip=None, warmup=0.0)
    with pytest.raises(NonFiniteLossError, match="the loss became"):
        train(SPEC, flow, 8, out, wild)


@pytest.mark.parametrize(
    ("resolution", "changes", "sentence"),
    [
        (12, {}, "resolution 12 is not in kolmogorov; its rungs are 8, 16"),
        (8, {"fields": ("vortcity",)}, r"'vortcity' \(did you mean 'vorticity'\?\)"),
        (
            8,
            {"history": 6, "objective": Unrolled(3)},
            "history 6 and the 3 frames of the objective need .* 9 frames, .* have 8",
        ),
        (8, {"validation_steps": 8}, "validation_steps 8 need .* 9 frames, .* have 8"),
        (8, {"device": "cuda:7"}, "device 'cuda:7' was asked for, but this machine has"),
    ],
)
def test_what_the_data_or_the_machine_do_not_allow_is_said(
    resolution: int, changes: dict[str, Any], sentence: str, flow: Ladder, out: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        train(SPEC, flow, resolution, out, replace(CONFIG, **changes))
    assert not out.exists()


def test_an_empty_split_is_named(flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ladder, "num_trajectories", lambda self, split: int(split == "train"))
    with pytest.raises(ValueError, match=r"the valid split of .* is empty"):
        train(SPEC, flow, 8, out, CONFIG)


def test_an_existing_run_is_neither_overwritten_nor_mixed(flow: Ladder, out: Path) -> None:
    train(SPEC, flow, 8, out, CONFIG)
    before = (out / "model.safetensors").read_bytes()
    with pytest.raises(
        ValueError, match="continue it with --resume or replace it with --overwrite"
    ):
        train(SPEC, flow, 8, out, CONFIG)
    with pytest.raises(ValueError, match=r"trained with learning_rate 0\.002, not 0\.001"):
        train(SPEC, flow, 8, out, replace(CONFIG, learning_rate=1e-3), resume=True)
    with pytest.raises(ValueError, match=r"trained with model\.init_args\.width 4, not 6"):
        train(replace(SPEC, width=6), flow, 8, out, CONFIG, resume=True)
    with pytest.raises(ValueError, match="trained with resolution 8, not 16"):
        train(SPEC, flow, 16, out, CONFIG, resume=True)
    assert (out / "model.safetensors").read_bytes() == before


def test_a_run_is_not_continued_on_another_dataset(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(SPEC, flow, 8, out, CONFIG)
    monkeypatch.setattr(Ladder, "sha256", "of another dataset")
    with pytest.raises(ValueError, match=r"another dataset: its sha256 was .* of another dataset"):
        train(SPEC, flow, 8, out, CONFIG, resume=True)


@dataclass(frozen=True)
class Mistaken(Objective):
    """An objective that forgets to return what it computes, or to take its mean."""

    num_losses: int = 0

    @property
    def num_steps(self) -> int:
        return 1

    def __call__(self, *_: Any) -> Any:
        return torch.zeros(self.num_losses) if self.num_losses else None


@dataclass(frozen=True)
class Detached(FrameLoss):
    """A loss that lets no gradient through."""

    def on(self, setting: LossSetting) -> Criterion:
        return lambda prediction, truth: (prediction - truth).detach().square().mean()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"objective": Mistaken()}, "Mistaken and the loss MeanSquare must give a single number"),
        ({"objective": Mistaken(3)}, r"must give a single number, got a tensor \(3,\)"),
        ({"loss": Detached()}, "Detached give does not depend on the weights of"),
    ],
)
def test_losses_that_cannot_be_followed_are_told(
    options: dict[str, Any], sentence: str, flow: Ladder, out: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        train(SPEC, flow, 8, out, replace(CONFIG, **options))
