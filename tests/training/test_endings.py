"""How a training ends before its last epoch: stopped, out of time, out of patience, out of disk."""

from __future__ import annotations

import errno
import io
import math
import os
import signal
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pdesurrogate.data import Ladder
from pdesurrogate.locks import held
from pdesurrogate.models import FNO, MultiResNet
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import Pushforward, TrainingConfig, train, trainer
from pdesurrogate.training import checkpoint as checkpoints
from pdesurrogate.training.batches import Batch
from pdesurrogate.training.clock import TrainingClock
from pdesurrogate.training.distributed import Ranks
from pdesurrogate.training.learner import Learner
from pdesurrogate.training.validation import RolloutValidation, Verdict
from tests.training.processes import exit_codes
from tests.training.test_trainer import CONFIG, SPEC, Noisy, in_step, metrics, weights
from tests.training.test_validation import multiplication

BLIND = Pushforward(2, one_step=False)


def position(run: Path) -> dict[str, Any]:
    return dict(torch.load(run / "checkpoint/last.pt", weights_only=True)["position"])


@pytest.mark.parametrize("number", [3, 5])
def test_sigterm_finishes_the_step_and_can_be_resumed(
    number: int, flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = train(Noisy(), flow, 8, tmp_path / "undisturbed", CONFIG)
    with monkeypatch.context() as patch:
        in_step(patch, number, lambda: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(SystemExit) as stopped:
            train(Noisy(), flow, 8, tmp_path / "cut", CONFIG)
    assert stopped.value.code == 143
    assert position(tmp_path / "cut")["step"] == number
    resumed = train(Noisy(), flow, 8, tmp_path / "cut", CONFIG, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))


def test_two_processes_stop_together_when_one_is_told(flow: Ladder, tmp_path: Path) -> None:
    """A signal that only one of them gets, and a checkpoint that both can go on from."""
    config = replace(CONFIG, epochs=6)

    def life(rank: int, told: bool) -> None:
        if told and rank == 1:
            patch = pytest.MonkeyPatch()
            in_step(patch, 8, lambda: os.kill(os.getpid(), signal.SIGTERM))
        train(SPEC, flow, 8, tmp_path / "run", config, resume=True)

    started = time.monotonic()
    assert exit_codes(lambda rank: life(rank, told=True), size=2) == [143, 143]
    assert time.monotonic() - started < 60
    assert position(tmp_path / "run")["step"] == 8
    assert exit_codes(lambda rank: life(rank, told=False), size=2) == [0, 0]
    assert exit_codes(lambda _: train(SPEC, flow, 8, tmp_path / "whole", config), size=2) == [0, 0]
    whole, resumed = (Surrogate.load(tmp_path / run) for run in ("whole", "run"))
    assert torch.equal(weights(whole), weights(resumed))


def test_a_signal_during_the_validation_is_heeded_and_the_validation_repeated(
    flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = train(SPEC, flow, 8, tmp_path / "undisturbed", CONFIG)
    judge, calls = RolloutValidation.__call__, []

    def judge_and_press(self: RolloutValidation, *args: Any, **options: Any) -> Verdict:
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
            assert options["is_cut_short"]()
        return judge(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(RolloutValidation, "__call__", judge_and_press)
        with pytest.raises(KeyboardInterrupt):
            train(SPEC, flow, 8, tmp_path / "cut", CONFIG)
    assert (position(tmp_path / "cut")["epoch"], position(tmp_path / "cut")["batch"]) == (1, 5)
    resumed = train(SPEC, flow, 8, tmp_path / "cut", CONFIG, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))
    assert metrics(tmp_path / "cut", "valid_rollout") == metrics(
        tmp_path / "undisturbed", "valid_rollout"
    )


def test_a_training_ends_when_its_time_is_over_and_may_be_given_more(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is over in step 7: the weights of the first epoch are kept."""
    ticks = iter(range(10000))
    monkeypatch.setattr(TrainingClock, "seconds", lambda self: float(next(ticks)))
    undisturbed = train(SPEC, flow, 8, out.with_name("undisturbed"), CONFIG)
    ticks = iter(range(10000))
    early = train(SPEC, flow, 8, out, replace(CONFIG, time_budget=12.0))
    ended = position(out)
    assert 5 < ended["step"] < 15
    assert early.info.epochs == 1
    assert (out / "surrogate.json").exists()
    late = train(SPEC, flow, 8, out, replace(CONFIG, time_budget=1e9), resume=True)
    assert position(out)["step"] == 15
    assert torch.equal(weights(late), weights(undisturbed))


def test_a_training_with_hardly_any_time_keeps_what_it_has(flow: Ladder, out: Path) -> None:
    surrogate = train(SPEC, flow, 8, out, replace(CONFIG, time_budget=1e-9))
    assert position(out)["step"] <= 1
    assert torch.equal(weights(Surrogate.load(out)), weights(surrogate))
    assert bool(weights(surrogate).isfinite().all())


def test_weights_of_half_an_epoch_are_no_rival_to_what_more_time_brings(
    flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However good they are found: the training goes on as if it had not been cut short."""
    undisturbed = train(SPEC, flow, 8, tmp_path / "undisturbed", CONFIG)
    with monkeypatch.context() as patch:
        patch.setattr(RolloutValidation, "__call__", lambda *_, **__: Verdict(0.0, 1e-9, 1e-9))
        early = train(SPEC, flow, 8, tmp_path / "run", replace(CONFIG, time_budget=1e-9))
    assert early.info.epochs <= 1
    late = train(SPEC, flow, 8, tmp_path / "run", CONFIG, resume=True)
    assert torch.equal(weights(late), weights(undisturbed))
    assert late.info == replace(
        undisturbed.info, name="run", training_seconds=late.info.training_seconds
    )


def test_what_cannot_be_resumed_is_left_as_it_is(flow: Ladder, tmp_path: Path) -> None:
    """A finished run that was passed on without its checkpoints, and another's checkpoint."""
    run = tmp_path / "run"
    train(SPEC, flow, 8, run, CONFIG)
    last = (run / "checkpoint/last.pt").read_bytes()
    before = (run / "model.safetensors").read_bytes()
    (run / "checkpoint/last.pt").unlink()
    with pytest.raises(ValueError, match="a finished run without its checkpoints"):
        train(SPEC, flow, 8, run, CONFIG, resume=True)
    state = torch.load(io.BytesIO(last), weights_only=True)
    state["position"]["stage"] = 1
    torch.save(state, run / "checkpoint/last.pt")
    with pytest.raises(ValueError, match="was made in stage 2 of a training; this one has 1"):
        train(SPEC, flow, 8, run, CONFIG, resume=True)
    assert (run / "model.safetensors").read_bytes() == before


def test_a_training_ends_when_nothing_gets_better(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([0.5, 0.4, 0.6, 0.45, 0.3])
    monkeypatch.setattr(
        RolloutValidation, "__call__", lambda *_, **__: Verdict(0.0, next(errors), 0.1)
    )
    surrogate = train(SPEC, flow, 8, out, replace(CONFIG, epochs=5, patience=2))
    assert metrics(out, "epoch") == ["1", "2", "3", "4"]
    assert surrogate.info.epochs == 2


def test_a_full_disk_leaves_the_last_good_checkpoint(
    flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told in the operating system's words with the file's name; what is there can be resumed."""
    undisturbed = train(Noisy(), flow, 8, tmp_path / "undisturbed", CONFIG)
    save, saves = torch.save, []

    class FullDisk(io.BytesIO):
        def write(self, content: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(state: object, file: Any) -> None:
        saves.append(1)
        # The first checkpoint, best and checkpoint of epoch 1, best of epoch 2.
        save(state, file if len(saves) < 4 else FullDisk())

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.torch, "save", fill)
        with pytest.raises(OSError, match=r"No space left on device: '.*/best\.pt'"):
            train(Noisy(), flow, 8, tmp_path / "full", CONFIG)
    assert not list((tmp_path / "full").rglob("*.partial"))
    assert position(tmp_path / "full")["epoch"] == 1
    resumed = train(Noisy(), flow, 8, tmp_path / "full", CONFIG, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))


def test_what_the_levels_answer_counts_if_it_is_asked_for(flow: Ladder, tmp_path: Path) -> None:
    """And the heads that read it off are no part of the surrogate."""
    plain = train(SPEC, flow, 8, tmp_path / "plain", CONFIG)
    supervised = train(SPEC, flow, 8, tmp_path / "levels", replace(CONFIG, level_loss=0.5))
    assert plain.info.parameters == supervised.info.parameters
    assert plain.module.state_dict().keys() == supervised.module.state_dict().keys()
    assert not torch.equal(weights(plain), weights(supervised))
    checkpoint = torch.load(tmp_path / "levels/checkpoint/last.pt", weights_only=True)
    assert any(name.startswith("heads.") for name in checkpoint["module"])
    spec = FNO(modes=2, width=4, layers=1)
    with pytest.raises(ValueError, match="FNO has no levels whose errors could be weighed"):
        train(spec, flow, 8, tmp_path / "fno", replace(CONFIG, level_loss=0.5))
    with pytest.raises(ValueError, match=r"in whose first step gradients flow.* not so in Pushfor"):
        train(SPEC, flow, 8, tmp_path / "fno", replace(CONFIG, level_loss=0.5, objective=BLIND))
    with pytest.raises(ValueError, match="shard does not do for FNO: it has complex weights"):
        train(spec, flow, 8, tmp_path / "fno", replace(CONFIG, shard=True))
    assert not (tmp_path / "fno").exists()


def test_levels_that_count_resume_with_the_same_bits(
    flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, config = MultiResNet(width=4, levels=2), replace(CONFIG, level_loss=0.5, ema_decay=0.9)
    undisturbed = train(spec, flow, 8, tmp_path / "undisturbed", config)
    with monkeypatch.context() as patch:
        in_step(patch, 8, lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(spec, flow, 8, tmp_path / "cut", config)
    resumed = train(spec, flow, 8, tmp_path / "cut", config, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))


def test_noise_disturbs_what_is_given_and_nothing_else(flow: Ladder, tmp_path: Path) -> None:
    """In units of the change, the same for every number of processes, another in every step."""
    surrogate = multiplication(1.0, history=2)
    change_std = surrogate.change_std
    config = TrainingConfig(history=2, noise=0.5, learning_rate=1e-3)
    windows = torch.zeros(400, 4, 3, 4, 4)  # two fields and a condition
    learner = Learner(surrogate, config, {4: lambda p, y: (p - y).square().mean()}, Ranks())
    disturbed = learner._disturbed(Batch(windows, 4, 400), (0, 0, 0, 0))
    assert torch.equal(disturbed[:, 2:], windows[:, 2:])
    assert torch.equal(disturbed[:, :, 2], windows[:, :, 2])
    given = disturbed[:, :2, :2] / change_std
    assert given.std().item() == pytest.approx(0.5, rel=0.02)
    assert abs(given.mean().item()) < 0.02
    other = learner._disturbed(Batch(windows, 4, 400), (0, 0, 0, 1))
    assert not torch.equal(other, disturbed)
    learner.ranks = Ranks(1, 2)
    second = learner._disturbed(Batch(windows[200:], 4, 400), (0, 0, 0, 0))
    assert torch.equal(second, disturbed[200:])


def test_weights_that_are_spoilt_in_an_epochs_last_step_are_not_gone_on_with(
    flow: Ladder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The validation sees it, and the epoch is repeated."""
    step, spoilt = Learner.step, []

    def spoil_once(self: Learner, rate: float, number: int) -> None:
        step(self, rate, number)
        if number == 9 and not spoilt:
            spoilt.append(1)
            with torch.no_grad():
                next(iter(self.surrogate.module.parameters())).fill_(math.nan)

    monkeypatch.setattr(Learner, "step", spoil_once)
    surrogate = train(SPEC, flow, 8, out, CONFIG)
    assert metrics(out, "rollbacks") == ["0", "1", "1"]
    assert all(math.isfinite(float(error)) for error in metrics(out, "valid_rollout"))
    assert bool(weights(surrogate).isfinite().all())


def test_a_bundle_of_frames_is_trained_and_rolled_out(flow: Ladder, out: Path) -> None:
    config = TrainingConfig(epochs=2, batch_size=6, validation_steps=3, bundle=2, history=2)
    surrogate = train(SPEC, flow, 8, out, config)
    loaded = Surrogate.load(out)
    assert loaded.info.bundle == 2
    forecast = loaded.rollout(flow.test[8].isel(time=slice(0, 2)), 3)
    assert forecast.sizes["time"] == 3
    assert torch.equal(weights(loaded), weights(surrogate))


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(flow: Ladder, tmp_path: Path) -> None:
    plain = train(SPEC, flow, 8, tmp_path / "plain", CONFIG)
    compiled = train(SPEC, flow, 8, tmp_path / "compiled", replace(CONFIG, compile=True))
    torch.testing.assert_close(weights(compiled), weights(plain), rtol=1e-3, atol=1e-5)
    assert torch.equal(weights(Surrogate.load(tmp_path / "compiled")), weights(compiled))


@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}], ids=str)
@pytest.mark.parametrize("size", [1, 2])
def test_a_run_under_training_is_left_alone(
    size: int, how: dict[str, bool], flow: Ladder, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train(Noisy(), flow, 8, out, CONFIG)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def be_refused(rank: int) -> None:
        with pytest.raises(ValueError, match="run is in use by another process"):
            train(Noisy(), flow, 8, out, CONFIG, **how)

    with held(out):
        assert exit_codes(be_refused, size) == [0] * size
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_run_that_begins_while_another_ends_looks_at_it_again(
    flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first look and the lock there may be a whole training."""
    out = tmp_path / "run"

    def held_after_another(folder: Path) -> AbstractContextManager[None]:
        monkeypatch.setattr(trainer, "held", held)
        train(Noisy(), flow, 8, out, CONFIG)
        return held(folder)

    monkeypatch.setattr(trainer, "held", held_after_another)
    with pytest.raises(ValueError, match="continue it with --resume or replace it"):
        train(Noisy(), flow, 8, out, CONFIG)


@pytest.mark.parametrize("size", [1, 2])
def test_a_folder_that_cannot_be_made_is_told_by_all(
    size: int, flow: Ladder, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    def be_refused(rank: int) -> None:
        with pytest.raises(NotADirectoryError, match="file/run"):
            train(Noisy(), flow, 8, tmp_path / "file/run", CONFIG)

    assert exit_codes(be_refused, size) == [0] * size
