from __future__ import annotations

import json
import shlex
from pathlib import Path

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
