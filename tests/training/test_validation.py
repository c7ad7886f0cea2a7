from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.surrogate import Surrogate, SurrogateInfo
from pdesurrogate.training.validation import RolloutValidation, Verdict, spread_windows
from tests.recurrence import Recurrence, recurrence

GRID = PeriodicBox((4, 4))


class Multiplication(nn.Module):
    """u -> a u of the last frame."""

    def __init__(self, factor: float, channels: int) -> None:
        super().__init__()
        self.factor, self.channels = factor, channels

    def forward(self, window: Tensor) -> Tensor:
        return self.factor * window[:, -self.channels :]


def multiplication(factor: float, *, history: int = 1, channels: int = 2) -> Surrogate:
    """A surrogate whose step is u -> a u."""
    names = ("a", "b")[:channels]
    ones, zeros = (1.0,) * channels, (0.0,) * channels
    info = SurrogateInfo(
        name="multiplication",
        model="Multiplication",
        options={},
        fields=tuple(Field(name, "1", name) for name in names),
        history=history,
        time_step=1.0,
        statistics=FieldStatistics(names, zeros, ones, ones),
        predicts_change=False,
        grid=GRID.to_dict(),
        dataset="none",
        dataset_sha256="",
        parameters=0,
        flops=0,
        training_seconds=0.0,
        epochs=0,
        seed=0,
    )
    return Surrogate(Multiplication(factor, channels), info)


def validation(*frames: float, history: int, repeats: int = 1) -> RolloutValidation:
    """Windows of frames that are the same number everywhere."""
    windows = torch.tensor(frames).reshape(1, -1, 1, 1, 1).expand(repeats, -1, 2, 4, 4)
    return RolloutValidation(windows, history, GRID, batch_size=2)


def test_only_predicted_frames_count() -> None:
    # From 1 on, the prediction is 2, 4, 8; the given frames 7 and 1 are not compared to anything.
    judge = validation(7.0, 1.0, 1.0, 8.0, 16.0, history=2)
    surrogate = multiplication(2.0, history=2)
    blow_up, every, first = judge(surrogate)
    assert blow_up == 0
    assert first == pytest.approx(1.0)  # |2 - 1| / 1
    assert every == pytest.approx((1.0 + 0.5 + 0.5) / 3)  # |4 - 8| / 8, |8 - 16| / 16
    # The error at a stated lead instead of the mean.
    assert replace(judge, lead=3)(surrogate).rollout == pytest.approx(0.5)
    assert replace(judge, lead=1)(surrogate).rollout == pytest.approx(1.0)


def test_the_mean_runs_over_all_windows_of_unequal_batches() -> None:
    windows = torch.tensor([[1.0, 1.0], [1.0, 2.0], [1.0, 4.0]]).reshape(3, 2, 1, 1, 1)
    judge = RolloutValidation(windows.expand(-1, -1, 1, 4, 4), 1, GRID, batch_size=2)
    blow_up, every, first = judge(multiplication(2.0, channels=1))
    assert blow_up == 0
    assert every == first == pytest.approx((1.0 + 0.0 + 0.5) / 3)


@pytest.mark.parametrize("history", [1, 2, 3])
@pytest.mark.parametrize("bundle", [1, 2, 3])
def test_every_frame_of_a_bundle_is_compared_with_its_own(history: int, bundle: int) -> None:
    given, truth = [5.0, 3.0, 7.0][:history], [1.0, 2.0, 4.0, -8.0, 16.0]
    info = replace(multiplication(1.0, history=history).info, bundle=bundle)
    surrogate = Surrogate(Recurrence(history, bundle, fields=2), info)
    _, every, first = validation(*given, *truth, history=history)(surrogate)
    predicted = recurrence(given, history, bundle, len(truth))
    errors = [abs(p - y) / abs(y) for p, y in zip(predicted, truth, strict=True)]
    assert first == pytest.approx(errors[0])
    assert every == pytest.approx(sum(errors) / len(errors))


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e30])
def test_a_rollout_that_breaks_is_infinitely_bad(factor: float) -> None:
    verdict = validation(1.0, 1.0, 1.0, 1.0, history=1)(multiplication(factor))
    assert (verdict.blow_up, verdict.rollout) == (1.0, float("inf"))


def test_the_share_of_broken_rollouts_is_counted() -> None:
    """Broken is what exceeds ten times the truth's largest norm, at any lead, in any field."""
    windows = torch.tensor([[1.0, 4.0, 4.0], [1.0, 4.0, 5.0], [1.0, 8.0, 50.0], [1.0, 9.0, 9.0]])
    windows = windows.reshape(4, 3, 1, 1, 1).expand(-1, -1, 2, 4, 4)
    judge = RolloutValidation(windows, 1, GRID, batch_size=3)
    # From 1 on, the prediction is 7, 49; the limits are 40, 50, 500 and 90.
    assert judge(multiplication(7.0)).blow_up == 0.25


def test_fewest_broken_rollouts_come_first_then_the_least_error() -> None:
    assert Verdict(0.0, 0.9, 0.9) < Verdict(0.25, 0.1, 0.1)
    assert Verdict(0.25, 0.1, 0.9) < Verdict(0.25, 0.2, 0.1)


def test_a_validation_may_be_cut_short() -> None:
    calls = []

    def is_cut_short() -> bool:
        calls.append(1)
        return len(calls) > 1

    judge = validation(1.0, 1.0, history=1, repeats=6)
    judge(multiplication(1.0), is_cut_short=is_cut_short)
    assert len(calls) == 2  # of three batches


def test_windows_are_spread_evenly_and_do_not_overlap() -> None:
    # 3 trajectories of 10 frames, windows of 4: starts 0 and 4 of 7 in each.
    assert spread_windows(3, 7, 4, at_most=100).tolist() == [0, 4, 7, 11, 14, 18]
    assert spread_windows(3, 7, 4, at_most=3).tolist() == [0, 7, 14]
    assert spread_windows(2, 1, 4, at_most=5).tolist() == [0, 1]
