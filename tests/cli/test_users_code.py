"""Networks and parts of the user's own, sound and broken, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from pdesurrogate.cli import main

NETWORKS = """
import torch
from dataclasses import dataclass
from torch import nn
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.spaces import Haar

class Net(nn.Module):
    def __init__(self, in_channels, out_channels, width=4):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, width, 1), nn.Conv2d(width, out_channels, 1)
        )
    def forward(self, v):
        return self.net(v)

class Raising(Net):
    def __init__(self, in_channels, out_channels):
        1 / 0

class Leaving(Net):
    def __init__(self, in_channels, out_channels):
        raise SystemExit(0)

class Assigning(nn.Module):
    def __init__(self, in_channels, out_channels):
        self.net = nn.Conv2d(in_channels, out_channels, 1)

class Uninitialised(nn.Module):
    def __init__(self, in_channels, out_channels):
        pass

class Breaking(Net):
    def forward(self, v):
        raise KeyError("oh")

class Cut(Net):
    def forward(self, v):
        return super().forward(v)[..., 1:]

class Pair(Net):
    def forward(self, v):
        return super().forward(v), v

class Bare(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.out_channels = out_channels
    def forward(self, v):
        return v[:, :1].repeat(1, self.out_channels, 1, 1)

@dataclass(frozen=True)
class Spec(ModelSpec):
    def build(self, in_channels, out_channels, grid):
        return {}["missing"]

@dataclass(frozen=True)
class HaarAgain(Haar):
    pass

class NoModule:
    pass
"""
PROTOCOLS = """
from dataclasses import dataclass
from pdesurrogate.evaluation.protocols import Native

@dataclass(frozen=True)
class Mine(Native):
    pass

@dataclass(frozen=True)
class Trusting(Native):
    @property
    def uses_trust(self):
        return {}["missing"]

@dataclass(frozen=True)
class Breaking(Native):
    def carry(self, step, setting):
        return {}["missing"]

@dataclass(frozen=True)
class BreakingLater(Native):
    def carry(self, step, setting):
        return lambda window: window / {}["missing"]

@dataclass(frozen=True)
class Cut(Native):
    def carry(self, step, setting):
        return lambda window: window[..., 1:]

@dataclass(frozen=True)
class Pair(Native):
    def carry(self, step, setting):
        return lambda window: (window, window)

@dataclass(frozen=True)
class Demanding(Native):
    factor: float

class NoProtocol:
    pass
"""
TINY = (
    "--resolutions 8 --reference_resolution 16 --steps_per_frame 16 --num_frames 4 "
    "--spin_up_frames 0 --splits.train 2 --splits.valid 1 --splits.test 1 --batch_size 2 "
    "--accuracy_trajectories 0 --workers 1"
)


def run(line: str) -> int:
    return main(line.split())


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks that can be imported, and a dataset."""
    torch.set_num_threads(1)
    here = tmp_path_factory.mktemp("users")
    (here / "own_nets.py").write_text(NETWORKS)
    (here / "own_protocols.py").write_text(PROTOCOLS)
    (here / "own_dividing.py").write_text("1 / 0")
    (here / "own_garbled.py").write_text("class Net(:")
    (here / "own_leaving.py").write_text("raise SystemExit(0)")
    assert run(f"generate kolmogorov --out {here / 'data'} {TINY}") == 0
    return here


@pytest.fixture(autouse=True)
def _importable(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(here))


BUILDING = [
    ("own_nets.Raising", "the constructor of own_nets.Raising raises ZeroDivisionError: division"),
    ("own_nets.Leaving", "the constructor of own_nets.Leaving raises SystemExit: 0"),
    ("own_nets.Assigning", "the constructor of own_nets.Assigning raises AttributeError"),
    ("own_nets.Uninitialised", "must begin with super().__init__()"),
    ("own_nets.Net --model.width abc", "the constructor of own_nets.Net raises TypeError"),
    ("own_nets.Spec", "Spec raises KeyError: 'missing'"),
    ("own_nets.NoModule", "own_nets.NoModule is neither an nn.Module nor a ModelSpec"),
    ("own_dividing.Net", "the import of own_dividing raises ZeroDivisionError: division by zero"),
    ("own_garbled.Net", "the import of own_garbled raises SyntaxError"),
    ("own_leaving.Net", "the import of own_leaving raises SystemExit: 0"),
]
CALLING = [
    ("own_nets.Breaking", "the forward pass of own_nets.Breaking raises KeyError: 'oh'"),
    ("own_nets.Cut", "own_nets.Cut must give a tensor of shape (1, 1, 8, 8), not (1, 1, 8, 7)"),
    ("own_nets.Pair", "must give a tensor of shape (1, 1, 8, 8), not a tuple"),
]
COMMANDS = {
    "check-model": "check-model {model} --resolution 8",
    "count": "count --model {model} --resolution 8 --in_channels 1 --out_channels 1",
    "train": "train --model {model} --data {data} --resolution 8 --out {out} --validation_steps 2",
}
MISTAKES = [
    *((command, *mistake) for command in COMMANDS for mistake in BUILDING),
    *((command, *mistake) for command in ("count", "train") for mistake in CALLING),
    ("train", "own_nets.Bare", "own_nets.Bare has no parameters that could be trained"),
]


@pytest.mark.parametrize(("command", "model", "sentence"), MISTAKES)
def test_what_breaks_in_the_users_code_is_told_as_theirs(
    command, model, sentence, here, tmp_path, capsys
):
    line = COMMANDS[command].format(model=model, data=here / "data", out=tmp_path / "run")
    assert run(line) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sentence in captured.err


@pytest.mark.parametrize("model", ["own_nets.Breaking", "own_nets.Cut", "own_nets.Bare"])
def test_what_breaks_in_a_check_is_a_verdict(model, capsys):
    assert run(f"check-model {model} --resolution 8") == 2
    assert f"{model} breaks" in capsys.readouterr().err


def test_the_width_of_a_users_network_is_matched(capsys):
    line = COMMANDS["count"].format(model="own_nets.Net")
    assert run(f"{line} --target parameters --value 100 --json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["model"], facts["options"]) == ("own_nets.Net", {"width": 33})
    assert facts["parameters"] == 100


def test_a_network_without_width_cannot_be_matched(capsys):
    line = COMMANDS["count"].format(model="own_nets.Bare")
    assert run(f"{line} --target parameters --value 100") == 2
    assert "'width'" in capsys.readouterr().err


def test_a_space_of_the_users_is_trained_and_evaluated(here, tmp_path, capsys):
    train = COMMANDS["train"].format(model="MultiResNet", data=here / "data", out=tmp_path / "run")
    train += " --model.width 3 --model.levels 1 --epochs 1 --model.space own_nets.HaarAgain"
    assert run(train) == 0
    evaluate = f"evaluate {tmp_path / 'run'} --data {here / 'data'} --resolutions 8"
    evaluate += f" --protocols native --out {tmp_path / 'eval.nc'}"
    capsys.readouterr()
    assert run(evaluate) == 2
    error = capsys.readouterr().err
    assert "unknown part 'own_nets.HaarAgain'" in error
    assert error.endswith("on the command line --models own_nets.HaarAgain\n")
    assert run(f"{evaluate} --models own_nets.HaarAgain") == 0
    assert run(f"train --config {tmp_path / 'run'}/config.yaml --out {tmp_path / 'again'}") == 0


def test_a_users_network_can_be_a_base(here, tmp_path, capsys):
    train = COMMANDS["train"].format(model="Extended", data=here / "data", out=tmp_path / "run")
    train += " --model.width 3 --model.base own_nets.Net --model.base.width 2 --epochs 1"
    assert run(train) == 0
    evaluate = f"evaluate {tmp_path / 'run'} --data {here / 'data'} --resolutions 8"
    evaluate += f" --protocols native --out {tmp_path / 'eval.nc'}"
    capsys.readouterr()
    assert run(evaluate) == 2
    assert "on the command line --models own_nets.Net" in capsys.readouterr().err
    assert run(f"{evaluate} --models own_nets.Net") == 0


@pytest.mark.parametrize(
    ("base", "sentence"),
    [
        ("own_nets.Raising", "the constructor of own_nets.Raising raises ZeroDivisionError"),
        ("own_nets.Breaking", "the forward pass of Extended raises KeyError: 'oh'"),
        ("own_nets.NoModule", "own_nets.NoModule is neither an nn.Module nor a ModelSpec"),
        ("Multi", "--model.base: unknown class 'Multi'"),
    ],
)
def test_what_breaks_in_a_base_is_told_in_one_sentence(base, sentence, capsys):
    assert run(COMMANDS["count"].format(model="Extended") + f" --model.base {base}") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sentence in captured.err


def test_a_model_that_lacks_its_base_says_so(capsys):
    assert run(COMMANDS["count"].format(model="Extended")) == 2
    assert "Extended.base must be a ModelSpec, got None" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(here: Path) -> Path:
    train = f"train --model MultiResNet --model.width 4 --model.levels 1 --data {here / 'data'}"
    options = "--resolution 8 --epochs 1 --validation_steps 2"
    assert run(f"{train} {options} --out {here / 'trained'}") == 0
    return here / "trained"


def test_a_users_protocol_is_named_by_its_path(trained, here, tmp_path):
    out = tmp_path / "eval.nc"
    evaluate = f"evaluate {trained} --data {here / 'data'} --resolutions 8 --num_steps 1"
    protocols = "[native,own_protocols.Mine]"
    assert run(f"{evaluate} --equal_cost false --protocols {protocols} --out {out}") == 0
    with xr.open_dataset(out) as table:
        ours, theirs = (table.nrmse.sel(run="trained", protocol=p) for p in ("native", "mine"))
        assert np.isfinite(ours).all()
        np.testing.assert_array_equal(ours, theirs)
        assert "own_protocols.Mine" in table.attrs["commands"]


@pytest.mark.parametrize(
    ("protocol", "sentence"),
    [
        ("own_protocols.Breaking", "own_protocols.Breaking raises KeyError: 'missing'"),
        ("own_protocols.Trusting", "own_protocols.Trusting raises KeyError: 'missing'"),
        ("own_protocols.BreakingLater", "own_protocols.BreakingLater raises KeyError: 'missing'"),
        (
            "own_protocols.Cut",
            "must give a window of shape (1, time, 1, 8, 8), not (1, 1, 1, 8, 7)",
        ),
        ("own_protocols.Pair", "the protocol pair must give a tensor, not a tuple"),
        ("own_protocols.Demanding", "the constructor of own_protocols.Demanding raises TypeError"),
        ("own_protocols.NoProtocol", "own_protocols.NoProtocol is no transfer protocol"),
        ("own_protocols.Absent", "the module own_protocols has no class 'Absent'"),
        ("absent_package.Protocol", "absent_package.Protocol cannot be imported"),
        ("nativ", "unknown protocol 'nativ' (did you mean 'native'?)"),
    ],
)
def test_what_is_wrong_with_a_users_protocol_is_told(
    protocol, sentence, trained, here, tmp_path, capsys
):
    line = f"evaluate {trained} --data {here / 'data'} --resolutions 8 --num_steps 1"
    line += f" --equal_cost false --protocols [{protocol}] --out {tmp_path / 'eval.nc'}"
    capsys.readouterr()
    assert run(line) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("pdesurrogate: ")
    assert sentence in told
    assert not (tmp_path / "eval.nc").exists()
