"""Ctrl-C at a moment that suits the training."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

__all__ = ["Interruption"]


class Interruption:
    """Context in which the first Ctrl-C only sets `requested`; a second one interrupts at once.

    Python delivers signals to the main thread only: in any other thread it does nothing. Nor does
    it where Ctrl-C is ignored, as in a shell's background jobs.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> Interruption:
        self._is_listening = (
            threading.current_thread() is threading.main_thread()
            and self._previous is not signal.SIG_IGN
        )
        if self._is_listening:
            signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_listening:
            signal.signal(signal.SIGINT, self._previous)

    def raise_if_requested(self) -> None:
        """Interrupt now, if that was asked for.

        Raises:
            KeyboardInterrupt: If Ctrl-C was pressed.
        """
        if self.requested:
            raise KeyboardInterrupt

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
