"""Networks of several frames at once, evaluated: every frame counts, in its order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor

from pdesurrogate.cli import main
from pdesurrogate.conditioning import Condition
from pdesurrogate.data import Ladder, generate, load_frames
from pdesurrogate.evaluation import evaluate, timing
from pdesurrogate.evaluation.entries import Frames, SurrogateEntry
from pdesurrogate.evaluation.protocols import Native, Projected, Setting, Step, TransferProtocol
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.models import MultiResNet, count_flops
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.transfer import prolong, restrict
from tests.decay import decay_recipe
from tests.evaluation.fakes import fake_surrogate
from tests.recurrence import Recurrence, recurrence

TOLD = (
    Condition("rate", False, False, mean=0.0, std=1.0),
    Condition("mask", True, False, mean=0.0, std=1.0),
)
SIZES = pytest.mark.parametrize(
    ("history", "bundle"), [(h, b) for h in (1, 2, 3) for b in (1, 2, 3)]
)


@pytest.fixture(scope="module")
def decay(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """Eight frames, each trajectory with a rate and a mask of its own."""
    return generate(
        decay_recipe(num_frames=8), tmp_path_factory.mktemp("decay") / "data", workers=1
    )


def counting(
    data: Ladder, history: int, bundle: int, network: Any = None, **changes: Any
) -> Surrogate:
    """A surrogate of the coarse grid that follows the recurrence, if it has no other network."""
    return fake_surrogate(
        data,
        network or Recurrence(history, bundle),
        fields=("concentration",),
        history=history,
        resolution=8,
        bundle=bundle,
        **changes,
    )


def frames_of(data: Ladder, resolution: int, num_given: int, num_steps: int) -> Frames:
    names = ("concentration", "rate", "mask")
    frames = load_frames(data, "test", resolution, names)[:, : num_given + num_steps]
    given, truth = frames[:, :num_given], frames[:, num_given:]
    return Frames(given, truth, names, data.grid(resolution))


def predicted(surrogate: Surrogate, protocol: TransferProtocol, frames: Frames) -> Tensor:
    entry = SurrogateEntry(
        surrogate, RunLabel("counting", "surrogate", "Recurrence"), surrogate.info.training_grid
    )
    return torch.stack(list(entry.predict(frames, protocol)), dim=1)


@SIZES
@pytest.mark.parametrize("num_steps", [1, 3, 4])
@pytest.mark.parametrize("conditioning", [(), TOLD], ids=["alone", "told"])
def test_every_protocol_gives_every_frame(
    conditioning: tuple[Condition, ...], num_steps: int, history: int, bundle: int, decay: Ladder
) -> None:
    fine, coarse = decay.grid(16), decay.grid(8)
    surrogate = counting(decay, history, bundle, conditioning=conditioning)
    frames = frames_of(decay, 16, 4, num_steps)  # more than any history

    given = list(frames.given[:, :, 0].unbind(1))
    told = frames.given[:, 0, 1:].sum(dim=1) if conditioning else 0.0
    expected = torch.stack(recurrence(given, history, bundle, num_steps, told), dim=1)
    torch.testing.assert_close(predicted(surrogate, Native(), frames)[:, :, 0], expected)

    given = [restrict(frame, fine, coarse) for frame in given]
    told = restrict(told, fine, coarse) if isinstance(told, Tensor) else told
    followed = recurrence(given, history, bundle, num_steps, told)
    expected = prolong(torch.stack(followed, dim=1), coarse, fine)
    torch.testing.assert_close(predicted(surrogate, Projected(), frames)[:, :, 0], expected)


@SIZES
def test_an_evaluation_scores_every_frame_against_its_own(
    history: int, bundle: int, decay: Ladder
) -> None:
    surrogate = counting(decay, history, bundle)
    table = evaluate([surrogate], decay, [8, 16], num_steps=5)
    scores = table["nrmse"].sel(run="fake", field="concentration")
    fine, coarse = decay.grid(16), decay.grid(8)
    for protocol, resolution in (("native", 8), ("native", 16), ("projected", 16)):
        frames = load_frames(decay, "test", resolution, ["concentration"])[:, :, 0]
        given = frames[:, :history]
        if protocol == "projected":
            given = restrict(given, fine, coarse)
        followed = torch.stack(recurrence(list(given.unbind(1)), history, bundle, 5), dim=1)
        if protocol == "projected":
            followed = prolong(followed, coarse, fine)
        truth = frames[:, history : history + 5]
        expected = (followed - truth).norm(dim=(-2, -1)) / truth.norm(dim=(-2, -1))
        found = scores.sel(protocol=protocol, resolution=resolution)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


class Spoiling(TransferProtocol):
    """Does to all channels what should be done to the fields only."""

    def carry(self, step: Step, setting: Setting) -> Step:
        return lambda window: 0.5 * step(window)


@pytest.mark.parametrize(("history", "bundle"), [(1, 3), (3, 2)])
def test_conditions_stay_whatever_a_protocol_does(history: int, bundle: int, decay: Ladder) -> None:
    seen: list[Tensor] = []
    network = Recurrence(history, bundle)

    def answer(v: Tensor) -> Tensor:
        seen.append(v)
        return network(v)

    surrogate = counting(decay, history, bundle, answer, conditioning=TOLD)
    frames = frames_of(decay, 16, history, 5)
    predicted(surrogate, Spoiling(), frames)
    assert len(seen) == -(-5 // bundle)
    for v in seen:
        assert v.shape[1] == history + 2
        assert torch.equal(v[:, history:], frames.given[:, 0, 1:])


class OneByOne(TransferProtocol):
    """Takes the last frame of a step for all of it."""

    def carry(self, step: Step, setting: Setting) -> Step:
        return lambda window: torch.cat([window[:, 1:], step(window)[:, -1:]], dim=1)


def test_a_protocol_that_drops_frames_is_told_what_to_give(decay: Ladder) -> None:
    assert evaluate([counting(decay, 1, 1)], decay, [8, 16], [OneByOne()], num_steps=2)
    surrogate = counting(decay, 1, 3)
    sentence = (
        "fake, onebyone at 16: the protocol onebyone gives 1 of the 3 frames that a step predicts "
        "at once; it must give all, setting.bundle of them"
    )
    with pytest.raises(ValueError, match=sentence):
        evaluate([surrogate], decay, [8, 16], [OneByOne()], num_steps=2)


def test_a_step_costs_as_much_as_all_its_frames(
    decay: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 0.0, "calls": 0}

    def answer(v: Tensor) -> Tensor:
        """Six seconds a call, the first of which takes longer, the fourth less."""
        clock["calls"] += 1
        clock["now"] += {1: 100.0, 4: 4.5}.get(clock["calls"], 6.0)
        return v.expand(-1, 3, -1, -1)

    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: clock["now"]))
    surrogate = counting(decay, 1, 3, answer)
    entry = SurrogateEntry(
        surrogate, RunLabel("slow", "surrogate", "Slow"), surrogate.info.training_grid
    )
    seconds = timing.seconds_per_step(entry, Native(), frames_of(decay, 8, 1, 2))
    assert seconds == pytest.approx(1.5)
    assert clock["calls"] == 1 + timing.TIMED_STEPS


def test_a_saved_bundle_goes_all_the_way(decay: Ladder, tmp_path: Path) -> None:
    spec = MultiResNet(width=4, levels=1)
    like = counting(decay, 2, 3, conditioning=TOLD).info
    module = spec.build(like.in_channels, like.out_channels, decay.grid(8))
    info = replace(
        like,
        name="bundled",
        model="MultiResNet",
        options=parts_to_plain(spec),
        predicts_change=True,
        flops=count_flops(module, like.in_channels, decay.grid(8)),
    )
    surrogate = Surrogate(module.eval().requires_grad_(False), info)
    surrogate.save(tmp_path / "run")
    out = tmp_path / "eval.nc"
    words = ["evaluate", tmp_path / "run", "--data", decay.path, "--resolutions", "8,16"]
    assert main([str(word) for word in [*words, "--num_steps", 5, "--out", out]]) == 0
    assert main(["report", str(out), "--out", str(tmp_path / "report.html")]) == 0

    with xr.open_datatree(out) as opened:
        table = opened.load()
    forecast = surrogate.rollout(decay.test[8].isel(time=slice(0, 2)), 5)
    for resolution, protocol in ((8, "native"), (16, "native"), (16, "projected")):
        shown = table[f"example_{resolution}"]["prediction"]
        assert np.isfinite(shown.sel(run="bundled", protocol=protocol)).all()
    shown = table["example_8"]["prediction"].sel(run="bundled", protocol="native")
    np.testing.assert_allclose(
        shown.sel(field="concentration"), forecast["concentration"][0], rtol=1e-5, atol=1e-6
    )
    assert table["flops"].sel(run="bundled") == info.flops / 3
