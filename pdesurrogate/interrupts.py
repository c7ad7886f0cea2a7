"""Ctrl-C around libraries that lose it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interrupts_wait"]


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let Ctrl-C wait until the block is left, then act on it once.

    For short work in libraries that catch every exception: netCDF4 and xarray do so while they look
    at an index or a file, and what was interrupted there would go on to its end, with a result that
    nobody knows.

    Python delivers signals to the main thread only: in any other thread it does nothing. Nor does
    it where Ctrl-C is ignored or ends the process at once.

    Raises:
        KeyboardInterrupt: Once the block is left, if Ctrl-C was pressed within and does that.
    """
    act = signal.getsignal(signal.SIGINT)
    if not callable(act) or threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, act)
        if waiting:
            act(*waiting[0])
