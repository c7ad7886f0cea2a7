"""Ctrl-C waits for a block, and is not lost in it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from pdesurrogate.interrupts import interrupts_wait

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_comes_after_the_block_even_where_everything_is_caught() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_wait():  # noqa: PT012
        try:
            press_ctrl_c()
            reached.append("after the first")
            press_ctrl_c()
        except:  # noqa: E722
            reached.append("lost")
        reached.append("end")
    assert reached == ["after the first", "end"]
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()


def test_an_inner_block_does_not_let_it_through() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_wait():  # noqa: PT012
        with interrupts_wait():
            press_ctrl_c()
        reached.append("between")
    assert reached == ["between"]


def test_whatever_else_listens_is_told_once() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    with interrupts_wait():
        press_ctrl_c()
        press_ctrl_c()
        assert not heard
    assert heard == [signal.SIGINT]


def test_an_error_of_the_block_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, interrupts_wait():  # noqa: PT012
        press_ctrl_c()
        raise OSError("disk full")
    assert isinstance(caught.value.__context__, OSError)


@pytest.mark.parametrize("action", [signal.SIG_IGN, signal.SIG_DFL])
def test_what_python_does_not_handle_is_left_alone(action: signal.Handlers) -> None:
    signal.signal(signal.SIGINT, action)
    with interrupts_wait():
        assert signal.getsignal(signal.SIGINT) is action


def test_other_threads_are_not_concerned() -> None:
    seen: list[object] = []

    def look() -> None:
        with interrupts_wait():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
