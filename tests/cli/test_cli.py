"""Every command through `main`, and what crosses the process's border through the real script."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from torch import nn

from pdesurrogate.cli import main
from pdesurrogate.data import Ladder, open_dataset
from pdesurrogate.evaluation import open_evaluation
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import FiLM, MultiResNet, count_flops, count_parameters
from pdesurrogate.models.part import parts_to_plain

SCRIPT = Path(sys.executable).with_name("pdesurrogate")
TINY = [
    word
    for option, value in {
        "resolutions": "8,16",
        "reference_resolution": 16,
        "steps_per_frame": 16,
        "num_frames": 6,
        "spin_up_frames": 0,
        "splits.train": 3,
        "splits.valid": 1,
        "splits.test": 2,
        "batch_size": 3,
        "accuracy_trajectories": 0,
        "workers": 1,
    }.items()
    for word in (f"--{option}", str(value))
]
TRAIN = "--model MultiResNet --model.width 4 --model.levels 1 --epochs 1 --validation_steps 2"


class OneConv(nn.Conv2d):
    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__(in_channels, out_channels, size, padding="same")


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, a run, an evaluation and a report, made by the commands."""
    torch.set_num_threads(1)
    here = tmp_path_factory.mktemp("journey")
    assert run("generate", "kolmogorov", "--out", here / "data", *TINY) == 0
    train = ["train", "--data", here / "data", "--resolution", 8, "--out", here / "run"]
    assert run(*train, *TRAIN.split()) == 0
    evaluate = ["evaluate", here / "run", "--data", here / "data", "--resolutions", "8,16"]
    evaluate += ["--equal_cost", "false"]  # which would depend on the machine's mood
    assert run(*evaluate, "--protocols", "[native, projected]", "--out", here / "eval.nc") == 0
    assert run("report", here / "eval.nc", "--out", here / "report.html") == 0
    return here


def test_generate_writes_what_the_options_ask_for(journey):
    data = open_dataset(journey / "data")
    assert isinstance(data, Ladder)
    assert data.resolutions == (8, 16)
    assert [data.num_trajectories(split) for split in ("train", "valid", "test")] == [3, 1, 2]
    assert data.num_frames == 6


def test_a_nested_field_can_be_overridden(tmp_path):
    options = ["--equation.viscosity", "5e-3", "--equation.forcing.wavenumber", "2"]
    assert run("generate", "kolmogorov", "--out", tmp_path / "d", *TINY, *options) == 0
    recipe = open_dataset(tmp_path / "d").recipe
    assert recipe.equation.viscosity == 5e-3
    assert recipe.equation.forcing.wavenumber == 2
    assert recipe.equation.drag == 0.1


def test_the_run_holds_what_was_promised(journey):
    for name in ("config.yaml", "model.safetensors", "surrogate.json", "metrics.csv", "checkpoint"):
        assert (journey / "run" / name).exists()
    config = yaml.safe_load((journey / "run" / "config.yaml").read_text())
    assert config["epochs"] == 1
    assert config["model"]["init_args"]["width"] == 4


def test_a_space_is_chosen_with_its_options_and_stored(journey, tmp_path):
    train = ["train", "--data", journey / "data", "--resolution", 8, *TRAIN.split()]
    space = ["--model.space", "Wavelet", "--model.space.family", "db2", "--model.details", "true"]
    assert run(*train, *space, "--out", tmp_path / "run") == 0
    again = ["--config", tmp_path / "run" / "config.yaml", "--out", tmp_path / "again"]
    assert run("train", *again) == 0
    for out in ("run", "again"):
        options = json.loads((tmp_path / out / "surrogate.json").read_text())["options"]
        assert options["details"] is True
        assert options["space"] == {
            "class_path": "Wavelet",
            "init_args": {"family": "db2", "boundary": "grid"},
        }
    evaluate = ["evaluate", tmp_path / "again", "--data", journey / "data"]
    assert run(*evaluate, "--resolutions", "8,16", "--out", tmp_path / "eval.nc") == 0


def test_a_runs_configuration_trains_it_again(journey, tmp_path):
    config = journey / "run" / "config.yaml"
    assert run("train", "--config", config, "--out", tmp_path / "again") == 0
    weights = [
        (p / "model.safetensors").read_bytes() for p in (journey / "run", tmp_path / "again")
    ]
    assert weights[0] == weights[1]


def test_the_evaluation_opens_with_plain_xarray_and_says_how_it_was_made(journey):
    table = xr.load_dataset(journey / "eval.nc")
    assert {"run", "protocol", "resolution", "trajectory", "lead_time", "field"} <= set(table.dims)
    assert "persistence" in table["run"].values
    commands = json.loads(table.attrs["commands"])
    assert [line.split()[1] for line in commands] == ["generate", "train", "evaluate"]


def test_the_commands_of_an_evaluation_reproduce_it(journey, tmp_path):
    commands = json.loads(xr.load_dataset(journey / "eval.nc").attrs["commands"])
    evaluate = commands[-1].replace(str(journey / "eval.nc"), str(tmp_path / "again.nc"))
    import shlex

    assert main(shlex.split(evaluate)[1:]) == 0
    before, after = (xr.load_dataset(p) for p in (journey / "eval.nc", tmp_path / "again.nc"))
    xr.testing.assert_identical(before["nrmse"], after["nrmse"])


@pytest.mark.parametrize("what", ["data", "run", "eval.nc"])
def test_info_describes_everything(journey, what, capsys):
    assert run("info", journey / what) == 0
    text = capsys.readouterr().out
    assert "kind" in text
    assert max(map(len, text.splitlines())) < 300
    assert run("info", journey / what, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == {"data": "dataset", "run": "run", "eval.nc": "evaluation"}[what]


def test_the_scaling_limit_is_measured_described_and_reported(journey, tmp_path, capsys):
    out, page = tmp_path / "scaling.nc", tmp_path / "report.html"
    scaling = ["scaling", journey / "run", "--data", journey / "data", "--resolutions", "8,16"]
    few = ["--num_starts", 2, "--random_seeds", 1, "--num_trajectories", 1]
    assert run(*scaling, *few, "--out", out) == 0
    assert capsys.readouterr().out.strip() == str(out)
    table = xr.load_dataset(out)  # netCDF cannot open a file again and again while it is open
    assert dict(table.sizes)["run"] == 3  # trained, untrained, solver
    assert (table["commutation_error"].sel(resolution=8) > 0).all()
    lines = json.loads(table.attrs["commands"])
    assert [line.split()[1] for line in lines] == ["generate", "train", "scaling"]
    assert lines[-1].endswith("--num_trajectories 1 --num_starts 2 --random_seeds 1")
    assert run("info", out) == 0
    assert "Scaling limit on kolmogorov" in capsys.readouterr().out
    assert run("info", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "scaling"
    assert run("report", journey / "eval.nc", out, "--out", page) == 0
    assert 'id="scaling"' in page.read_text("utf-8")
    assert run(*scaling, "--out", out) == 2
    assert "give --overwrite" in capsys.readouterr().err


def test_info_verifies_checksums(journey, capsys):
    assert run("info", journey / "data", "--verify") == 0


def test_find_rate_prints_a_table_and_a_suggestion(journey, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = "find-rate --model MultiResNet --model.width 4 --model.levels 1 --validation_steps 2"
    data = ["--data", journey / "data", "--resolution", 8, "--batch_size", 3]
    assert run(*line.split(), *data, "--steps", 30, "--lowest", 1e-4) == 0
    *table, suggestion = capsys.readouterr().out.splitlines()
    assert "1.00e-04" in table[4]
    assert all(row.count("│") == 4 for row in table[4:-1])
    option, value = suggestion.split()
    assert option == "--learning_rate"
    assert 1e-5 < float(value) < 0.1
    assert list(tmp_path.iterdir()) == []
    assert run(*line.split(), *data, "--steps", 3) == 2
    assert "steps must be at least 20, got 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("datasets", "kolmogorov"),
        ("models", "MultiResNet"),
        ("metrics", "nrmse"),
        ("protocols", "projected"),
        ("objectives", "Unrolled"),
        ("losses", "MeanSquare"),
    ],
)
def test_list_names_what_can_be_named(what, name, capsys):
    assert run("list", what) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert len(rows[name]) > 10


COUNT = (
    *("count", "--model", "MultiResNet", "--model.levels", 2, "--model.width", 6),
    *("--resolution", 16, "--in_channels", 2, "--out_channels", 1),
)


def test_count_says_what_a_model_costs(capsys):
    assert run(*COUNT, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    network = MultiResNet(width=6, levels=2).build(2, 1, PeriodicBox((16, 16)))
    assert facts["parameters"] == count_parameters(network)
    assert facts["flops"] == count_flops(network, 2, PeriodicBox((16, 16)))
    assert facts["options"]["width"] == 6
    assert run(*COUNT) == 0
    assert f"parameters            {count_parameters(network):,}\n" in capsys.readouterr().out


def test_count_takes_a_network_that_parameters_modulate(capsys):
    film = ("--model.film", "FiLM", "--model.film.hidden", 8, "--json")
    size = ("--target", "parameters", "--value", 30_000)
    assert run(*COUNT, *film) == 0
    one = json.loads(capsys.readouterr().out)["parameters"]
    spec = MultiResNet(width=6, levels=2, film=FiLM(8))
    assert one == count_parameters(spec.build_conditioned(2, 1, PeriodicBox((16, 16)), (1,)))
    assert run(*COUNT, *film, *size) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == pytest.approx(30_000, rel=0.1)
    assert run(*COUNT, *film, "--in_channels", 3, "--parameter_channels", 2) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == one + 8


def test_count_takes_a_network_of_ones_own(capsys):
    count = ("count", "--model", "tests.cli.test_cli.OneConv", "--model.size", 3)
    rest = ("--resolution", 16, "--in_channels", 2, "--out_channels", 1)
    assert run(*count, *rest) == 0
    words = capsys.readouterr().out
    assert "tests.cli.test_cli.OneConv" in words
    assert re.search(r"^size +3$", words, re.MULTILINE)


def test_count_finds_the_width(capsys):
    assert run(*COUNT, "--target", "parameters", "--value", 30_000, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["options"] == {
        **parts_to_plain(MultiResNet(levels=2)),
        "width": facts["options"]["width"],
    }
    assert facts["parameters"] == pytest.approx(30_000, rel=0.1)


def test_print_config_shows_the_whole_recipe(capsys):
    with pytest.raises(SystemExit) as stop:
        run(
            "generate", "fno_forced", "--out", "x", "--equation.viscosity", "1e-5", "--print_config"
        )
    assert stop.value.code == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["equation"]["init_args"]["viscosity"] == 1e-5
    assert shown["resolutions"] == [32, 64, 128]


def test_generate_takes_back_what_it_printed(capsys, tmp_path):
    with pytest.raises(SystemExit):
        run("generate", "kolmogorov", "--out", tmp_path / "data", *TINY, "--print_config")
    (tmp_path / "printed.yaml").write_text(capsys.readouterr().out)
    assert run("generate", "--config", tmp_path / "printed.yaml") == 0
    assert open_dataset(tmp_path / "data").name == "kolmogorov"


MISTAKES = [
    (
        "generate williamson_2 --out {new} --resolutions 16 --reference_resolution 16 "
        "--accuracy_trajectories 0 --frame_interval 86400 --steps_per_frame 1",
        "1.92e+04 s are stable; take at least 5 steps_per_frame",
    ),
    ("generate kolmogorof --out {new}", "unknown recipe 'kolmogorof' (did you mean 'kolmogorov'?)"),
    ("generate nowhere.yaml --out {new}", "there is no recipe file nowhere.yaml"),
    ("generate kolmogorov", "missing: --out"),
    ("generate kolmogorov --out {new} --sed 1", "unknown option '--sed' (did you mean '--seed'?)"),
    ("generate kolmogorov --out {new} --seed x", "--seed must be a whole number, got 'x'"),
    ("generate kolmogorov --out {new} --resolutions 32,x", "--resolutions must be a list of"),
    ("generate kolmogorov --out {new} --domain_extent x", "--domain_extent must be two lengths"),
    ("count --model FNO --resolution 8 --target x", "--target must be parameters or flops"),
    (
        "generate kolmogorov --out {new} --equation.forcing.wavenumber 0",
        "the forcing's wavenumber must be at least 1, got 0",
    ),
    (
        "generate kolmogorov --out {new} --equation.forcing.wavenumbr 2",
        "unknown option 'wavenumbr' (did you mean 'wavenumber'?)",
    ),
    (
        "generate cylinder_wake --out {new} --equation.obstacle Cylindr",
        "--equation.obstacle: unknown class 'Cylindr' (did you mean 'Cylinder'?)",
    ),
    (
        "generate cylinder_wake --out {new} --resolutions 48,128",
        "128 x 256 cells do not fill 48 x 96 cells evenly",
    ),
    (
        "generate buoyant_smoke_pdearena --out {new} --reference_resolution 256",
        "the largest stable step is 0.390625; take at least 16 steps_per_frame",
    ),
    (
        "generate kolmogorov --out {new} --equation.viscosty 1",
        "--equation: unknown option 'viscosty' (did you mean 'viscosity'?)",
    ),
    (
        "generate kolmogorov --out {new} --equation.viscosity -1",
        "viscosity must be finite and not negative",
    ),
    ("generate kolmogorov --out {new} --device gpu", "device must be cpu, cuda or cuda:N"),
    ("evaluate {run} --data {data} --resolutions 8 --device gpu --out {new}", "device must be"),
    ("generate kolmogorov --out {new} --domain_extent 0,1", "must be two positive lengths"),
    ("evaluate {run} --data {data} --resolutions 8 --protocols native,native --out {new}", "twice"),
    ("generate", "missing: RECIPE"),
    ("train --data {data} --resolution 8 --model FNO --out {new} --fields 3", "--fields must be a"),
    ("train --data {new} --resolution 8 --model FNO --out {new}", "there is no dataset"),
    ("generate kolmogorov --out {new} --workers abc", "--workers must be a whole number or null"),
    ("generate kolmogorov --out {new} --equation.forcing.wavenumber 100", "is not resolved by"),
    ("demo --out {new} --epochs 0", "epochs must be at least 1, got 0"),
    ("demo --out {run}", "is not empty and holds no demo"),
    ("train --data {data} --resolution 8 --out {data} --overwrite " + TRAIN, "holds no run"),
    (
        "train --data {data} --model ResidualUNet --model.levels 9 --resolution 8 --out {new} "
        "--validation_steps 2",
        "nearest that works: 512 x 512",
    ),
    (
        "train --data {data} --model MultiResNet --model.space Wavelet --model.space.family dbb2 "
        "--resolution 8 --out {new}",
        "did you mean 'db2'",
    ),
    ("generate kolmogorov --out {new} --workers 0", "workers must be at least 1, got 0"),
    ("generate decaying_turbulence --out {data}", "holds another dataset"),
    ("generate kolmogorov --out {run}", "exists and is no dataset"),
    ("train --data {data} --resolution 8 --out {new}", "missing: --model"),
    (
        "train --data {data} --model MultiResnet --resolution 8 --out {new}",
        "unknown model 'MultiResnet' (did you mean 'MultiResNet'?)",
    ),
    (
        "train --data {data} --model FNO --model.widht 8 --resolution 8 --out {new}",
        "--model: unknown option 'widht' (did you mean 'width'?)",
    ),
    (
        "train --data {data} --model FNO --model.norm batch --resolution 8 --out {new}",
        "--model.norm must be one of 'none', 'instance', 'group', got 'batch'",
    ),
    (
        "train --data {data} --model FNO --resolution 12 --out {new}",
        "resolution 12 is not in kolmogorov; its rungs are 8, 16",
    ),
    (
        "train --data {data} --model FNO --validation_steps 2 --resolution 8 --out {new}",
        "a grid of 8 x 8 points is too coarse for an FNO of 12 modes",
    ),
    (
        "train --data {data} --model MultiResNet --fields vortcity --resolution 8 --out {new}",
        "(did you mean 'vorticity'?)",
    ),
    (
        "train --data {data} --resolution 8 --out {new} --frame_stride 0 " + TRAIN,
        "frame_stride must be at least 1, got 0",
    ),
    (
        "train --data {data} --resolution 8 --out {new} --frame_stride 6 " + TRAIN,
        "frame_stride must lie between 1 and 5, got 6: the trajectories of",
    ),
    (
        "train --data {data} --resolution 8 --out {new} --frame_stride 4 " + TRAIN,
        "validation_steps 2 need trajectories of 3 frames, those of",
    ),
    ("train --data {new} --model FNO --resolution 8 --out {new}", "is no dataset"),
    ("train --data {data} --resolution 8 --out {run} " + TRAIN, "--resume or"),
    ("evaluate {run} --data {data} --resolutions 8,32 --out {new}", "resolution 32"),
    ("evaluate {run} --data {data} --resolutions 8 --protocols natve --out {new}", "'native'"),
    ("evaluate {new} --data {data} --resolutions 8 --out {new}", "{new}"),
    ("evaluate {run} --data {data} --resolutions 8 --out {eval}", "exists; give --overwrite"),
    ("report {new} --out {new}.html", "{new}"),
    ("report {run}/metrics.csv --out {new}.html", "metrics.csv"),
    ("report {eval} --out {report}", "--overwrite"),
    ("info {new}", "there is nothing at {new}"),
    ("info {run}/checkpoint", "is no dataset, finished run, extension or evaluation"),
    (
        "list model",
        "WHAT must be one of 'datasets', 'models', 'metrics', 'protocols', 'objectives', "
        "'losses', got 'model'",
    ),
    ("trian", "unknown command 'trian' (did you mean 'train'?)"),
    (
        "count --model MultiResnet --resolution 8 --in_channels 1 --out_channels 1",
        "unknown model 'MultiResnet' (did you mean 'MultiResNet'?)",
    ),
    ("count --model MultiResNet --resolution 8 --in_channels 1", "missing: --out_channels"),
    (
        "count --model MultiResNet --resolution 8 --in_channels 0 --out_channels 1",
        "--in_channels and --out_channels must be at least 1, got 0 and 1",
    ),
    (
        "count --model MultiResNet --resolution 8 --in_channels 1 --out_channels 1 --value 1000",
        "--target and --value go together",
    ),
    (
        "count --model MultiResNet --resolution 8 --in_channels 1 --out_channels 1 --value 100 "
        "--target parameters",
        "MultiResNet has at least 996 parameters with these options, at width 1",
    ),
    (
        "count --model MultiResNet --resolution 8 --in_channels 1 --out_channels 1 --value 100 "
        "--target layers",
        "--target must be",
    ),
    (
        "",
        "give a command: demo, list, generate, check-model, count, find-rate, train, sweep, "
        "extend, evaluate, scaling, report, info",
    ),
    ("check-model", "missing: --model"),
    ("check-model MultiResNot", "unknown model 'MultiResNot'"),
    ("check-model DilatedResNet --model.film FiLM", "there is no option 'film' here"),
    ("check-model no_such.Net", "no_such.Net cannot be imported"),
]


@pytest.mark.parametrize(("line", "sentence"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_told_in_one_sentence(line, sentence, journey, tmp_path, capsys):
    names = {
        "new": tmp_path / "new",
        "data": journey / "data",
        "run": journey / "run",
        "eval": journey / "eval.nc",
        "report": journey / "report.html",
    }
    assert main(line.format(**names).split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("pdesurrogate: ")
    assert sentence.format(**names) in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "new").exists()


def test_a_fault_of_ours_shows_its_traceback(monkeypatch, capsys):
    from pdesurrogate.cli import commands

    for fault in (lambda *a, **k: 1 / 0, lambda *a, **k: int("not a number")):
        monkeypatch.setattr(commands, "describe", fault)
        assert main(["info", "."]) == 1
        assert "Traceback" in capsys.readouterr().err


def test_the_script_prints_only_the_result(journey, tmp_path):
    done = subprocess.run(
        [SCRIPT, "generate", "kolmogorov", "--out", tmp_path / "data", *TINY],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout == f"{tmp_path / 'data'}\n"
    assert "train/shard-00000.nc written: 1 of 3" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_keeps_what_is_finished(tmp_path):
    out = tmp_path / "data"
    options = [*TINY, "--splits.train", "60", "--num_frames", "12", "--reference_resolution", "48"]
    process = subprocess.Popen(
        [SCRIPT, "generate", "kolmogorov", "--out", out, *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (out / "train" / "shard-00001.nc").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; what was finished is kept" in errors
    assert "Traceback" not in errors
    manifest = json.loads((out / "manifest.json").read_text())
    assert len(manifest["shards"]) >= 1
    assert not list(out.glob("**/*.partial"))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_during_the_first_imports_is_told_in_a_sentence(tmp_path):
    """The toolkit takes seconds to import: many an impatient Ctrl-C falls there."""
    (tmp_path / "torch.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-m", "pdesurrogate", "list", "models"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr == "pdesurrogate: interrupted; what was finished is kept\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epochs: [1", "mine.yaml is no YAML: while parsing a flow sequence in it, line 1"),
        ("just text", "mine.yaml must hold options and their values, got just text"),
        ("modell: 3", "mine.yaml: there is no option 'modell' here"),
    ],
)
def test_a_configuration_that_will_not_do_is_named(text, sentence, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(text)
    assert run("train", "--config", tmp_path / "mine.yaml", "--out", tmp_path / "new") == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_name_that_is_too_long_is_a_users_mistake(journey, tmp_path, capsys):
    words = ["train", "--data", journey / "data", "--resolution", 8, *TRAIN.split()]
    assert run(*words, "--out", tmp_path / ("x" * 300)) == 2
    assert "File name too long" in capsys.readouterr().err


def test_an_interrupted_evaluation_goes_on_where_it_stopped(journey, tmp_path, monkeypatch, capsys):
    from pdesurrogate.evaluation.walk import Walk

    out, visited, visit = tmp_path / "eval.nc", [], Walk.visit
    words = ["evaluate", journey / "run", "--data", journey / "data", "--resolutions", "8,16"]
    words += ["--protocols", "[native, projected]", "--batch_size", 1, "--out", out]

    def interrupted(self, piece):
        visited.append(piece.file)
        if len(visited) == 9:
            raise KeyboardInterrupt
        return visit(self, piece)

    monkeypatch.setattr(Walk, "visit", interrupted)
    assert run(*words) == 130
    assert "interrupted; what was finished is kept" in capsys.readouterr().err
    assert not out.exists()
    assert run(*words, "--num_steps", 1) == 2
    assert "num_steps was 5, now it is 1); give --overwrite" in capsys.readouterr().err
    assert run(*words) == 0
    assert visited[8] == visited[9]  # the one that was interrupted is the first to be done again
    assert len(visited) - 1 == len(set(visited))
    assert [path.name for path in tmp_path.iterdir()] == ["eval.nc"]
    with open_evaluation(out) as again, open_evaluation(journey / "eval.nc") as table:
        assert " --batch_size 1 " in json.loads(again.attrs["commands"])[-1] + " "
        for name in ("nrmse", "spectrum", "blow_up"):
            assert np.allclose(again[name], table[name], rtol=1e-4, equal_nan=True)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_ctrl_c_while_workers_start_leaves_no_tracebacks(tmp_path):
    """A terminal interrupts all processes, and these are in the middle of their imports."""
    out = tmp_path / "data"
    words = ["generate", "kolmogorov", "--out", str(out), *map(str, TINY), "--workers", "2"]
    code = f"from pdesurrogate.cli import main; raise SystemExit(main({words!r}))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while len(children.read_text().split()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted; what was finished is kept" in errors


def test_a_run_of_longer_steps_is_evaluated_in_them(journey, tmp_path, capsys):
    train = ["train", "--data", journey / "data", "--resolution", 8, "--frame_stride", 2]
    assert run(*train, "--out", tmp_path / "slow", *TRAIN.split()) == 0
    capsys.readouterr()
    steps = []
    for path in (journey / "data", tmp_path / "slow"):
        assert run("info", path, "--json") == 0
        steps.append(json.loads(capsys.readouterr().out)["time_step"])
    assert steps[1] == 2 * steps[0]
    evaluate = ["evaluate", "--data", journey / "data", "--resolutions", "8,16"]
    evaluate += ["--protocols", "native", "--out", tmp_path / "eval.nc"]
    assert run(*evaluate, tmp_path / "slow") == 0
    with xr.open_dataset(tmp_path / "eval.nc", decode_timedelta=False) as table:
        assert table.lead_time.values.tolist() == [2 * steps[0], 4 * steps[0]]
    assert run("report", tmp_path / "eval.nc", "--out", tmp_path / "report.html") == 0
    assert ", 2 stored frames a step" in (tmp_path / "report.html").read_text()
    assert run(*evaluate, "--overwrite", tmp_path / "slow", journey / "run") == 2
    assert "runs of different time steps are evaluated apart" in capsys.readouterr().err


def test_what_a_network_is_told_is_chosen_and_shown(tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    plain = yaml.safe_load(Path("datasets/kolmogorov/recipe.yaml").read_text())
    uniform = {"class_path": "Uniform", "init_args": {"low": 0.01, "high": 0.1}}
    recipe.write_text(yaml.safe_dump({**plain, "parameters": {"viscosity": uniform}}))
    assert run("generate", recipe, "--out", tmp_path / "data", *TINY) == 0
    train = ["train", "--data", tmp_path / "data", "--resolution", 8, *TRAIN.split()]
    told = {"all": [], "named": ["--conditioning", "viscosity"], "none": ["--conditioning", "[]"]}
    for name, options in told.items():
        assert run(*train, "--out", tmp_path / name, *options) == 0
    capsys.readouterr()
    names = {}
    for name in told:
        assert run("info", tmp_path / name, "--json") == 0
        names[name] = [c["name"] for c in json.loads(capsys.readouterr().out)["conditioning"]]
    assert names == {"all": ["viscosity"], "named": ["viscosity"], "none": []}
    assert run("info", tmp_path / "data", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    low, high = facts["parameters"]["viscosity"]
    assert 0.01 <= low < high <= 0.1
    assert facts["static_fields"] == []
    assert run("info", tmp_path / "data") == 0
    assert "static_fields          none\n" in capsys.readouterr().out
    assert run(*train, "--out", tmp_path / "wrong", "--conditioning", "[drag]") == 2
    assert "unknown field or parameter of kolmogorov 'drag'" in capsys.readouterr().err
    again = ["train", "--config", tmp_path / "none" / "config.yaml", "--out", tmp_path / "again"]
    assert run(*again) == 0


def test_count_takes_an_output_of_another_class(capsys):
    words = "count --model ConstrainedUNet --model.width 3 --model.levels 1 --resolution 16"
    words += " --in_channels 3 --out_channels 3 --model.output IncompressibleFlow --json"
    words += " --model.output.x_channel 1 --model.output.y_channel 2"
    assert run(*words.split()) == 0
    output = json.loads(capsys.readouterr().out)["options"]["output"]
    assert output["class_path"] == "IncompressibleFlow"
    assert output["init_args"]["flow_walls"]["class_path"] == "Clamped"
