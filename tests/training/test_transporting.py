"""Training on what transport misses of the next frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import pdesurrogate as ps
from pdesurrogate.cli import main
from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation.protocols import InformedStep, Setting, Transported
from pdesurrogate.models import ConstrainedUNet, MultiResNet
from pdesurrogate.solvers import Carrier, FieldCarrier, PeriodicNavierStokes
from pdesurrogate.surrogate import Extension, Surrogate
from pdesurrogate.training import Stage, TrainingConfig, Unrolled
from pdesurrogate.training.preparation import carried_frame
from pdesurrogate.transfer import prolong, restrict

SPEC = MultiResNet(width=4, levels=2)
BRIEF = TrainingConfig(
    epochs=2, batch_size=4, sees_transport=True, validation_steps=2, validation_windows=2
)


@pytest.fixture(scope="module")
def run(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("transporting") / "run"
    ps.train(SPEC, ladder, 16, out, BRIEF)
    return out


def test_the_share_is_fitted_and_leaves_less_to_learn(ladder: Ladder) -> None:
    fields = (ladder.fields["vorticity"],)
    carried = carried_frame(ladder, 16, fields)
    frames, grid = load_frames(ladder, "test", 16, ("vorticity",)), ladder.grid(16)
    u, true = frames[:, 2], frames[:, 3] - frames[:, 2]
    change = carried.transport(grid, grid, fields, ladder.time_step).foreseen_change(u)
    (share,) = carried.shares
    assert 0.5 < share < 1.2
    left = [float((true - s * change).norm() / true.norm()) for s in (share, 0.0)]
    assert left[0] < 0.8 * left[1]


def test_a_saved_run_is_the_trained_one_and_begins_where_transport_ends(
    ladder: Ladder, run: Path
) -> None:
    surrogate = Surrogate.load(run)
    carried = surrogate.info.carried
    assert carried is not None
    window = load_frames(ladder, "test", 16, ("vorticity",))[:, :1]
    zeroed = Surrogate.load(run)
    for parameter in zeroed.module.parameters():
        parameter.zero_()
    grid, u = ladder.grid(16), window[:, 0]
    change = carried.transport(grid, grid, surrogate.info.fields, 0.25).foreseen_change(u)
    torch.testing.assert_close(zeroed.step(window)[:, 0], u + carried.shares[0] * change)
    learned = surrogate.step(window)
    assert not torch.allclose(learned, zeroed.step(window), atol=1e-2)


def test_every_weight_gets_a_gradient_through_two_steps(ladder: Ladder, run: Path) -> None:
    surrogate = Surrogate.load(run)
    surrogate.module.requires_grad_()
    frames = load_frames(ladder, "train", 16, ("vorticity",))[:2]
    last = surrogate.step(surrogate.step(frames[:, :1]))
    (last - frames[:, 2:3]).square().mean().backward()
    for name, parameter in surrogate.module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_it_can_be_extended_and_used_on_finer_grids(ladder: Ladder, run: Path) -> None:
    config = TrainingConfig(epochs=1, validation_steps=1, validation_windows=2)
    extended = ps.extend(run, ladder, 32, trajectories=2, config=config)
    assert extended.info.carried is None
    table = ps.evaluate([run], ladder, [16, 32], num_steps=2, equal_cost=False).to_dataset()
    at_first = table["total_error"].sel(run=str(table["run"].values[0]), resolution=32)
    assert set(table["protocol"].values) == {"native", "projected", "transported", "extended"}
    assert bool(at_first.notnull().all())
    # Half a network of no training to speak of, but transport is right from the start.
    persistence = table["total_error"].sel(run="persistence", resolution=32, protocol="native")
    carried = at_first.sel(protocol="transported")
    assert float(carried[..., 0].mean()) < float(persistence[..., 0].mean())


@dataclass(frozen=True)
class Homemade(FieldCarrier):
    """One that no run can keep."""


def test_what_cannot_be_carried_is_refused_in_a_sentence(
    ladder: Ladder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="bundle must be 1, got 2"):
        TrainingConfig(sees_transport=True, bundle=2)
    with pytest.raises(ValueError, match="predicts_change must be true"):
        TrainingConfig(sees_transport=True, predicts_change=False)
    with pytest.raises(ValueError, match="sees_transport must be false for ConstrainedUNet"):
        ps.train(ConstrainedUNet(width=4, levels=1), ladder, 16, tmp_path / "a", BRIEF)

    def own(*_: object, **__: object) -> Carrier:
        return Homemade((ladder.fields["vorticity"],), (0, 0))

    with monkeypatch.context() as patch:
        patch.setattr(PeriodicNavierStokes, "carrier", own)
        with pytest.raises(ValueError, match=r"sees_transport must be false: .*'Homemade'"):
            ps.train(SPEC, ladder, 16, tmp_path / "b", BRIEF)
    words = ["--data", str(ladder.path), "--resolution", "16", "--model", "MultiResNet"]
    words += ["--fields", "[velocity_x]", "--validation_steps", "2"]
    code = main(["train", *words, "--sees_transport", "true", "--out", str(tmp_path / "c")])
    assert code == 2
    assert "nothing is known of what carries velocity_x" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


@torch.no_grad()
def test_a_finer_grid_tells_the_network_what_it_knows(ladder: Ladder, run: Path) -> None:
    surrogate = Surrogate.load(run)
    info, fine, coarse = surrogate.info, ladder.grid(32), ladder.grid(16)
    assert info.carried is not None
    window = load_frames(ladder, "test", 32, ("vorticity",))[:, :1]
    setting = Setting(
        coarse,
        fine,
        info.fields,
        info.time_step,
        carrier=ladder.equation.carrier(info.fields),
        informed=InformedStep(surrogate.step, info.carried),
    )
    told = Transported().carry(surrogate.step, setting)(window)[:, 0]
    untold = Transported(informs=False).carry(surrogate.step, setting)(window)[:, 0]
    foresight = info.carried.from_finer(coarse, fine, info.fields, info.time_step)
    moved = foresight.foreseen_change_of_band(window[:, 0])
    band = restrict(window, fine, coarse)
    for found, step in ((told, surrogate.step(band, moved)), (untold, surrogate.step(band))):
        # Prolongation drops the coarse grid's Nyquist mode.
        expected = prolong(step[:, 0], coarse, fine)
        torch.testing.assert_close(
            restrict(found, fine, coarse), restrict(expected, fine, coarse), rtol=1e-4, atol=1e-4
        )
    assert not torch.allclose(told, untold, atol=1e-2)


@torch.no_grad()
def test_what_is_told_counts_as_far_as_there_is_trust(ladder: Ladder) -> None:
    fields, (coarse, fine) = (ladder.fields["vorticity"],), (ladder.grid(16), ladder.grid(32))
    carried = carried_frame(ladder, 16, fields)
    changes: list[Tensor] = []

    def step(window: Tensor, moved: Tensor) -> Tensor:
        changes.append(moved)
        return window  # the band stays, so that only the trust differs from step to step

    setting = Setting(
        coarse,
        fine,
        fields,
        ladder.time_step,
        carrier=ladder.equation.carrier(fields),
        trust=(0.5, 0.0),
        informed=InformedStep(step, carried),
    )
    window = load_frames(ladder, "test", 32, ("vorticity",))[:, :1]
    for shrinks, shares in ((True, (1.0, 0.5, 0.0, 0.0)), (False, (1.0, 1.0, 1.0, 1.0))):
        changes.clear()
        inform = Transported(shrinks=shrinks)._informed(lambda u: u, setting)
        restricted = restrict(window, fine, coarse)
        for _ in shares:
            inform(restricted, window[:, 0])
        known = (fields, ladder.time_step)
        own = carried.transport(coarse, coarse, *known).foreseen_change(restricted[:, 0])
        foresight = carried.from_finer(coarse, fine, *known)
        told = foresight.foreseen_change_of_band(window[:, 0])
        for change, share in zip(changes, shares, strict=True):
            torch.testing.assert_close(change, own + share * (told - own))


@torch.no_grad()
def test_a_level_on_top_of_it_starts_as_transported(ladder: Ladder, run: Path) -> None:
    base = Surrogate.load(run)
    info, carrier = base.info, ladder.equation.carrier(base.info.fields)
    assert info.carried is not None
    extended = Extension().on(base, ladder.grid(32), carrier)
    window = load_frames(ladder, "test", 32, ("vorticity",))[:, :1]
    setting = Setting(
        ladder.grid(16),
        ladder.grid(32),
        info.fields,
        info.time_step,
        carrier=carrier,
        informed=InformedStep(base.step, info.carried),
    )
    expected = Transported().carry(base.step, setting)(window)
    torch.testing.assert_close(extended.step(window), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_finer_grid_knows_more_of_the_band(ladder: Ladder) -> None:
    """No network: what the whole fine field makes of the band is nearer to the truth."""
    fields, (coarse, fine) = (ladder.fields["vorticity"],), (ladder.grid(16), ladder.grid(32))
    carried = carried_frame(ladder, 16, fields)
    frames = load_frames(ladder, "test", 32, ("vorticity",))
    u, band = frames[:, 2], restrict(frames[:, 2:4], fine, coarse)
    true = band[:, 1] - band[:, 0]
    own = carried.transport(coarse, coarse, fields, ladder.time_step).foreseen_change(band[:, 0])
    told = carried.from_finer(coarse, fine, fields, ladder.time_step).foreseen_change_of_band(u)
    assert (true - told).norm() < 0.8 * (true - own).norm()


@pytest.mark.parametrize(
    "options",
    [
        {"history": 2, "noise": 0.1, "frame_stride": 1},
        {"objective": Unrolled(2), "accumulation": 2},
        {"mixture": {16: 0.5, 32: 0.5}, "level_loss": 0.1},
        {"stages": (Stage(16, 1), Stage(32, 1, trajectories=2, freeze=True))},
        {"precision": "bf16"},
    ],
)
def test_it_goes_with_the_other_ways_to_train(
    ladder: Ladder, tmp_path: Path, options: dict[str, Any]
) -> None:
    config = replace(BRIEF, epochs=1, **options)
    trained = ps.train(SPEC, ladder, 16, tmp_path / "run", config)
    again = Surrogate.load(tmp_path / "run")
    grid = again.info.training_grid
    frames = load_frames(ladder, "test", grid.resolution, ("vorticity",))
    given, truth = frames[:, : again.info.history], frames[:, again.info.history]
    with torch.no_grad():
        found = again.step(given)[:, -1]
        assert torch.equal(found, trained.step(given)[:, -1])
    assert (found - truth).norm() < 0.8 * (given[:, -1] - truth).norm()
