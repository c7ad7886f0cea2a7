"""Options that a model gains later leave earlier runs alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pdesurrogate.data import Ladder
from pdesurrogate.models import FiLM, Haar, MultiResNet, ResidualUNet, Wavelet
from pdesurrogate.models.part import chosen_options, parts_to_plain
from pdesurrogate.training import TrainingConfig
from pdesurrogate.training.preparation import unsaid_settings, untrained_surrogate
from pdesurrogate.training.run_directory import RunDirectory

SPEC = MultiResNet(width=4, space=Wavelet("db3"))


def settings(spec: MultiResNet) -> dict[str, Any]:
    options = parts_to_plain(spec)
    return {"model": {"class_path": "MultiResNet", "init_args": options}, "epochs": 3}


def begun(path: Path, spec: MultiResNet, *missing: str) -> RunDirectory:
    """A run by a version that did not have some options."""
    said = settings(spec)
    for name in missing:
        *outer, last = name.split(".")
        options = said["model"]["init_args"]
        for part in outer:
            options = options[part]["init_args"]
        del options[last]
    run = RunDirectory(path)
    run.prepare(said, {"name": "flow"}, overwrite=False)
    (path / "checkpoint").mkdir()
    return run


def resume(run: RunDirectory, spec: MultiResNet) -> None:
    run.check(
        settings(spec), resume=True, overwrite=False, unsaid=unsaid_settings(spec, TrainingConfig())
    )


def resumable(run: RunDirectory, spec: MultiResNet) -> bool:
    try:
        resume(run, spec)
    except ValueError:
        return False
    return True


def test_a_run_from_before_an_option_may_be_resumed(tmp_path: Path) -> None:
    resume(begun(tmp_path, SPEC, "film", "attention", "activation", "space.boundary"), SPEC)
    stored = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert stored["model"]["init_args"]["space"]["init_args"] == {"family": "db3"}


def test_a_run_from_before_there_were_spaces_may_be_resumed(tmp_path: Path) -> None:
    plain = replace(SPEC, space=Haar())
    run = begun(tmp_path, plain, "space")
    assert (
        "space" not in yaml.safe_load((tmp_path / "config.yaml").read_text())["model"]["init_args"]
    )
    assert resumable(run, plain)
    assert not resumable(run, replace(SPEC, space=Wavelet("db2")))


@pytest.mark.parametrize(
    ("missing", "now", "sentence"),
    [
        ("film", {"film": FiLM()}, "film.class_path None, not 'FiLM'"),
        ("activation", {"activation": "relu"}, "activation 'gelu', not 'relu'"),
        ("space", {}, "space.class_path 'Haar', not 'Wavelet'"),
        (
            "space.boundary",
            {"space": Wavelet("db3", "periodic")},
            "boundary 'grid', not 'periodic'",
        ),
    ],
)
def test_what_it_did_not_have_is_not_what_is_chosen_now(
    missing: str, now: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    run = begun(tmp_path, SPEC, missing)
    with pytest.raises(ValueError, match=sentence):
        resume(run, replace(SPEC, **now))


def test_seeds_are_grouped_by_what_was_chosen() -> None:
    assert chosen_options(SPEC) == {
        "width": 4,
        "space": {"class_path": "Wavelet", "init_args": {"family": "db3"}},
    }
    assert chosen_options(ResidualUNet()) == {}
    assert chosen_options(replace(SPEC, film=FiLM(8)))["film"]["init_args"] == {"hidden": 8}


def test_a_run_from_before_wide_layers_were_slowed_goes_on_without() -> None:
    unsaid = unsaid_settings(SPEC, TrainingConfig())
    assert TrainingConfig().slows_wide_layers
    assert unsaid["slows_wide_layers"] is False


def test_slowed_wide_layers_tell_trainings_apart_where_there_are_any(flow: Ladder) -> None:
    def fingerprint(width: int, *, slows: bool) -> str:
        config = TrainingConfig(fields=("vorticity",), slows_wide_layers=slows)
        spec = ResidualUNet(width=width, levels=1)
        return untrained_surrogate(spec, flow, 8, config, "net").info.settings

    assert fingerprint(8, slows=True) == fingerprint(8, slows=False)
    assert fingerprint(100, slows=True) != fingerprint(100, slows=False)
