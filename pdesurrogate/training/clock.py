"""How long a training lasts, and when it is time for a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TrainingClock"]

INTERVAL = 60.0
"""Seconds between checkpoints within an epoch, if nothing else was chosen."""

WRITING_SHARE = 0.01
"""Of the time, above which nothing is written within an epoch that nobody asked for.

The ends of epochs are written in any case: for them there is as much again.
"""


class TrainingClock:
    """Wall time of a training over all its sessions, and what of this one went into writing.

    Args:
        seconds_before: Of the sessions before this one.
    """

    def __init__(self, seconds_before: float = 0.0) -> None:
        self._before = seconds_before
        self._start = self._latest = time.perf_counter()
        self._written = self._last_written = 0.0

    def seconds(self) -> float:
        """Of all sessions."""
        return self._before + time.perf_counter() - self._start

    @contextmanager
    def writing(self, *, is_resumable: bool) -> Iterator[None]:
        """Note how long the block takes.

        Args:
            is_resumable: Whether what it writes is a checkpoint to go on from, after which the next
                one can wait.
        """
        began = time.perf_counter()
        yield
        ended = time.perf_counter()
        self._written += ended - began
        if is_resumable:
            self._latest, self._last_written = ended, ended - began

    def is_checkpoint_due(self, interval: float | None) -> bool:
        """Whether the last checkpoint to go on from is old enough.

        Args:
            interval: Greatest age in seconds. None for `INTERVAL`, or longer, until all that was
                written in this session and one more checkpoint take `WRITING_SHARE` of its time.
        """
        now = time.perf_counter()
        age = now - self._latest
        if interval is not None:
            return age > interval
        writing = self._written + self._last_written
        return age > INTERVAL and writing <= WRITING_SHARE * (now - self._start)
