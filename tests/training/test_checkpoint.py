from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from pdesurrogate.training.averaging import WeightAverage
from pdesurrogate.training.checkpoint import (
    Position,
    load_checkpoint,
    restore,
    save_checkpoint,
    snapshot,
)
from pdesurrogate.training.epoch_metrics import EpochMetrics

DATASET = {"name": "flow", "train": 4}


def metrics(rollout: float, one_step: float = 0.1) -> EpochMetrics:
    return EpochMetrics(1, 5, 0.3, one_step, rollout, 1e-3, 0.7, 2.0)


def trained(seed: int) -> tuple[nn.Module, torch.optim.Optimizer, WeightAverage]:
    """A module after one optimiser step."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.1)
    average = WeightAverage(module, 0.5)
    module(torch.randn(4, 3)).square().sum().backward()
    optimiser.step()
    average.update(module, 5)
    return module, optimiser, average


def test_everything_comes_back_from_disk(tmp_path: Path) -> None:
    module, optimiser, average = trained(seed=0)
    position = Position(epoch=1, batch=3, step=8, loss_sum=0.25, gradient_norm_sum=2.0, seconds=9.0)
    position.finish_epoch(metrics(0.5))
    path = tmp_path / "checkpoint" / "last.pt"
    save_checkpoint(path, snapshot(module, optimiser, average, position, DATASET))
    drawn = torch.rand(3)

    others = trained(seed=1)
    assert restore(path, *others, DATASET) == position
    assert torch.equal(torch.rand(3), drawn)
    for kept, found in ((module, others[0]), (average.module, others[2].module)):
        for name, value in kept.state_dict().items():
            assert torch.equal(found.state_dict()[name], value)
    first, second = optimiser.state_dict()["state"], others[1].state_dict()["state"]
    for number, state in first.items():
        for name, value in state.items():
            assert torch.equal(second[number][name], value)


def test_a_snapshot_of_another_dataset_is_refused(tmp_path: Path) -> None:
    module, optimiser, average = trained(seed=0)
    path = tmp_path / "last.pt"
    save_checkpoint(path, snapshot(module, optimiser, average, Position(), DATASET))
    with pytest.raises(ValueError, match="another dataset: its train was 4, now it is 5"):
        restore(path, module, optimiser, average, {**DATASET, "train": 5})


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
    module, optimiser, average = trained(seed=0)
    path = tmp_path / "last.pt"
    save_checkpoint(path, module.state_dict())
    with pytest.raises(ValueError, match=r"last\.pt is not a checkpoint, or is damaged"):
        restore(path, module, optimiser, average, DATASET)


def test_the_best_epoch_has_the_smallest_rollout_error_then_the_smallest_first_step() -> None:
    inf = float("inf")
    position = Position()
    assert position.finish_epoch(metrics(inf, 0.5))
    assert position.finish_epoch(metrics(inf, 0.4))
    assert not position.finish_epoch(metrics(inf, 0.4))
    assert position.finish_epoch(metrics(0.9, 0.8))
    assert not position.finish_epoch(metrics(0.9, 0.8))
    assert not position.finish_epoch(metrics(1.0, 0.1))
    assert position.best == (0.9, 0.8)
    assert position.epoch == len(position.rows) == 6


def test_a_finished_epoch_clears_what_was_counted_for_it() -> None:
    position = Position()
    position.finish_batch(0.5, 2.0)
    position.finish_batch(0.25, 1.0)
    assert (position.batch, position.step) == (2, 2)
    assert (position.loss_sum, position.gradient_norm_sum) == (0.75, 3.0)
    position.finish_epoch(metrics(1.0))
    assert (position.batch, position.step) == (0, 2)
    assert (position.loss_sum, position.gradient_norm_sum) == (0.0, 0.0)
