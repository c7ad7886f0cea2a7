"""Ctrl-C and SIGTERM at a moment that suits the training."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import NoReturn

__all__ = ["Interruption", "stop_as_asked"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Context in which a first Ctrl-C or SIGTERM only sets `requested`; a second acts at once.

    Python delivers signals to the main thread only: in any other thread it does nothing. Nor does
    it where a signal is ignored, as Ctrl-C is in a shell's background jobs.
    """

    def __init__(self) -> None:
        self.requested: int = 0
        """The signal that asked to stop; 0 for none."""
        self._previous = {number: signal.getsignal(number) for number in _SIGNALS}
        self._listening: list[int] = []

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._listening = [n for n in _SIGNALS if self._previous[n] is not signal.SIG_IGN]
        for number in self._listening:
            signal.signal(number, self._request)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number in self._listening:
            signal.signal(number, self._previous[signal.Signals(number)])

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            stop_as_asked(number)
        self.requested = number


def stop_as_asked(number: int) -> NoReturn:
    """Stop now, as a signal asks.

    Args:
        number: The signal.

    Raises:
        KeyboardInterrupt: If it is that of Ctrl-C.
        SystemExit: If it is another, with the exit code 128 + `number` that shells know.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
