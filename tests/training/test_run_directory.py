from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.run_directory import RunDirectory

SETTINGS: dict[str, Any] = {
    "data": "/somewhere",
    "model": {"class_path": "Net", "init_args": {"width": 4}},
    "epochs": 3,
    "fields": ("a", "b"),
    "device": "cpu",
    "min_learning_rate": 1e-06,
}
DATASET = {"name": "flow", "sha256": "ab12"}


def changed(**settings: Any) -> dict[str, Any]:
    return {**SETTINGS, **settings}


def prepare(path: Path, settings: dict[str, Any] = SETTINGS, **how: bool) -> RunDirectory:
    run = RunDirectory(path)
    resume, overwrite = how.get("resume", False), how.get("overwrite", False)
    run.check(settings, resume=resume, overwrite=overwrite)
    run.prepare(settings, DATASET, overwrite=overwrite)
    return run


def test_an_empty_directory_may_be_used_and_a_full_one_may_not(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    prepare(tmp_path)
    prepare(tmp_path)  # a configuration alone is nothing that could be lost
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(ValueError, match=re.escape(str(tmp_path)) + ".*--resume.*--overwrite"):
        prepare(tmp_path)


def test_what_is_no_run_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="is not empty and holds no run; choose another directory"):
        prepare(tmp_path, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]


def test_the_same_settings_may_be_resumed(tmp_path: Path) -> None:
    prepare(tmp_path)
    prepare(tmp_path, resume=True)
    prepare(tmp_path, changed(device="cuda", data="/elsewhere"), resume=True)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["device"] == "cuda"


def test_the_configuration_is_plain_yaml_under_the_datasets_name(tmp_path: Path) -> None:
    prepare(tmp_path)
    text = (tmp_path / "config.yaml").read_text()
    assert text.startswith("# dataset: name flow, sha256 ab12\n")
    assert yaml.safe_load(text) == changed(fields=["a", "b"])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (changed(epochs=4), "epochs 3, not 4"),
        (changed(fields=("b", "a")), "fields ['a', 'b'], not ['b', 'a']"),
        (changed(momentum=0.9), "momentum None, not 0.9"),
        (
            changed(model={"class_path": "Other", "init_args": {}}),
            "model.class_path 'Net', not 'Other'",
        ),
    ],
)
def test_other_settings_are_named(settings: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    prepare(tmp_path)
    before = (tmp_path / "config.yaml").read_bytes()
    with pytest.raises(ValueError, match=re.escape(sentence)):
        prepare(tmp_path, settings, resume=True)
    assert (tmp_path / "config.yaml").read_bytes() == before


def test_overwriting_deletes_a_runs_files_and_nothing_else(tmp_path: Path) -> None:
    run = prepare(tmp_path)
    run.write_metrics([])
    run.last.parent.mkdir()
    run.last.write_bytes(b"old")
    (tmp_path / "surrogate.json").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    prepare(tmp_path, changed(epochs=4), overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "notes.txt"}


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    run = prepare(tmp_path)
    run.last.parent.mkdir()
    (run.last.parent / ".last.pt.123.partial").write_bytes(b"half")
    prepare(tmp_path, resume=True)
    assert list(run.last.parent.iterdir()) == []


def test_what_is_not_a_run_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds no run to resume: config\.yaml is missing"):
        prepare(tmp_path, resume=True)
    with pytest.raises(ValueError, match="is a file, not a run directory"):
        prepare(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="either resumed or overwritten"):
        prepare(tmp_path / "new", resume=True, overwrite=True)
    (tmp_path / "config.yaml").write_text("just text")
    with pytest.raises(ValueError, match=r"config\.yaml is damaged"):
        prepare(tmp_path, resume=True)


def test_metrics_are_a_table_of_numbers(tmp_path: Path) -> None:
    run = prepare(tmp_path)
    run.write_metrics([EpochMetrics(1, 20000000, 0.25, 0.1, float("inf"), 1e-3, 0.5, 1 / 3)])
    assert (tmp_path / "metrics.csv").read_text() == (
        "epoch,step,train_loss,valid_one_step,valid_rollout,learning_rate,gradient_norm,seconds,"
        "valid_blow_up,stage,rollbacks\n"
        "1,20000000,0.25,0.1,inf,0.001,0.5,0.333333,0,1,0\n"
    )
