"""Training in steps of several stored frames, from the windows to the evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

from pdesurrogate.data import Ladder, field_statistics, load_frames
from pdesurrogate.evaluation import evaluate
from pdesurrogate.models import MultiResNet
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import TrainingConfig, preparation, train
from tests.training.test_trainer import Noisy, crash, in_step, weights

CPU = torch.device("cpu")
SPEC = MultiResNet(width=4, levels=1)
CONFIG = TrainingConfig(epochs=2, batch_size=6, validation_steps=2, frame_stride=2)


@pytest.fixture(scope="module")
def run(flow: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of stride 2."""
    out = tmp_path_factory.mktemp("runs") / "every second"
    train(SPEC, flow, 8, out, CONFIG)
    return out


def test_a_run_knows_its_step(flow: Ladder, run: Path, tmp_path: Path) -> None:
    info = Surrogate.load(run).info
    assert info.time_step == 2 * flow.time_step
    assert info.statistics == field_statistics(flow.strided(2), 8, ("vorticity",))
    assert yaml.safe_load((run / "config.yaml").read_text())["frame_stride"] == 2
    other = train(SPEC, flow, 8, tmp_path / "every", replace(CONFIG, frame_stride=1))
    assert other.info.settings != info.settings
    assert other.info.time_step == flow.time_step


def test_windows_begin_at_every_stored_frame(flow: Ladder, monkeypatch: pytest.MonkeyPatch) -> None:
    config = preparation.completed(replace(CONFIG, history=2), SPEC, flow.strided(2))
    frames = load_frames(flow, "train", 8, ("vorticity",))
    expected = torch.stack([f[k : k + 5 : 2] for f in frames for k in range(4)])
    for limit in (preparation.IN_MEMORY_BYTES, 0):
        monkeypatch.setattr(preparation, "IN_MEMORY_BYTES", limit)
        source = preparation.window_source(flow.strided(2), 8, config, CPU)
        assert len(source) == 4 * 4
        assert torch.equal(next(source.read([torch.arange(16)])), expected)


def test_validation_rollouts_share_no_frame_and_begin_at_the_first(flow: Ladder) -> None:
    config = preparation.completed(replace(CONFIG, validation_steps=1), SPEC, flow.strided(2))
    held = preparation.rollout_validation(flow.strided(2), 8, config, CPU).windows
    frames = load_frames(flow, "valid", 8, ("vorticity",))
    expected = torch.stack([f[[k, k + 2]] for f in frames for k in (0, 4)])
    assert torch.equal(held, expected)


@pytest.mark.parametrize("number", [1, 4, 6])
def test_a_resumed_training_ends_with_the_same_bits(
    number: int, flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = train(Noisy(), flow, 8, tmp_path / "undisturbed", CONFIG)
    with monkeypatch.context() as patch:
        in_step(patch, number, crash)
        with pytest.raises(RuntimeError, match="power cut"):
            train(Noisy(), flow, 8, tmp_path / "cut", CONFIG)
    with pytest.raises(ValueError, match="was trained with frame_stride 2, not 1"):
        train(Noisy(), flow, 8, tmp_path / "cut", replace(CONFIG, frame_stride=1), resume=True)
    monkeypatch.setattr(preparation, "IN_MEMORY_BYTES", 0)  # nor does it matter where they lie
    resumed = train(Noisy(), flow, 8, tmp_path / "cut", CONFIG, resume=True)
    assert torch.equal(weights(resumed), weights(undisturbed))


def test_runs_of_before_there_were_strides_are_resumed(flow: Ladder, tmp_path: Path) -> None:
    config = replace(CONFIG, frame_stride=1)
    first = train(SPEC, flow, 8, tmp_path, config)
    settings = tmp_path / "config.yaml"
    settings.write_text(settings.read_text().replace("frame_stride: 1\n", ""))
    assert torch.equal(weights(train(SPEC, flow, 8, tmp_path, config, resume=True)), weights(first))


def test_a_view_may_be_trained_on(flow: Ladder, run: Path, tmp_path: Path) -> None:
    """Its stride is written down, so that the configuration repeats the run."""
    viewed = train(SPEC, flow.strided(2), 8, tmp_path, replace(CONFIG, frame_stride=1))
    assert torch.equal(weights(viewed), weights(Surrogate.load(run)))
    assert (tmp_path / "config.yaml").read_text() == (run / "config.yaml").read_text()


def test_rollouts_take_frames_of_its_step_only(flow: Ladder, run: Path) -> None:
    surrogate = Surrogate.load(run)
    forecast = surrogate.rollout(flow.strided(2).test[8].isel(time=slice(0, 2)), 2)
    np.testing.assert_allclose(forecast["time"], flow.test[8]["time"][[4, 6]])
    with pytest.raises(ValueError, match=r"the surrogate steps by .* frames given are"):
        surrogate.rollout(flow.test[8].isel(time=slice(0, 2)), 2)


def test_the_evaluation_takes_the_step_of_the_runs(flow: Ladder, run: Path) -> None:
    table = evaluate([run], flow, [8, 16])
    np.testing.assert_allclose(table.lead_time, flow.time_step * np.array([2, 4, 6]))
    assert table.attrs["frame_stride"] == 2
    xr.testing.assert_equal(table["nrmse"], evaluate([run], flow.strided(2), [8, 16])["nrmse"])
    truth = flow.test[16].vorticity.astype(float)
    error = ((truth[:, 0] - truth[:, [2, 4, 6]]) ** 2).mean(("y", "x"))
    expected = np.sqrt(error / (truth[:, [2, 4, 6]] ** 2).mean(("y", "x")))
    persistence = table["nrmse"].sel(run="persistence", protocol="native", field="vorticity")
    np.testing.assert_allclose(persistence.sel(resolution=16), expected, rtol=1e-5)


def test_runs_of_different_steps_are_evaluated_apart(
    flow: Ladder, run: Path, tmp_path: Path
) -> None:
    every = train(SPEC, flow, 8, tmp_path / "every", replace(CONFIG, frame_stride=1, epochs=1))
    step, twice = f"{flow.time_step:g}", f"{2 * flow.time_step:g}"
    sentence = f"every steps by {step} in time, every second by {twice}: runs of different time"
    with pytest.raises(ValueError, match=sentence):
        evaluate([every, run], flow, [8])
    with pytest.raises(ValueError, match=f"every steps by {step} .* no multiple of {twice}"):
        evaluate([every], flow.strided(2), [8])


def test_what_does_not_fit_names_the_stride(flow: Ladder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"3 frames, those of .* have 2 at frame_stride 4"):
        train(SPEC, flow, 8, tmp_path / "run", replace(CONFIG, frame_stride=4))
    with pytest.raises(ValueError, match="frame_stride must lie between 1 and 7, got 8"):
        train(SPEC, flow, 8, tmp_path / "run", replace(CONFIG, frame_stride=8))
    assert not (tmp_path / "run").exists()
