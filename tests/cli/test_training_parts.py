"""Objectives and losses on the command line and in configurations, ours and a user's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pdesurrogate.cli import main
from pdesurrogate.cli.training_parts import training_parts
from pdesurrogate.data import generate
from pdesurrogate.models import Part

OWN = """
from dataclasses import dataclass
from pdesurrogate.training import FrameLoss, Objective

@dataclass(frozen=True)
class LastStep(Objective):
    steps: int = 2

    @property
    def num_steps(self):
        return self.steps

    def __call__(self, step, given, following, loss):
        window = given
        for _ in range(self.steps):
            window = step(window)
        return loss(window[:, -1:], following[:, -1:])

@dataclass(frozen=True)
class Absolute(FrameLoss):
    factor: float = 1.0

    def on(self, setting):
        return lambda p, y: (self.factor * (p - y) / setting.change_std).abs().mean()

class Neither:
    pass
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small dataset, and a module of the user's own on Python's path."""
    here = tmp_path_factory.mktemp("parts")
    generate(
        "kolmogorov",
        here / "data",
        resolutions=[8],
        reference_resolution=16,
        num_frames=5,
        spin_up_frames=0,
        steps_per_frame=16,
        splits={"train": 2, "valid": 1, "test": 1},
        batch_size=2,
        accuracy_trajectories=0,
        workers=1,
    )
    (here / "own_parts.py").write_text(OWN, "utf-8")
    sys.path.insert(0, str(here))
    yield here
    sys.path.remove(str(here))
    sys.modules.pop("own_parts", None)


def train(here: Path, out: Path, *options: str) -> int:
    model = ["--model", "FNO", "--model.width", "3", "--model.modes", "2", "--model.layers", "1"]
    data = ["--data", str(here / "data"), "--resolution", "8", "--out", str(out)]
    return main(["train", *model, *data, "--epochs", "1", "--validation_steps", "2", *options])


SUM = """[{class_path: H1}, {class_path: Conservation, init_args: {quantity: mean_square}}]"""
CHOICES: list[tuple[list[str], str, dict[str, Any]]] = [
    (
        ["--objective", "Unrolled", "--objective.steps", "3"],
        "objective",
        {"class_path": "Unrolled", "init_args": {"steps": 3}},
    ),
    (
        ["--objective=CutGradients"],
        "objective",
        {"class_path": "CutGradients", "init_args": {"steps": 2, "every": 1}},
    ),
    (
        ["--objective", "Curriculum", "--objective.of", "Pushforward", "--objective.of.steps", "3"],
        "objective",
        {
            "class_path": "Curriculum",
            "init_args": {
                "of": {"class_path": "Pushforward", "init_args": {"steps": 3, "one_step": True}},
                "growth": 0.5,
            },
        },
    ),
    (
        ["--loss", "WeightedSum", "--loss.terms", SUM, "--loss.weights", "1,0.1"],
        "loss",
        {
            "class_path": "WeightedSum",
            "init_args": {
                "terms": [
                    {"class_path": "H1", "init_args": {}},
                    {
                        "class_path": "Conservation",
                        "init_args": {"quantity": "mean_square", "fields": None},
                    },
                ],
                "weights": [1.0, 0.1],
            },
        },
    ),
    (
        ["--objective", "own_parts.LastStep", "--objective.steps", "3"],
        "objective",
        {"class_path": "own_parts.LastStep", "init_args": {"steps": 3}},
    ),
    (
        ["--loss", "WeightedSum", "--loss.terms", "[{class_path: own_parts.Absolute}]"],
        "loss",
        {
            "class_path": "WeightedSum",
            "init_args": {
                "terms": [{"class_path": "own_parts.Absolute", "init_args": {"factor": 1.0}}],
                "weights": [1.0],
            },
        },
    ),
]
IDS = [" ".join(options[:2]) for options, _, _ in CHOICES]


@pytest.mark.parametrize(("options", "key", "said"), CHOICES, ids=IDS)
def test_a_choice_is_trained_with_and_taken_back_from_the_run(
    options: list[str], key: str, said: dict[str, Any], here: Path, tmp_path: Path
) -> None:
    assert train(here, tmp_path / "run", *options) == 0
    config = tmp_path / "run" / "config.yaml"
    assert yaml.safe_load(config.read_text("utf-8"))[key] == said
    for name in [name for name in sys.modules if name == "own_parts"]:
        del sys.modules[name]  # as in a process of its own
    assert main(["train", "--config", str(config), "--out", str(tmp_path / "again")]) == 0
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("run", "again")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(("options", "key", "said"), CHOICES, ids=IDS)
def test_what_print_config_shows_is_taken_back(
    options: list[str],
    key: str,
    said: dict[str, Any],
    here: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        train(here, tmp_path / "run", *options, "--print_config")
    shown = tmp_path / "shown.yaml"
    shown.write_text(capsys.readouterr().out, "utf-8")
    assert main(["train", "--config", str(shown)]) == 0
    config = (tmp_path / "run" / "config.yaml").read_text("utf-8")
    assert yaml.safe_load(config)[key] == said


KNOWN_OBJECTIVES = "known are Curriculum, CutGradients, OneStep, Pushforward, Unrolled"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--objective", "Unroled"],
            f"unknown objective 'Unroled' (did you mean 'Unrolled'?); {KNOWN_OBJECTIVES}",
        ),
        (["--objective=Haar"], f"unknown objective 'Haar'; {KNOWN_OBJECTIVES}"),
        (["--loss", "MeanSqare"], "unknown loss 'MeanSqare' (did you mean 'MeanSquare'?); known"),
        (["--loss", "Unrolled"], "unknown loss 'Unrolled'; known are"),
        (
            ["--objective", "Curriculum", "--objective.of", "Unroled"],
            "--objective.of: unknown class 'Unroled' (did you mean 'Unrolled'?); --help shows",
        ),
        (
            ["--loss", "WeightedSum", "--loss.terms", "[{class_path: MeanSqare}]"],
            "--loss.terms: unknown class 'MeanSqare' (did you mean 'MeanSquare'?); --help shows",
        ),
        (
            ["--loss", "WeightedSum", "--loss.terms", "[Unrolled]"],
            "--loss.terms: there is no class 'Unrolled' here; --help shows",
        ),
        (
            ["--objective", "Unrolled", "--objective.steps", "0"],
            "Unrolled.steps must be at least 1, got 0",
        ),
        (
            ["--objective", "Unrolled", "--objective.steps", "two"],
            "--objective.steps must be a whole number, got 'two'",
        ),
        (
            ["--objective", "Unrolled", "--objective.stesp", "2"],
            "--objective: unknown option 'stesp' (did you mean 'steps'?)",
        ),
        (["--objective.steps", "2"], "--objective: there is no option 'steps' here"),
        (["--objective", "null"], "--objective must name a class, got 'None'"),
        (
            ["--loss", "Conservation", "--loss.quantity", "men"],
            "--loss.quantity must be one of 'mean', 'mean_square', got 'men'",
        ),
        (["--loss", "WeightedSum", "--loss.weights", "1,2"], "as many numbers as there are terms"),
        (["--loss", "own_parts.Nothing"], "module 'own_parts' has no attribute 'Nothing'"),
        (["--loss", "own_parts.Neither"], "own_parts.Neither does not correspond to a subclass"),
        (["--loss", "own_parts.LastStep"], "own_parts.LastStep does not correspond to a subclass"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_told_in_one_sentence(
    options: list[str],
    sentence: str,
    here: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train(here, tmp_path / "run", *options) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.startswith("pdesurrogate: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not (tmp_path / "run").exists()


def test_an_unknown_name_in_a_file_is_told_alike(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("loss: {class_path: MeanSqare}\n", "utf-8")
    assert train(here, tmp_path / "run", "--config", str(config)) == 2
    assert "unknown loss 'MeanSqare' (did you mean 'MeanSquare'?)" in capsys.readouterr().err


def test_a_loss_that_does_not_fit_the_fields_says_so(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(here, tmp_path / "run", "--loss", "Divergence") == 2
    said = capsys.readouterr().err
    assert "Divergence needs both parts of a velocity among the fields vorticity" in said


def test_every_part_has_a_name_of_its_own() -> None:
    """Classes are found by their bare names among all parts, those of models included."""

    def below(kind: type[Any]) -> Iterator[type[Any]]:
        for part in kind.__subclasses__():
            yield part
            yield from below(part)

    names = [k.__name__ for k in below(Part) if k.__module__.startswith("pdesurrogate.")]
    chosen = [name for parts in training_parts().values() for name in parts]
    assert len(chosen) >= 12
    for name in chosen:
        assert names.count(name) == 1, name
