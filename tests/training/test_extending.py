"""A finer level on a finished run: exact at first, learning only what it should."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import pdesurrogate as ps
from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation.extensions import extensions_of
from pdesurrogate.evaluation.protocols import Setting, Transported
from pdesurrogate.locks import FolderInUseError, held
from pdesurrogate.models import MultiResNet
from pdesurrogate.surrogate import Extension, Surrogate, load_extension
from pdesurrogate.training import TrainingConfig, extend
from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.run_directory import RunDirectory
from pdesurrogate.transfer import prolong, restrict

BRIEF = TrainingConfig(
    epochs=2, batch_size=4, learning_rate=2e-3, validation_steps=1, validation_windows=2
)


@pytest.fixture(scope="module")
def run(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("extending") / "run"
    config = TrainingConfig(epochs=1, validation_steps=1, validation_windows=2)
    ps.train(MultiResNet(width=4, levels=2), ladder, 16, out, config)
    return out


def band(frames: torch.Tensor, ladder: Ladder) -> torch.Tensor:
    return restrict(frames, ladder.grid(32), ladder.grid(16))


@torch.no_grad()
def test_it_starts_as_transported(run: Path, ladder: Ladder) -> None:
    base = Surrogate.load(run)
    carrier = ladder.equation.carrier(base.info.fields)
    extended = Extension().on(base, ladder.grid(32), carrier)
    window = load_frames(ladder, "test", 32, ("vorticity",))[:, :1]
    setting = Setting(
        ladder.grid(16), ladder.grid(32), base.info.fields, base.info.time_step, carrier=carrier
    )
    expected = Transported().carry(base.step, setting)(window)
    torch.testing.assert_close(extended.step(window), expected, rtol=1e-4, atol=1e-4)


def test_the_resolved_band_stays_and_the_detail_is_learned(run: Path, ladder: Ladder) -> None:
    before = Surrogate.load(run)
    weights = {name: value.clone() for name, value in before.module.state_dict().items()}
    only_detail = Extension(corrects_band=False)
    extended = extend(run, ladder, 32, trajectories=2, extension=only_detail, config=BRIEF)
    assert (run / "extensions/32/metrics.csv").is_file()
    window = load_frames(ladder, "test", 32, ("vorticity",))[:, :1]
    with torch.no_grad():
        after = extended.step(window)
        coarse = before.step(band(window, ladder))
    # Prolongation drops the coarse grid's Nyquist mode.
    expected = band(prolong(coarse, ladder.grid(16), ladder.grid(32)), ladder)
    torch.testing.assert_close(band(after, ladder), expected, rtol=1e-4, atol=1e-4)
    for name, value in Surrogate.load(run).module.state_dict().items():
        assert torch.equal(value, weights[name])
    head = list(extended.module.read_off.parameters())
    assert all(parameter.abs().max() > 0 for parameter in head)
    again = load_extension(
        before, run / "extensions/32", ladder.equation.carrier(before.info.fields)
    )
    with torch.no_grad():
        assert torch.equal(again.step(window), after)


def test_every_new_weight_gets_a_gradient_and_no_old_one(run: Path, ladder: Ladder) -> None:
    base = Surrogate.load(run)
    carrier = ladder.equation.carrier(base.info.fields)
    extended = Extension().on(base, ladder.grid(32), carrier)
    torch.nn.init.normal_(extended.module.read_off.weight)
    frames = load_frames(ladder, "test", 32, ("vorticity",))
    (extended.step(frames[:, :1]) - frames[:, 1:2]).square().mean().backward()
    for name, parameter in extended.module.named_parameters():
        if name.startswith("base."):
            assert parameter.grad is None
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_without_transport_it_starts_as_projected(run: Path, ladder: Ladder) -> None:
    base = Surrogate.load(run)
    extended = Extension(is_transporting=False).on(base, ladder.grid(32), None)
    window = load_frames(ladder, "test", 32, ("vorticity",))[:, :1]
    expected = prolong(base.step(band(window, ladder)), ladder.grid(16), ladder.grid(32))
    torch.testing.assert_close(extended.step(window), expected, rtol=1e-4, atol=1e-4)


def test_evaluate_uses_it_and_says_when_there_is_none(run: Path, ladder: Ladder) -> None:
    if not (run / "extensions/32").is_dir():
        only_detail = Extension(corrects_band=False)
        extend(run, ladder, 32, trajectories=2, extension=only_detail, config=BRIEF)
    table = ps.evaluate([run], ladder, [16, 32], num_steps=2)
    assert list(table["protocol"].values) == ["native", "projected", "transported", "extended"]
    bands = table["in_band_error"].isel(run=0).sel(resolution=32)
    torch.testing.assert_close(
        torch.tensor(bands.sel(protocol="extended").values[:, 0]),
        torch.tensor(bands.sel(protocol="projected").values[:, 0]),
        rtol=1e-3,
        atol=1e-4,
    )
    surrogate = Surrogate.load(run)
    with pytest.raises(ValueError, match=r"extended cannot be used.*pdesurrogate extend RUN"):
        ps.evaluate([surrogate], ladder, [16, 32], ["extended"], num_steps=2)


def test_mistakes_are_told_in_a_sentence(run: Path, ladder: Ladder) -> None:
    with pytest.raises(ValueError, match="finer than its own, 16, not to 16"):
        extend(run, ladder, 16, config=BRIEF, overwrite=True)
    with pytest.raises(ValueError, match="trajectories must lie between 1 and 4"):
        extend(run, ladder, 32, trajectories=9, config=BRIEF, overwrite=True)
    with pytest.raises(ValueError, match="resolution 64"):
        extend(run, ladder, 64, config=BRIEF, overwrite=True)


def test_replacing_a_run_removes_its_extensions(run: Path, ladder: Ladder, tmp_path: Path) -> None:
    """They extend weights that are no more: to find them later would only be refused."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    if not (copy / "extensions/32").is_dir():
        extend(copy, ladder, 32, trajectories=1, config=BRIEF)
    config = TrainingConfig(epochs=1, validation_steps=1, validation_windows=2, seed=1)
    ps.train(MultiResNet(width=4, levels=2), ladder, 16, copy, config, overwrite=True)
    assert not (copy / "extensions").exists()
    table = ps.evaluate([copy], ladder, [16, 32], num_steps=1)
    assert "extended" not in table["protocol"].values


def test_a_run_and_its_extensions_are_trained_by_one_process_at_a_time(
    run: Path, ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever replaced the run meanwhile would replace what is extended."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    with held(copy), pytest.raises(FolderInUseError, match="run is in use by another process"):
        extend(copy, ladder, 32, trajectories=1, config=BRIEF, overwrite=True)
    refused, weights = [], (copy / "model.safetensors").read_bytes()
    write_metrics = RunDirectory.write_metrics

    def replace_the_run(directory: RunDirectory, rows: Sequence[EpochMetrics]) -> None:
        write_metrics(directory, rows)
        with pytest.raises(FolderInUseError):
            ps.train(MultiResNet(width=4, levels=2), ladder, 16, copy, BRIEF, overwrite=True)
        refused.append(directory.path.name)

    monkeypatch.setattr(RunDirectory, "write_metrics", replace_the_run)
    extend(copy, ladder, 32, trajectories=1, config=BRIEF, overwrite=True)
    assert refused == ["32", "32"]
    assert (copy / "model.safetensors").read_bytes() == weights


def test_an_extension_of_other_weights_is_refused(
    run: Path, ladder: Ladder, tmp_path: Path
) -> None:
    base = Surrogate.load(run)
    carrier = ladder.equation.carrier(base.info.fields)
    Extension(width=4).on(base, ladder.grid(32), carrier).save(tmp_path)
    other = Surrogate.untrained(base.info, seed=5)
    with pytest.raises(ValueError, match="extends other weights than those of run"):
        load_extension(other, tmp_path, carrier)
    with pytest.raises(ValueError, match="describes a MultiResNet, not an extension"):
        load_extension(base, run, carrier)


def test_an_extension_in_the_folder_of_another_grid_is_refused(
    run: Path, ladder: Ladder, tmp_path: Path
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(run, copied)
    brief = replace(BRIEF, epochs=1)
    extend(copied, ladder, 32, trajectories=1, config=brief, overwrite=True)
    (copied / "extensions/32").rename(copied / "extensions/64")
    surrogate = Surrogate.load(copied)
    with pytest.raises(ValueError, match="64 holds the extension to 32"):
        extensions_of(surrogate, copied, ladder, (64,), "cpu")


def test_an_extension_of_a_run_that_went_on_is_not_taken_for_finished(
    run: Path, ladder: Ladder, tmp_path: Path
) -> None:
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    extend(copied, ladder, 32, trajectories=1, config=BRIEF, overwrite=True)
    extend(copied, ladder, 32, trajectories=1, config=BRIEF, resume=True)
    surrogate = Surrogate.load(copied)
    with torch.no_grad():
        next(surrogate.module.parameters()).add_(0.1)
    surrogate.save(copied)
    with pytest.raises(ValueError, match=r"32 was trained with weights_of_the_run '\w+', not"):
        extend(copied, ladder, 32, trajectories=1, config=BRIEF, resume=True)
