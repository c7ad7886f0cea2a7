"""Two processes that train together do what one does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.data import Ladder
from pdesurrogate.grids import Grid
from pdesurrogate.models import FNO, ModelSpec, MultiResNet
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import Stage, TrainingConfig, Unrolled, train
from pdesurrogate.training.distributed import Ranks
from tests.training.processes import exit_codes
from tests.training.test_trainer import jump, metrics

SPEC = MultiResNet(width=4, levels=1)
CONFIG = TrainingConfig(epochs=2, batch_size=9, validation_steps=2)
"""28 windows: the last batch of an epoch is a single one, of which one process has no share."""


@dataclass(frozen=True)
class Wide(ModelSpec):
    """A network whose second layer learns at three quarters of the rate."""

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(in_channels, 256, 1),
            nn.GELU(),
            nn.Conv2d(256, out_channels, 3, padding=1, padding_mode="circular"),
        )


def train_alone_and_together(
    spec: ModelSpec, flow: Ladder, folder: Path, config: TrainingConfig
) -> tuple[Surrogate, Surrogate]:
    alone = train(spec, flow, 8, folder / "alone", replace(config, shard=False))
    codes = exit_codes(lambda _: train(spec, flow, 8, folder / "together", config), size=2)
    assert codes == [0, 0]
    return alone, Surrogate.load(folder / "together", specs=(Wide,))


def weights(surrogate: Surrogate) -> Tensor:
    return torch.cat([w.detach().flatten() for w in surrogate.module.parameters()])


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        (SPEC, {}),
        (SPEC, {"objective": Unrolled(2), "noise": 0.1, "ema_decay": 0.9, "history": 2}),
        (SPEC, {"accumulation": 3}),
        (SPEC, {"shard": True}),
        (SPEC, {"shard": True, "objective": Unrolled(2), "ema_decay": 0.9}),
        (SPEC, {"shard": True, "accumulation": 3}),
        (Wide(), {"shard": True}),
        (FNO(modes=2, width=4, layers=1), {}),
        (MultiResNet(width=4, levels=2), {"level_loss": 0.5}),
        (SPEC, {"mixture": {8: 0.5, 16: 0.5}}),
        (SPEC, {"stages": (Stage(8, 1), Stage(16, 1, freeze=True, width=4))}),
    ],
    ids=[
        "plain",
        "unrolled",
        "accumulated",
        "sharded",
        "sharded-unrolled",
        "sharded-accumulated",
        "sharded-wide",
        "fno",
        "levels",
        "mixed",
        "staged",
    ],
)
def test_two_processes_train_what_one_does(
    spec: ModelSpec, options: dict[str, Any], flow: Ladder, tmp_path: Path
) -> None:
    """To the rounding of sums in another order, over every optimiser step of two epochs."""
    alone, together = train_alone_and_together(spec, flow, tmp_path, replace(CONFIG, **options))
    torch.testing.assert_close(weights(together), weights(alone), rtol=1e-4, atol=1e-5)
    for column in ("train_loss", "valid_rollout", "valid_one_step", "gradient_norm"):
        one, two = (
            [float(value) for value in metrics(tmp_path / run, column)]
            for run in ("alone", "together")
        )
        assert two == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("pieces", [2, 4, 9])
def test_a_batch_in_pieces_is_the_batch(pieces: int, flow: Ladder, tmp_path: Path) -> None:
    whole = train(SPEC, flow, 8, tmp_path / "whole", CONFIG)
    in_pieces = train(SPEC, flow, 8, tmp_path / "pieces", replace(CONFIG, accumulation=pieces))
    torch.testing.assert_close(weights(in_pieces), weights(whole), rtol=1e-4, atol=1e-5)
    losses = (
        [float(value) for value in metrics(tmp_path / run, "train_loss")]
        for run in ("pieces", "whole")
    )
    assert next(losses) == pytest.approx(next(losses), rel=1e-4)


def test_what_one_process_began_two_may_finish(flow: Ladder, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=1)
    train(SPEC, flow, 8, tmp_path / "run", replace(config, time_budget=1e-9))
    codes = exit_codes(
        lambda _: train(SPEC, flow, 8, tmp_path / "run", config, resume=True), size=2
    )
    assert codes == [0, 0]
    undisturbed = train(SPEC, flow, 8, tmp_path / "undisturbed", config)
    torch.testing.assert_close(
        weights(Surrogate.load(tmp_path / "run")), weights(undisturbed), rtol=1e-4, atol=1e-5
    )


def test_two_processes_go_back_together(flow: Ladder, tmp_path: Path) -> None:
    """After an epoch whose loss has jumped in one of them."""
    config = replace(CONFIG, epochs=3)

    def work(rank: int) -> None:
        patch = pytest.MonkeyPatch()
        if rank == 1:
            jump(patch, range(5, 9), 100.0)  # the second epoch
        train(SPEC, flow, 8, tmp_path / "run", config)

    assert exit_codes(work, size=2) == [0, 0]
    assert metrics(tmp_path / "run", "rollbacks") == ["0", "1", "1"]
    assert metrics(tmp_path / "run", "step") == ["4", "8", "12"]


def test_a_process_alone_agrees_with_itself() -> None:
    assert Ranks().totals(1.5, 2.0) == [1.5, 2.0]
    assert Ranks().gathered("a") == ["a"]
    assert Ranks().is_main


def test_totals_and_lists_are_the_same_in_every_process(tmp_path: Path) -> None:
    def work(rank: int) -> None:
        from pdesurrogate.training.distributed import joined

        with joined(torch.device("cpu")) as ranks:
            assert (ranks.rank, ranks.size, ranks.is_main) == (rank, 2, rank == 0)
            assert ranks.totals(1.0 + rank, 10.0) == [3.0, 20.0]
            assert ranks.gathered(f"from {rank}") == ["from 0", "from 1"]

    assert exit_codes(work, size=2) == [0, 0]


@pytest.mark.parametrize("size", [1, 2])
def test_wide_layers_are_slowed_in_training_and_keep_to_it_when_it_is_resumed(
    size: int, flow: Ladder, tmp_path: Path
) -> None:
    config = replace(CONFIG, epochs=1, shard=True)
    plain = train(Wide(), flow, 8, tmp_path / "plain", replace(config, slows_wide_layers=False))
    undisturbed = train(Wide(), flow, 8, tmp_path / "undisturbed", config)
    assert not torch.allclose(weights(plain), weights(undisturbed), rtol=1e-3)

    for budget in (1e-9, None):  # one step, and the others
        limited = replace(config, time_budget=budget)

        def go_on(rank: int, config: TrainingConfig = limited) -> None:
            train(Wide(), flow, 8, tmp_path / "cut", config, resume=True)

        assert exit_codes(go_on, size) == [0] * size
    cut = weights(Surrogate.load(tmp_path / "cut", specs=(Wide,)))
    torch.testing.assert_close(cut, weights(undisturbed), rtol=1e-4, atol=1e-5)


def test_shared_weights_are_not_taken_up_by_one_process(flow: Ladder, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=1, shard=True)
    cut = replace(config, time_budget=1e-9)
    assert exit_codes(lambda _: train(SPEC, flow, 8, tmp_path / "run", cut), size=2) == [0, 0]
    with pytest.raises(ValueError, match=r"last\.pt was made with several processes and --shard"):
        train(SPEC, flow, 8, tmp_path / "run", config, resume=True)
