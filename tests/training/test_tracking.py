from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.run_directory import RunDirectory
from pdesurrogate.training.tracking import Tracker, check_trackers, open_trackers

SETTINGS = {"model": {"class_path": "FNO", "init_args": {"modes": 4}}, "epochs": 3}
FAKE = '''
"""Writes down what it is told."""

__all__ = ["Settings", "init"]
runs = []


class Settings:
    def __init__(self, **options):
        self.__dict__.update(options)


class Run:
    def __init__(self, options):
        self.options, self.logged, self.is_finished = options, [], False
        self.settings = Settings(mode=options["mode"] or "online")
        self.url = "https://a.place/run"

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.is_finished = True


def init(**options):
    runs.append(Run(options))
    return runs[-1]
'''


def row(epoch: int, loss: float = 0.5) -> EpochMetrics:
    return EpochMetrics(
        epoch=epoch,
        step=5 * epoch,
        train_loss=loss,
        valid_one_step=0.1,
        valid_rollout=0.2,
        learning_rate=1e-3,
        gradient_norm=1.0,
        seconds=3.0,
    )


def track(names: Sequence[str], run: Path, epochs: Sequence[int], resumed: bool = False) -> None:
    with open_trackers(names, run, "flow", SETTINGS, resumed=resumed) as tracker:
        assert isinstance(tracker, Tracker)
        for epoch in epochs:
            tracker.log(row(epoch, loss=epoch + 0.5 * resumed))


@pytest.fixture
def away_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has told nobody who he is."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    netrc = tmp_path / "netrc"
    netrc.write_text("")
    monkeypatch.setenv("NETRC", str(netrc))
    return netrc


@pytest.fixture
def wandb(tmp_path: Path, away_from_home: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of that name that writes down what it is told."""
    file = tmp_path / "wandb.py"
    file.write_text(FAKE)
    spec = importlib.util.spec_from_file_location("wandb", file)
    assert spec is not None
    assert spec.loader is not None
    fake = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fake)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_without_trackers_nothing_is_written(out: Path) -> None:
    check_trackers([])
    track([], out, [1, 2])
    assert not out.exists()


def test_an_unknown_tracker_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown tracker 'tensorbord'.*known are tensorboard, w"):
        check_trackers(["tensorbord"])


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_package_that_is_missing_comes_with_the_extra_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a folder that holds what such a package has written."""
    (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    with pytest.raises(ValueError, match=rf"{name}.*pip install 'pdesurrogate\[tracking\]'"):
        check_trackers([name])


def test_a_login_that_would_be_asked_for_is_refused(
    wandb: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_trackers(["wandb"])
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(ValueError, match="nobody is logged in"):
        check_trackers(["wandb"])
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    check_trackers(["wandb"])


def say_nothing(netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pass


def log_in(netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc.write_text("machine api.wandb.ai login user password secret\n")


def log_in_elsewhere(netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc.write_text("machine example.org login user password secret\n")


def give_a_key(netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "secret")


def choose_a_mode(netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")


@pytest.mark.parametrize(
    ("act", "mode"),
    [
        (say_nothing, "offline"),
        (log_in, "online"),
        (log_in_elsewhere, "offline"),
        (give_a_key, "online"),
        (choose_a_mode, None),  # the package reads the environment itself
    ],
)
def test_weights_and_biases_is_offline_unless_the_user_said_otherwise(
    act: Callable[[Path, pytest.MonkeyPatch], None],
    mode: str | None,
    wandb: Any,
    away_from_home: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    act(away_from_home, monkeypatch)
    track(["wandb"], out, [1])
    assert wandb.runs[0].options["mode"] == mode


def test_a_resumed_run_is_the_same_one_on_weights_and_biases(
    wandb: Any, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pdesurrogate"):
        track(["wandb"], out, [1, 2])
    assert str(out / "wandb") in caplog.text
    track(["wandb"], out, [2, 3], resumed=True)
    track(["wandb"], out, [1])
    first, second, other = wandb.runs
    assert first.options["id"] == second.options["id"] != other.options["id"]
    assert first.options["name"] == "flow"
    assert first.options["dir"] == str(out)
    assert first.options["config"] == SETTINGS
    assert [step for step, _ in first.logged] == [1, 2]
    assert first.logged[0][1]["valid_rollout"] == 0.2
    assert all(run.is_finished for run in wandb.runs)


def test_trackers_are_closed_when_the_training_breaks(wandb: Any, out: Path) -> None:
    def break_off() -> None:
        with open_trackers(["wandb"], out, "flow", SETTINGS, resumed=False):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert wandb.runs[0].is_finished


def curve(run: Path, name: str) -> list[tuple[int, float]]:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="no TensorBoard"
    )
    events = accumulator.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_tensorboard_draws_every_epoch_once(out: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    check_trackers(["tensorboard"])
    track(["tensorboard"], out, [1, 2, 3])
    track(["tensorboard"], out, [3, 4], resumed=True)
    assert curve(out, "train_loss") == [(1, 1.0), (2, 2.0), (3, 3.5), (4, 4.5)]
    assert [value for _, value in curve(out, "step")] == [5, 10, 15, 20]


def test_overwriting_a_run_removes_what_trackers_wrote(out: Path) -> None:
    run = RunDirectory(out)
    run.prepare(SETTINGS, {}, overwrite=False)
    for name in ("tensorboard", "wandb"):
        (out / name).mkdir()
        (out / name / "events").write_text("old")
    run.prepare(SETTINGS, {}, overwrite=True)
    assert {entry.name for entry in out.iterdir()} == {"config.yaml"}


@pytest.mark.slow
def test_weights_and_biases_itself_takes_it_offline(away_from_home: Path, out: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    check_trackers(["wandb"])
    track(["wandb"], out, [1, 2])
    track(["wandb"], out, [2, 3], resumed=True)
    identity = (out / "wandb" / "run_id").read_text().strip()
    # Sessions within one second share a folder.
    written = list((out / "wandb").glob(f"offline-run-*-{identity}/run-{identity}.wandb"))
    assert written
    assert all(file.stat().st_size > 0 for file in written)
