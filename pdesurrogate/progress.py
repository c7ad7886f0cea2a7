"""What is seen of long work while it runs: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import multiprocessing
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

__all__ = ["ProgressDisplay", "progress_display"]


@runtime_checkable
class ProgressDisplay(Protocol):
    """Told of every step, and of what is worth a line."""

    def step(self) -> None:
        """One step is done."""

    def say(self, line: str) -> None:
        """Something is done that a reader of the log wants to know."""


class _Lines:
    def __init__(self, log: logging.Logger) -> None:
        self.log = log

    def step(self) -> None:
        pass

    def say(self, line: str) -> None:
        self.log.info("%s", line)


class _Bar:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self.bar = bar
        self.task = task

    def step(self) -> None:
        self.bar.advance(self.task)

    def say(self, line: str) -> None:
        self.bar.update(self.task, line=line)


@contextmanager
def progress_display(
    work: str, steps: int, log: logging.Logger, *, done: int = 0
) -> Iterator[ProgressDisplay]:
    """A bar on standard error where that is a terminal, else lines in the log.

    Worker processes share their parent's terminal and draw no bars of their own.

    Args:
        work: What is done, such as `evaluating`.
        steps: How many there are.
        log: Takes the lines.
        done: Steps that were done earlier.
    """
    console = Console(stderr=True)
    if not console.is_terminal or multiprocessing.parent_process() is not None:
        yield _Lines(log)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[line]}"),
        console=console,
    ) as bar:
        yield _Bar(bar, bar.add_task(work, total=steps, completed=done, line=""))
