"""Trainings that are killed again and again, at random moments, and end as if they had not been."""

from __future__ import annotations

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
from pdesurrogate.training import TrainingConfig, Unrolled, checkpoint, learner, train
from tests.training.processes import exit_codes, kill_oneself
from tests.training.test_trainer import Noisy

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
        death = while_writing if victim == 0 and draw.random() < 0.4 else in_step

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
    assert not list(killed.rglob("*.partial"))
