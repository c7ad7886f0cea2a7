import logging
import multiprocessing

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
        progress.say("the first part")
    captured = capsys.readouterr()
    assert captured.out == ""
    for shown in ("working", "6/15", "the first part"):
        assert shown in captured.err


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
