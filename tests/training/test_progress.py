import logging

import pytest

from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.progress import progress_display

ROW = EpochMetrics(2, 10, 0.5, 0.25, 0.75, 1e-3, 0.1, 12.0)


def test_where_there_is_no_terminal_epochs_are_log_lines(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        caplog.at_level(logging.INFO, "pdesurrogate"),
        progress_display("a run", epochs=3, steps=15, done=5) as progress,
    ):
        progress.step()
        progress.epoch(ROW)
    assert caplog.messages == ["epoch 2/3: loss 0.5, one step 0.25, rollout 0.75, 12 s"]
    assert capsys.readouterr().out == ""


def test_on_a_terminal_there_is_a_bar_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with progress_display("a run", epochs=3, steps=15, done=5) as progress:
        progress.step()
        progress.epoch(ROW)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training a run" in captured.err
    assert "rollout 0.75" in captured.err
