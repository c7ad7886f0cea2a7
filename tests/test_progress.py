import logging
import multiprocessing
import time
from collections.abc import Callable

import pytest

from pdesurrogate.progress import progress_display

LOG = logging.getLogger("pdesurrogate.work")


def test_where_there_is_no_terminal_what_is_said_is_logged(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        caplog.at_level(logging.INFO, "pdesurrogate"),
        progress_display("working", 15, LOG, done=5) as progress,
    ):
        progress.step()
        progress.say("100 % of the first part")
    assert caplog.messages == ["100 % of the first part"]
    assert caplog.records[0].name == LOG.name
    assert capsys.readouterr().out == ""


def test_on_a_terminal_there_is_a_bar_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    with progress_display("working", 15, LOG, done=5) as progress:
        progress.step()
        time.sleep(0.01)
        progress.step()
        time.sleep(0.01)
        progress.step()
        progress.say("the first part")
    captured = capsys.readouterr()
    assert captured.out == ""
    for shown in ("working", "8/15", "steps/s", "the first part"):
        assert shown in captured.err


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass that the display looks at."""
    now = 0.0

    def let_pass(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now)
    return let_pass


def test_long_silence_in_a_log_is_broken_by_pace_and_remaining_time(
    caplog: pytest.LogCaptureFixture, wait: Callable[[float], None]
) -> None:
    with (
        caplog.at_level(logging.INFO, "pdesurrogate"),
        progress_display("working", 1000, LOG, done=100) as progress,
    ):
        for _ in range(160):
            wait(0.5)
            progress.step()
    assert caplog.messages == [
        "working: 160/1000, 2.0 steps/s, 0:07:00 left",
        "working: 220/1000, 2.0 steps/s, 0:06:30 left",
    ]


def test_slow_steps_are_told_in_seconds(
    caplog: pytest.LogCaptureFixture, wait: Callable[[float], None]
) -> None:
    with (
        caplog.at_level(logging.INFO, "pdesurrogate"),
        progress_display("working", 10, LOG) as progress,
    ):
        for _ in range(4):
            wait(16)
            progress.step()
    assert caplog.messages == [
        "working: 2/10, 16.0 s/step, 0:02:08 left",
        "working: 4/10, 16.0 s/step, 0:01:36 left",
    ]


def test_work_that_speaks_often_enough_needs_no_sign_of_life(
    caplog: pytest.LogCaptureFixture, wait: Callable[[float], None]
) -> None:
    """Whether each step takes longer than the patience with silence, or many steps less."""
    with (
        caplog.at_level(logging.INFO, "pdesurrogate"),
        progress_display("working", 100, LOG) as progress,
    ):
        for number in range(3):
            wait(100)
            progress.step()
            progress.say(f"part {number}")
        for _ in range(2):
            for _ in range(20):
                wait(1)
                progress.step()
            progress.say("an epoch")
    assert caplog.messages == ["part 0", "part 1", "part 2", "an epoch", "an epoch"]


def test_the_last_step_is_no_news(
    caplog: pytest.LogCaptureFixture, wait: Callable[[float], None]
) -> None:
    with (
        caplog.at_level(logging.INFO, "pdesurrogate"),
        progress_display("working", 2, LOG) as progress,
    ):
        for _ in range(2):
            wait(40)
            progress.step()
    assert caplog.messages == []


def test_a_worker_draws_no_bar_on_its_parents_terminal(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    with (
        caplog.at_level(logging.INFO, "pdesurrogate"),
        progress_display("working", 15, LOG) as progress,
    ):
        progress.step()
        progress.say("the first part")
    assert caplog.messages == ["the first part"]
    assert capsys.readouterr().err == ""
