from __future__ import annotations

import json
import linecache
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pdesurrogate as ps
from pdesurrogate.cli import main
from pdesurrogate.cli.origins import extensions_before
from pdesurrogate.models import MultiResNet
from pdesurrogate.training import TrainingConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset and a run."""
    here = tmp_path_factory.mktemp("extend")
    data = ps.generate(
        "kolmogorov",
        here / "data",
        workers=1,
        resolutions=[8, 16],
        reference_resolution=24,
        steps_per_frame=8,
        num_frames=5,
        spin_up_frames=1,
        splits={"train": 3, "valid": 1, "test": 1},
        accuracy_trajectories=0,
    )
    config = TrainingConfig(epochs=1, validation_steps=1, validation_windows=1)
    ps.train(MultiResNet(width=4, levels=1), data, 8, here / "run", config)
    return here


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_the_lines_of_an_evaluation_tell_how_runs_were_extended(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the line that is told extends the run again to the same bits."""
    data, trained = folder / "data", folder / "run"
    wanted = ["--trajectories", 2, "--epochs", 1, "--width", 4, "--corrects_band", "false"]
    assert run("extend", trained, "--data", data, "--resolutions", "16", *wanted) == 0
    evaluate = ["evaluate", trained, "--data", data, "--resolutions", "8,16", "--num_steps", 1]
    assert run(*evaluate, "--equal_cost", "false", "--out", folder / "eval.nc") == 0
    lines = json.loads(xr.load_dataset(folder / "eval.nc").attrs["commands"])
    assert [line.split()[1] for line in lines] == ["generate", "train", "extend", "evaluate"]
    weights = trained / "extensions/16/model.safetensors"
    before = weights.read_bytes()
    assert main([*shlex.split(lines[2])[1:], "--overwrite"]) == 0
    assert weights.read_bytes() == before
    told = " ".join(extensions_before(str(data), [str(trained)], [16])[0])
    assert told.endswith("--trajectories 2 --epochs 1 --width 4 --corrects_band false")
    capsys.readouterr()
    assert run("info", trained / "extensions/16") == 0
    words = capsys.readouterr().out
    assert words.startswith("kind          extension\n")
    assert "16 x 16 points" in words
    assert run("info", trained / "extensions/16", "--json") == 0
    assert json.loads(capsys.readouterr().out)["options"]["width"] == 4


def test_without_the_protocol_no_extension_is_told(folder: Path) -> None:
    words = ["evaluate", folder / "run", "--data", folder / "data", "--resolutions", "8,16"]
    words += ["--protocols", "[projected]", "--num_steps", 1, "--out", folder / "projected.nc"]
    assert run(*words) == 0
    lines = json.loads(xr.load_dataset(folder / "projected.nc").attrs["commands"])
    assert [line.split()[1] for line in lines] == ["generate", "train", "evaluate"]


def test_a_damaged_extension_is_not_described_as_a_sound_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_again, data = tmp_path / "run", folder / "data"
    shutil.copytree(folder / "run", run_again, ignore=shutil.ignore_patterns("extensions"))
    wanted = ["--trajectories", 1, "--epochs", 1, "--width", 4]
    assert run("extend", run_again, "--data", data, "--resolutions", "16", *wanted) == 0
    weights = run_again / "extensions/16/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:10])
    capsys.readouterr()
    assert run("info", weights.parent) == 2
    assert "model.safetensors is damaged" in capsys.readouterr().err


OWN = """
from dataclasses import dataclass
from pdesurrogate.evaluation.protocols import Projected

@dataclass(frozen=True)
class Scaled(Projected):
    def carry(self, step, setting):
        carried = super().carry(step, setting)
        return lambda window: FACTOR * carried(window)

@dataclass(frozen=True)
class Reasoning(Projected):
    def reason_against(self, setting):
        return {}["missing"]
"""


def test_a_protocol_of_the_users_own_goes_to_finer_grids_in_processes(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And what an earlier version of it did is not taken for what it does now."""
    module, out = tmp_path / "own_scaled.py", tmp_path / "eval.nc"
    monkeypatch.syspath_prepend(str(tmp_path))
    module.write_text(OWN.replace("FACTOR", "0.5"))
    words = ["evaluate", folder / "run", "--data", folder / "data", "--resolutions", "8,16"]
    words += ["--protocols", "[projected, own_scaled.Scaled]", "--num_steps", 1, "--out", out]
    words += ["--equal_cost", "false"]
    assert run(*words, "--workers", 2) == 0
    with xr.open_dataset(out) as table:
        mean = table["mean_square"].sel(run="run", resolution=16)[..., 0, 0]
        ratio = mean.sel(protocol="scaled") / mean.sel(protocol="projected")
        np.testing.assert_allclose(ratio, 0.25, rtol=1e-4)

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pdesurrogate.evaluation.resolution_transfer.Assembly", interrupt)
        out.unlink()
        assert run(*words) == 130
    module.write_text(OWN.replace("FACTOR", "2.0"))
    monkeypatch.delitem(sys.modules, "own_scaled")
    linecache.clearcache()
    capsys.readouterr()
    assert run(*words) == 2
    assert "other settings (protocols" in capsys.readouterr().err


def test_a_protocol_that_breaks_while_it_is_asked_whether_it_goes_is_told_as_theirs(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_reasoning.py").write_text(OWN.replace("FACTOR", "1.0"))
    words = ["evaluate", folder / "run", "--data", folder / "data", "--resolutions", "8,16"]
    words += ["--protocols", "[own_reasoning.Reasoning]", "--out", tmp_path / "eval.nc"]
    assert run(*words) == 2
    assert "own_reasoning.Reasoning raises KeyError: 'missing'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--resolutions 8", "finer than its own, 8, not to 8"),
        ("--resolutions 32", "resolution 32 is not in kolmogorov"),
        ("--resolutions 16 --trajectories 7", "trajectories must lie between 1 and 3"),
        ("--resolutions 16 --width 0", "width of an extension must be at least 1"),
    ],
)
def test_mistakes_are_told_in_one_sentence(
    folder: Path, words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["extend", folder / "run", "--data", folder / "data", "--overwrite"]
    assert run(*common, *words.split()) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert len(told.splitlines()) == 1
