from __future__ import annotations

import pytest

from pdesurrogate.training import clock
from pdesurrogate.training.clock import TrainingClock


class Time:
    """A clock on the wall that somebody turns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(clock.time, "perf_counter", lambda: self.now)

    def write(self, training: TrainingClock, seconds: float, *, is_resumable: bool = True) -> None:
        with training.writing(is_resumable=is_resumable):
            self.now += seconds


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def due_after(wall: Time, training: TrainingClock, interval: float | None = None) -> float:
    """Seconds from now until a checkpoint is due, to a tenth."""
    begin, tenths = wall.now, 0
    while not training.is_checkpoint_due(interval):
        tenths += 1
        wall.now = begin + tenths / 10
    wall.now = begin
    return tenths / 10


def test_seconds_go_on_from_those_before(wall: Time) -> None:
    training = TrainingClock(20.0)
    wall.now += 5
    assert training.seconds() == 25.0


def test_the_age_that_was_chosen_counts_from_the_end_of_writing(wall: Time) -> None:
    training = TrainingClock()
    assert due_after(wall, training, 3.0) == pytest.approx(3.1)
    wall.write(training, 10.0)
    assert due_after(wall, training, 3.0) == pytest.approx(3.1)
    wall.now += 2
    wall.write(training, 1.0, is_resumable=False)  # weights alone: nothing to go on from
    assert due_after(wall, training, 3.0) == pytest.approx(0.1)
    assert due_after(wall, training, 0.0) == 0


def test_quick_writing_is_due_every_minute(wall: Time) -> None:
    training = TrainingClock()
    for _ in range(5):
        wall.write(training, 0.2)
        assert due_after(wall, training) == pytest.approx(60.1)
        wall.now += 60.1


@pytest.mark.parametrize("best", [0.0, 3.0])
def test_slow_writing_takes_a_hundredth_of_the_time(best: float, wall: Time) -> None:
    """Whatever is written at the ends of epochs, if they last as long."""
    training, begin, writing = TrainingClock(77.0), wall.now, 0.0
    for number in range(20):
        wall.write(training, 4.0)
        wall.write(training, best if number % 4 == 0 else 0.0, is_resumable=False)
        writing += 4.0 + (best if number % 4 == 0 else 0.0)
        wall.now += due_after(wall, training)
        assert writing + 4.0 == pytest.approx(0.01 * (wall.now - begin), abs=0.01)


def test_what_the_ends_of_epochs_write_puts_the_others_off(wall: Time) -> None:
    training = TrainingClock()
    for _ in range(10):
        wall.write(training, 2.0)  # every 50 seconds: more than a hundredth
        wall.now += 50
    assert due_after(wall, training) > 1500
