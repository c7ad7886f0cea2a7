from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import OneStep, TrainingConfig
from pdesurrogate.training.batches import Batch
from pdesurrogate.training.checkpoint import (
    Position,
    keep_as,
    load_checkpoint,
    load_snapshot,
    restore,
    save_checkpoint,
    snapshot,
)
from pdesurrogate.training.distributed import Ranks
from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.learner import Learner
from pdesurrogate.training.stage_report import StageReport
from pdesurrogate.training.validation import Verdict
from tests.training.test_validation import multiplication

DATASET = {"name": "flow", "train": 4}


def metrics(rollout: float, one_step: float = 0.1) -> EpochMetrics:
    return EpochMetrics(1, 5, 0.3, one_step, rollout, 1e-3, 0.7, 2.0)


def trained(seed: int) -> Learner:
    """A network after one optimiser step."""
    torch.manual_seed(seed)
    info = replace(multiplication(1.0).info, options={})
    network = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2))
    config = TrainingConfig(ema_decay=0.5, learning_rate=0.1)
    surrogate = Surrogate(network, info)
    learner = Learner(surrogate, config, {4: lambda p, y: (p - y).square().mean()}, Ranks())
    learner.gradient(Batch(torch.randn(4, 2, 2, 4, 4), 4, 4), OneStep(), (seed,))
    learner.step(0.1, 5)
    return learner


def kept(learner: Learner, position: Position) -> dict[str, Any]:
    return snapshot(learner, position, DATASET, Ranks())


def taken_up(path: Path, learner: Learner, dataset: dict[str, Any] = DATASET) -> Position:
    return restore(load_snapshot(path), learner, dataset, Ranks(), path)


def test_everything_comes_back_from_disk(tmp_path: Path) -> None:
    learner = trained(seed=0)
    position = Position(epoch=1, batch=3, step=8, loss_sum=0.25, gradient_norm_sum=2.0, seconds=9.0)
    position.before = Verdict(0.5, 0.25, 0.125)
    position.judge(Verdict(0.0, 0.5, 0.1))
    position.finish_epoch(metrics(0.5))
    position.reports.append(StageReport(1, 8, 4, 1.5, 2, 10, 10, 3.0, math.inf, 1.0, 0.5, 0.25))
    path = tmp_path / "checkpoint" / "last.pt"
    save_checkpoint(path, kept(learner, position))
    drawn = torch.rand(3)

    other = trained(seed=1)
    assert taken_up(path, other) == position
    assert torch.equal(torch.rand(3), drawn)
    first, second = learner.state_dict(), other.state_dict()
    for part in ("module", "average"):
        for name, value in first[part].items():
            assert torch.equal(second[part][name], value)
    states = second["optimiser"]["state"]
    for number, state in first["optimiser"]["state"].items():
        for name, value in state.items():
            assert torch.equal(states[number][name], value)


def test_a_snapshot_of_another_dataset_is_refused(tmp_path: Path) -> None:
    learner = trained(seed=0)
    path = tmp_path / "last.pt"
    save_checkpoint(path, kept(learner, Position()))
    with pytest.raises(ValueError, match="another dataset: its train was 4, now it is 5"):
        taken_up(path, learner, {**DATASET, "train": 5})


def test_a_snapshot_of_another_network_is_refused(tmp_path: Path) -> None:
    learner = trained(seed=0)
    path = tmp_path / "last.pt"
    save_checkpoint(path, kept(learner, Position()))
    surrogate = Surrogate(nn.Conv2d(2, 2, 1), learner.surrogate.info)
    other = Learner(surrogate, learner.config, learner.criteria, Ranks())
    with pytest.raises(ValueError, match=r"last\.pt was made with another network: .*Missing key"):
        taken_up(path, other)


def test_what_is_kept_stays_when_the_file_is_replaced(tmp_path: Path) -> None:
    last, epoch = tmp_path / "last.pt", tmp_path / "epoch.pt"
    for number in (1, 2):
        save_checkpoint(last, {"number": number})
        keep_as(last, epoch)
    save_checkpoint(last, {"number": 3})
    assert (load_checkpoint(epoch), load_checkpoint(last)) == ({"number": 2}, {"number": 3})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch.pt", "last.pt"]


def test_a_failed_write_keeps_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"number": 1})

    def fill_the_disk(state: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"number": 2})
    assert load_checkpoint(path) == {"number": 1}


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip file"])
def test_a_damaged_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"last\.pt is not a checkpoint, or is damaged"):
        load_checkpoint(path)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    torch.save({"module": nn.Linear(1, 1)}, path)
    with pytest.raises(ValueError, match=r"last\.pt is not a checkpoint, or is damaged"):
        load_checkpoint(path)


def test_another_file_of_tensors_is_no_snapshot(tmp_path: Path) -> None:
    learner = trained(seed=0)
    path = tmp_path / "last.pt"
    save_checkpoint(path, learner.weights())
    with pytest.raises(ValueError, match=r"last\.pt is not a checkpoint, or is damaged"):
        taken_up(path, learner)


def test_the_best_epoch_breaks_least_then_has_the_smallest_error_then_the_first_step() -> None:
    inf = float("inf")
    position = Position()
    verdicts = [
        (Verdict(1.0, inf, 0.5), True),
        (Verdict(1.0, inf, 0.4), True),
        (Verdict(1.0, inf, 0.4), False),
        (Verdict(0.5, 0.9, 0.8), True),
        (Verdict(0.5, 0.9, 0.8), False),
        (Verdict(0.6, 0.1, 0.1), False),
        (Verdict(0.5, 1.0, 0.1), False),
    ]
    for verdict, is_better in verdicts:
        position.finish_batch(0.0, 0.0)
        assert position.judge(verdict) == is_better
        position.finish_epoch(metrics(0.0))
    assert position.best == Verdict(0.5, 0.9, 0.8)
    assert position.best_epoch == 4
    assert position.epoch == len(position.rows) == 7


def test_a_finished_epoch_clears_what_was_counted_for_it() -> None:
    position = Position()
    position.finish_batch(0.5, 2.0)
    position.finish_batch(0.25, 1.0)
    assert (position.batch, position.step) == (2, 2)
    assert (position.loss_sum, position.gradient_norm_sum) == (0.75, 3.0)
    position.finish_epoch(metrics(1.0))
    assert (position.batch, position.step) == (0, 2)
    assert (position.loss_sum, position.gradient_norm_sum) == (0.0, 0.0)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_cut_file_is_said_to_be_damaged(share: float, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, kept(trained(seed=0), Position()))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"last\.pt is not a checkpoint, or is damaged"):
        load_snapshot(path)


def test_a_position_of_another_version_is_told(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    state = kept(trained(seed=0), Position())
    state["position"]["mood"] = "fine"
    save_checkpoint(path, state)
    with pytest.raises(ValueError, match=r"last\.pt is of another version"):
        load_snapshot(path)
