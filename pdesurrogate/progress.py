"""What is seen of long work while it runs: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ["ProgressDisplay", "progress_display"]

SILENCE = 30.0
"""Seconds without a line after which the log gets one."""


@runtime_checkable
class ProgressDisplay(Protocol):
    """Told of every step, and of what is worth a line."""

    def step(self) -> None:
        """One step is done."""

    def say(self, line: str) -> None:
        """Something is done that a reader of the log wants to know."""


class _Lines:
    """Lines of the log: what is said, and a sign of life where nothing is said for long.

    The first step after a line gives no sign: whoever has a line for every step needs none.
    """

    def __init__(self, work: str, steps: int, log: logging.Logger, done: int) -> None:
        self.work, self.steps, self.log = work, steps, log
        self.begun_at, self.begun_with = time.monotonic(), done
        self.done = done
        self._spoken()

    def step(self) -> None:
        self.done += 1
        self.silent_steps += 1
        now = time.monotonic()
        if self.silent_steps < 2 or now - self.spoken_at < SILENCE or self.done == self.steps:
            return
        pace = (self.done - self.begun_with) / (now - self.begun_at)
        left = timedelta(seconds=round((self.steps - self.done) / pace))
        self.say(f"{self.work}: {self.done}/{self.steps}, {_in_words(pace)}, {left} left")

    def say(self, line: str) -> None:
        self.log.info("%s", line)
        self._spoken()

    def _spoken(self) -> None:
        self.spoken_at, self.silent_steps = time.monotonic(), 0


class _Bar:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self.bar = bar
        self.task = task

    def step(self) -> None:
        self.bar.advance(self.task)

    def say(self, line: str) -> None:
        self.bar.update(self.task, line=line)


class _Pace(ProgressColumn):
    """Steps per second, of late."""

    def render(self, task: Task) -> Text:
        return Text("" if not task.speed else _in_words(task.speed))


def _in_words(pace: float) -> str:
    """How fast steps follow each other.

    Example:
        >>> _in_words(12.345), _in_words(0.08)
        ('12.3 steps/s', '12.5 s/step')
    """
    return f"{pace:.1f} steps/s" if pace >= 1 else f"{1 / pace:.1f} s/step"


@contextmanager
def progress_display(
    work: str, steps: int, log: logging.Logger, *, done: int = 0
) -> Iterator[ProgressDisplay]:
    """A bar on standard error where that is a terminal, else lines in the log.

    Both tell how fast it goes and how long it will take; the log if nothing was said for 30 s.
    Worker processes share their parent's terminal and draw no bars of their own.

    Args:
        work: What is done, such as `evaluating`.
        steps: How many there are.
        log: Takes the lines.
        done: Steps that were done earlier.
    """
    console = Console(stderr=True)
    if not console.is_terminal or multiprocessing.parent_process() is not None:
        yield _Lines(work, steps, log, done)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Pace(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[line]}"),
        console=console,
    ) as bar:
        yield _Bar(bar, bar.add_task(work, total=steps, completed=done, line=""))
