from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pdesurrogate.data import Ladder
from pdesurrogate.grids import Grid
from pdesurrogate.models import FNO, ModelSpec, MultiResNet
from pdesurrogate.training import TrainingConfig, find_learning_rate, rate_finder, train

SPEC = MultiResNet(width=8, levels=1)
CONFIG = TrainingConfig(batch_size=6, validation_steps=2)  # 28 windows, 5 steps an epoch


@dataclass(frozen=True)
class NothingToWin(ModelSpec):
    """A network whose output does not depend on its weight."""

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return Zero(out_channels)


class Zero(nn.Module):
    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(out_channels, 1, 1))

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        return 0 * self.weight + 0 * v[:, : len(self.weight)]


def last_loss(data: Ladder, out: Path, learning_rate: float) -> float:
    config = replace(CONFIG, epochs=12, learning_rate=learning_rate, min_learning_rate=0.0)
    train(SPEC, data, 16, out, config)
    with (out / "metrics.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)][-1]


def test_training_at_the_suggestion_converges_and_far_above_does_not(
    flow: Ladder, tmp_path: Path
) -> None:
    suggested = float(find_learning_rate(SPEC, flow, 16, CONFIG)["suggested"])
    assert last_loss(flow, tmp_path / "suggested", suggested) < 0.5
    # Predicting no change at all costs 1.
    assert last_loss(flow, tmp_path / "above", 30 * suggested) > 0.9
    assert last_loss(flow, tmp_path / "below", suggested / 30) > 0.9


def test_rates_rise_by_equal_factors_and_the_loss_is_smoothed(flow: Ladder) -> None:
    found = find_learning_rate(SPEC, flow, 8, CONFIG, lowest=1e-5, highest=1e-1, steps=21)
    rates, losses = found["learning_rate"].values, found["loss"].values
    np.testing.assert_allclose(rates, 1e-5 * 10 ** (np.arange(21) / 5))
    weights = 0.9 ** np.arange(20, -1, -1)
    expected = (weights * losses).sum() / weights.sum()
    assert found["smoothed_loss"].values[-1] == pytest.approx(expected)
    assert found["smoothed_loss"].values[0] == pytest.approx(losses[0])
    best = 10 + int(found["smoothed_loss"].values[10:].argmin())
    assert float(found["suggested"]) == pytest.approx(rates[best] / 10)
    assert found.attrs["model"] == "MultiResNet"


def test_it_ends_once_the_loss_explodes(flow: Ladder) -> None:
    found = find_learning_rate(
        FNO(modes=2, width=4, layers=2),
        flow,
        8,
        replace(CONFIG, gradient_clip=None),
        lowest=1e-4,
        highest=1e3,
    )
    assert found.sizes["learning_rate"] < 100
    assert np.isfinite(found["loss"].values).all()
    smoothed = found["smoothed_loss"].values
    assert (smoothed[:-1] <= 4 * np.minimum.accumulate(smoothed)[:-1]).all()


def test_it_finds_the_same_again_and_leaves_no_trace(flow: Ladder) -> None:
    before, random_state = set(flow.path.rglob("*")), torch.get_rng_state()
    first = find_learning_rate(SPEC, flow, 8, CONFIG, steps=40)
    assert torch.equal(torch.get_rng_state(), random_state)
    torch.manual_seed(99)
    assert first.identical(find_learning_rate(SPEC, flow, 8, CONFIG, steps=40))
    assert set(flow.path.rglob("*")) == before
    assert torch.backends.cudnn.allow_tf32  # as torch begins


def test_bfloat16_finds_about_the_same(flow: Ladder) -> None:
    exact = find_learning_rate(SPEC, flow, 8, CONFIG, steps=40)
    rounded = find_learning_rate(SPEC, flow, 8, replace(CONFIG, precision="bf16"), steps=40)
    assert not rounded.identical(exact)
    assert 1 / 5 < float(rounded["suggested"] / exact["suggested"]) < 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lowest": 0.0}, "from above 0, got lowest 0 and highest 1"),
        ({"lowest": 2.0}, "got lowest 2 and highest 1"),
        ({"highest": float("inf")}, "highest inf"),
        ({"steps": 19}, "steps must be at least 20, got 19"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(
    options: dict[str, float], sentence: str, flow: Ladder
) -> None:
    with pytest.raises(ValueError, match=sentence):
        find_learning_rate(SPEC, flow, 8, CONFIG, **options)


def test_no_rate_is_suggested_where_nothing_is_learnt(flow: Ladder) -> None:
    config = replace(CONFIG, batch_size=28)  # every batch is the same
    with pytest.raises(ValueError, match="the loss did not fall between the learning rates 1e-06"):
        find_learning_rate(NothingToWin(), flow, 8, config)


def test_what_training_refuses_is_refused(flow: Ladder) -> None:
    with pytest.raises(ValueError, match="history 20"):
        find_learning_rate(SPEC, flow, 8, replace(CONFIG, history=20))
    with pytest.raises(ValueError, match="tf32 is a mode of CUDA devices"):
        find_learning_rate(SPEC, flow, 8, replace(CONFIG, precision="tf32"))


def test_a_rate_below_those_that_were_tried_is_not_suggested(
    flow: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_finder, "_turning_point", lambda smoothed: 12)
    with pytest.raises(ValueError, match=r"the loss is least at .* begin lower"):
        find_learning_rate(SPEC, flow, 8, CONFIG, lowest=1e-4, highest=1e-3, steps=40)
