"""Trainings that are killed again and again, at random moments, and end as if they had not been."""

from __future__ import annotations

import csv
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from torch import Tensor

from pdesurrogate.data import Ladder
from pdesurrogate.training import (
    Stage,
    TrainingConfig,
    Unrolled,
    checkpoint,
    learner,
    train,
)
from tests.training.processes import exit_codes, kill_oneself
from tests.training.test_trainer import Noisy, metrics

CONFIG = TrainingConfig(
    epochs=8,
    batch_size=4,  # 24 windows of 3 frames, 6 steps an epoch, 48 in all
    validation_steps=2,
    objective=Unrolled(2),
    noise=0.1,
    ema_decay=0.9,
    checkpoint_seconds=0.0,
)


def run(flow: Ladder, out: Path, config: TrainingConfig, then: Callable[[], object]) -> None:
    """Train, with something happening first; the lines are of no interest."""
    then()
    train(Noisy(), flow, 8, out, config, resume=True)


def in_step(number: int) -> None:
    """Die between gradient and optimiser."""
    clip, steps = learner.clip_grad_norm_, iter(range(1, 1000))

    def clip_or_die(*args: object) -> Tensor:
        if next(steps) == number:
            kill_oneself()
        return clip(*args)  # type: ignore[arg-type]

    learner.clip_grad_norm_ = clip_or_die  # type: ignore[assignment]  # in a process of its own


def before_a_file_appears(number: int) -> None:
    """Die when a file is written, before it has its name: a checkpoint, metrics, weights, ..."""
    replace_, replaced = Path.replace, iter(range(1, 1000))

    def replace_or_die(self: Path, target: Path) -> Path:
        if next(replaced) == number:
            kill_oneself()
        return replace_(self, target)

    Path.replace = replace_or_die  # type: ignore[assignment, method-assign]


def while_writing(number: int) -> None:
    """Die with a checkpoint half written."""
    write, writes = checkpoint.write_atomically, iter(range(1, 1000))

    def half(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        kill_oneself()

    def write_or_die(path: Path, content: object) -> None:
        write(path, half if next(writes) == number else content)  # type: ignore[arg-type]

    checkpoint.write_atomically = write_or_die  # type: ignore[assignment]


def weights(out: Path) -> dict[str, Tensor]:
    state = torch.load(out / "checkpoint/last.pt", weights_only=True)
    return {**state["module"], **{f"average.{k}": v for k, v in state["average"].items()}}


@pytest.mark.parametrize("size", [1, 2])
def test_a_training_killed_ten_times_ends_with_the_same_bits(
    size: int, flow: Ladder, tmp_path: Path
) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    # Not a checkpoint after every step, so that steps are lost and done again.
    config = replace(CONFIG, checkpoint_seconds=0.01)
    assert exit_codes(lambda _: run(flow, undisturbed, config, lambda: None), size) == [0] * size
    draw = random.Random(size)
    kills = 0
    while kills < 10:
        victim, number = draw.randrange(size), draw.randint(3, 7)
        deaths = (in_step, while_writing, before_a_file_appears)
        death = draw.choice(deaths) if victim == 0 else in_step

        def life(rank: int, victim: int = victim, number: int = number, death=death) -> None:
            run(flow, killed, config, lambda: death(number) if rank == victim else None)

        codes = exit_codes(life, size)
        if codes == [0] * size:
            break
        assert codes[victim] == -signal.SIGKILL
        assert not (killed / "surrogate.json").exists()
        kills += 1
    assert exit_codes(lambda _: run(flow, killed, config, lambda: None), size) == [0] * size
    assert kills == 10
    expected, found = weights(undisturbed), weights(killed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    first, second = ((out / "model.safetensors").read_bytes() for out in (undisturbed, killed))
    assert first == second
    for column in ("train_loss", "valid_rollout", "gradient_norm"):
        assert metrics(killed, column) == metrics(undisturbed, column)
    assert not list(killed.rglob("*.partial"))


@pytest.mark.parametrize("number", range(1, 14, 3))
def test_a_staged_training_killed_at_any_file_goes_on(
    number: int, flow: Ladder, tmp_path: Path
) -> None:
    """Thirteen files appear: those of two stages of one epoch each, and those of the result."""
    stages = (Stage(8, epochs=1), Stage(16, epochs=1, freeze=True, width=4))
    config = TrainingConfig(stages=stages, batch_size=14, validation_steps=2)

    def life(out: Path, death: Callable[[], object]) -> None:
        run(flow, out, config, death)

    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert exit_codes(lambda _: life(undisturbed, lambda: None)) == [0]
    assert exit_codes(lambda _: life(killed, lambda: before_a_file_appears(number))) == [-9]
    assert exit_codes(lambda _: life(killed, lambda: None)) == [0]
    for name in ("model.safetensors", "config.yaml"):
        assert (undisturbed / name).read_bytes() == (killed / name).read_bytes()
    for name in ("stages.csv", "metrics.csv"):
        with (undisturbed / name).open() as one, (killed / name).open() as other:
            for row, again in zip(csv.DictReader(one), csv.DictReader(other), strict=True):
                assert {**row, "seconds": ""} == {**again, "seconds": ""}
