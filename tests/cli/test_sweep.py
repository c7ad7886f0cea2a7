"""`train --seeds` and `sweep`, through `main`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from pdesurrogate.cli import main
from pdesurrogate.data import generate
from pdesurrogate.surrogate import Surrogate

TRAIN = (
    "train --model MultiResNet --model.width 4 --model.levels 1 --resolution 8 --epochs 1 "
    "--validation_steps 2"
)
NET = {"class_path": "MultiResNet", "init_args": {"width": 4, "levels": 1}}
SWEEP = {
    "resolution": 8,
    "models": {"net": NET},
    "seeds": [0, 1],
    "training": {"epochs": 1, "validation_steps": 2},
}
WILD = {"learning_rate": "1e18", "gradient_clip": None, "warmup": 0.0, "epochs": 2}


class OneConv(nn.Conv2d):
    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__(in_channels, out_channels, size, padding="same")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return generate(
        "kolmogorov",
        tmp_path_factory.mktemp("sweeps") / "data",
        resolutions=[8, 16],
        reference_resolution=16,
        steps_per_frame=16,
        num_frames=6,
        spin_up_frames=0,
        splits={"train": 3, "valid": 1, "test": 0},
        batch_size=3,
        accuracy_trajectories=0,
    ).path


def run(*words: object) -> int:
    return main([str(word) for word in words])


def written(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_seeds_are_runs_of_their_own_with_a_mean(data, tmp_path, capsys):
    train = [*TRAIN.split(), "--data", data, "--out", tmp_path / "net"]
    assert run(*train, "--seeds", "0,2") == 0
    told = capsys.readouterr().out.splitlines()
    infos = [Surrogate.load(tmp_path / f"net/seed-{seed}").info for seed in (0, 2)]
    assert [(info.name, info.seed) for info in infos] == [("net", 0), ("net", 2)]
    assert told[:2] == [
        f"{tmp_path}/net/seed-{seed}: {infos[0].parameters:,} parameters" for seed in (0, 2)
    ]
    errors = [float(row["valid_rollout"]) for row in rows(tmp_path / "net")]
    half = 12.706 * abs(errors[0] - errors[1]) / 2  # of two numbers
    assert told[2].startswith(f"valid_rollout {sum(errors) / 2:.4g} ± {half:.2g}, valid_one_step ")
    assert told[2].endswith(" (mean ± 95% interval over 2 seeds)")

    assert run(*TRAIN.split(), "--data", data, "--seed", 2, "--out", tmp_path / "alone") == 0
    weights = [tmp_path / run / "model.safetensors" for run in ("alone", "net/seed-2")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    capsys.readouterr()

    assert run(*train, "--seeds", "[0, 2, 3]") == 2
    assert (
        "net/seed-0 exists and is not empty: continue it with --resume" in capsys.readouterr().err
    )
    before = weights[1].stat().st_mtime_ns
    assert run(*train, "--seeds", "[0, 2, 3]", "--resume") == 0
    assert weights[1].stat().st_mtime_ns == before
    assert capsys.readouterr().out.endswith("over 3 seeds)\n")


def test_one_seed_has_no_interval(data, tmp_path, capsys):
    assert run(*TRAIN.split(), "--data", data, "--out", tmp_path, "--seeds", "[5]") == 0
    assert capsys.readouterr().out.endswith(" (one seed gives no interval)\n")


def test_a_sweep_is_described_by_a_file_and_continues(data, tmp_path, capsys):
    models = {
        "net": NET,
        "smooth": {
            "class_path": "MultiResNet",
            "init_args": {"width": 4, "levels": 1, "space": {"class_path": "Wavelet"}},
        },
        "plain": {"class_path": "tests.cli.test_sweep.OneConv", "init_args": {"size": 3}},
    }
    settings = {"short": None, "slow": {"learning_rate": "1e-3", "conditioning": []}}
    content = {**SWEEP, "models": models, "settings": settings, "data": str(data)}
    file, out = written(tmp_path / "sweep.yaml", content), tmp_path / "out"
    assert run("sweep", file, "--out", out) == 0
    table = capsys.readouterr().out
    lines = [line.split() for line in table.splitlines()]
    assert [line[:3] for line in lines[1:-1]] == [
        [model, setting, "2"] for model in models for setting in settings
    ]
    assert table.endswith("mean ± 95% interval over the seeds (Student's t)\n")
    assert [(r["model"], r["setting"], r["seed"], r["status"]) for r in rows(out)] == [
        (model, setting, seed, "finished")
        for model in models
        for setting in settings
        for seed in "01"
    ]
    config = yaml.safe_load((out / "smooth_slow/seed-1/config.yaml").read_text())
    assert (config["learning_rate"], config["seed"], config["epochs"]) == (1e-3, 1, 1)
    assert config["model"]["init_args"]["space"]["class_path"] == "Wavelet"
    info = json.loads((out / "plain_short/seed-0/surrogate.json").read_text())
    assert info["model"] == "tests.cli.test_sweep.OneConv"
    assert info["options"] == {"size": 3}

    assert run("sweep", file, "--out", out) == 0
    again = capsys.readouterr()
    assert again.out == table
    assert "epoch" not in again.err


def test_a_failing_run_is_told_when_all_others_are_done(data, tmp_path, capsys):
    content = {**SWEEP, "settings": {"wild": WILD, "tame": {}}}
    file = written(tmp_path / "sweep.yaml", content)
    assert run("sweep", file, "--out", tmp_path / "out", "--data", data) == 2
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[1].split()[:5] == ["net", "wild", "0", "of", "2"]
    assert lines[2].split()[:3] == ["net", "tame", "2"]
    sentence = captured.err.splitlines()[-1]
    assert sentence.startswith(
        "pdesurrogate: 2 of 4 runs failed; the first, net_wild/seed-0: the loss became "
    )
    assert "Traceback" not in captured.err
    assert [row["status"] for row in rows(tmp_path / "out")] == ["failed"] * 2 + ["finished"] * 2


def with_model(**init_args: Any) -> dict[str, Any]:
    return {"models": {"net": NET, "a": {"class_path": "MultiResNet", "init_args": init_args}}}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"modles": {}}, "unknown key 'modles' (did you mean 'models'?)"),
    ({"models": None}, "missing: models"),
    ({"models": ["FNO"]}, "models must hold keys, as `name: value`, got ['FNO']"),
    ({"models": {1: "FNO"}}, "models: the key 1 must be text"),
    ({"models": {"a/b": "FNO"}}, "'a/b' is to be the name of a folder"),
    ({"models": {"a": None}}, "models.a must name a class"),
    ({"models": {"a": "FNOO"}}, "models.a: unknown model 'FNOO' (did you mean 'FNO'?)"),
    ({"models": {"a": "no_such.Net"}}, "models.a: no_such.Net cannot be imported"),
    ({"models": {"a": {"class_path": "FNO", "width": 4}}}, "models.a: unknown key 'width'; known"),
    (with_model(widht=4), "models.a: unknown option 'widht' (did you mean 'width'?)"),
    (with_model(width="x"), "models.a.width must be a whole number, got 'x'"),
    (with_model(width=None), "models.a.width must not be null"),
    (with_model(width=0), "models.a: MultiResNet.width must be at least 1, got 0"),
    (with_model(norm="batch"), "models.a.norm must be one of 'none', 'group', 'layer', 'band'"),
    (with_model(space="Wavelt"), "models.a.space: unknown class 'Wavelt'"),
    (with_model(levels=9), "a: a U-Net with 9 levels cannot coarsen a grid of 8 x 8 points"),
    ({"seeds": None}, "missing: seeds"),
    ({"seeds": ["x"]}, "seeds must be a list of whole numbers"),
    ({"seeds": [0, 0]}, "seeds must name each seed once"),
    ({"resolution": 12}, "resolution 12 is not in kolmogorov; its rungs are 8, 16"),
    ({"resolution": "x"}, "resolution must be a whole number, got 'x'"),
    ({"training": {"epoch": 1}}, "training: unknown key 'epoch' (did you mean 'epochs'?)"),
    ({"training": {"epochs": "x"}}, "training.epochs must be a whole number, got 'x'"),
    ({"training": {"epochs": 0}}, "training: epochs must be at least 1, got 0"),
    ({"training": {"seed": 1}}, "training.seed has no place here"),
    ({"training": [1]}, "training must hold keys"),
    ({"settings": {"a": None, "b": {"epochz": 1}}}, "settings.b: unknown key 'epochz' (did you"),
    ({"settings": {"a": {"epochs": None}}}, "settings.a.epochs must not be null"),
    ({"settings": {"a": None, "b": {"fields": ["vortcity"]}}}, "net_b: unknown field of kolmo"),
    (
        {"settings": {"a": {"learning_rate": 0.1, "min_learning_rate": 0.2}}},
        "settings.a: min_learning_rate 0.2 is above learning_rate 0.1",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_in_the_file_is_told_before_anything_is_trained(
    changes, sentence, data, tmp_path, capsys
):
    file = written(tmp_path / "sweep.yaml", {**SWEEP, **changes})
    assert run("sweep", file, "--out", tmp_path / "out", "--data", data) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sentence in captured.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("sweep", "missing: FILE, --out"),
        ("sweep {file}", "missing: --out"),
        ("sweep {file} --out {new}", "missing: --data, or `data` in {file}"),
        ("sweep {new} --out {new}", "there is no file {new} that describes a sweep"),
        ("sweep {bad} --out {new}", "{bad} is no YAML: "),
        ("sweep {list} --out {new}", "{list} describes no sweep"),
        ("sweep {file} --out {new} --data {new}", "is no dataset"),
        ("sweep {file} --out {new} --data {data} --workers 0", "workers must be at least 1, got 0"),
        ("sweep {file} --out {data} --data {data}", "{data} is not empty and holds none of these"),
        (TRAIN + " --data {data} --out {new} --seed 0 --seeds 0,1", "--seed and --seeds exclude"),
        (TRAIN + " --data {data} --out {new} --seeds 1,1", "seeds must name each seed once"),
        (TRAIN + " --data {data} --out {new} --seeds []", "seeds must name at least one"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_in_one_sentence(
    line, sentence, data, tmp_path, capsys
):
    names = {
        "file": written(tmp_path / "sweep.yaml", SWEEP),
        "new": tmp_path / "new",
        "bad": tmp_path / "bad.yaml",
        "list": tmp_path / "list.yaml",
        "data": data,
    }
    names["bad"].write_text("models: [1")
    names["list"].write_text("- models")
    assert main(line.format(**names).split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sentence.format(**names) in captured.err
    assert not names["new"].exists()
    assert {path.name for path in data.iterdir()} <= {
        "manifest.json",
        "recipe.yaml",
        "train",
        "valid",
        "test",
    }
