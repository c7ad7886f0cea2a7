"""What is seen of a training while it runs: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from pdesurrogate.training.epoch_metrics import EpochMetrics

__all__ = ["ProgressDisplay", "progress_display"]

logger = logging.getLogger("pdesurrogate.training")


@runtime_checkable
class ProgressDisplay(Protocol):
    """Told of every step and every epoch."""

    def step(self) -> None:
        """One optimiser step is done."""

    def epoch(self, row: EpochMetrics) -> None:
        """One epoch is done."""


class _Lines:
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def step(self) -> None:
        pass

    def epoch(self, row: EpochMetrics) -> None:
        logger.info("epoch %d/%d: %s", row.epoch, self.epochs, row)


class _Bar:
    def __init__(self, bar: Progress, task: TaskID, epochs: int) -> None:
        self.bar = bar
        self.task = task
        self.epochs = epochs

    def step(self) -> None:
        self.bar.advance(self.task)

    def epoch(self, row: EpochMetrics) -> None:
        self.bar.update(self.task, summary=f"epoch {row.epoch}/{self.epochs}: {row}")


@contextmanager
def progress_display(name: str, *, epochs: int, steps: int, done: int) -> Iterator[ProgressDisplay]:
    """A bar on standard error where that is a terminal, else lines in the log.

    Args:
        name: What is trained.
        epochs: Epochs of the whole training.
        steps: Optimiser steps of the whole training.
        done: Steps that were done in an earlier session.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(epochs)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[summary]}"),
        console=console,
    ) as bar:
        task = bar.add_task(f"training {name}", total=steps, completed=done, summary="")
        yield _Bar(bar, task, epochs)
