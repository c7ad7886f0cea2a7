"""Whether a run that is already there is the one that is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pdesurrogate.data import Ladder
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.preparation import unsaid_settings
from pdesurrogate.training.run_directory import RunDirectory

__all__ = ["require_agreement"]


def require_agreement(
    run: Path, spec: ModelSpec, data: Ladder, resolution: int, config: TrainingConfig
) -> None:
    """Refuse a directory that holds anything but a run of this model, data and settings.

    An absent or empty directory will do. Nothing is read but `config.yaml`. What `config` leaves to
    the data, the conditioning, is taken to be what the run has.

    Args:
        run: Directory of the run.
        spec: The model.
        data: The dataset.
        resolution: The rung.
        config: How to train.

    Raises:
        ValueError: Naming the first thing that differs.
    """
    text = _text(run / "config.yaml")
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    found = found if isinstance(found, dict) else {}
    RunDirectory(run).check(
        {**found, **_wanted(found, spec, data, resolution, config)},
        resume=True,
        overwrite=False,
        unsaid=_unsaid(spec, config),
    )
    identity: dict[str, object] = {"sha256": data.sha256}
    identity |= {split: data.num_trajectories(split) for split in ("train", "valid")}
    comment = text.partition("\n")[0]
    for key, value in identity.items():
        told = re.search(rf"\b{key} (\w+)", comment)
        if told and told[1] != str(value):
            raise ValueError(
                f"{run} was trained on another dataset: its {key} was {told[1]}, now it is {value}"
            )


def _unsaid(spec: ModelSpec, config: TrainingConfig) -> dict[str, Any]:
    """What a run has that does not say so; of conditioning nothing is asked here."""
    unsaid = unsaid_settings(spec, config)
    del unsaid["conditioning"]
    return unsaid


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return ""  # which `RunDirectory.check` has a sentence for


def _wanted(
    found: Mapping[str, Any],
    spec: ModelSpec,
    data: Ladder,
    resolution: int,
    config: TrainingConfig,
) -> dict[str, Any]:
    """What `config.yaml` should say."""
    model = found.get("model")
    path = str(model.get("class_path")) if isinstance(model, dict) else ""
    kind = type(spec).__name__  # exported ones are stored by name, others by path
    wanted = {
        **parts_to_plain(config),
        "model": {
            "class_path": path if path.rpartition(".")[2] == kind else kind,
            "init_args": parts_to_plain(spec),
        },
        "resolution": resolution,
        "frame_stride": data.frame_stride * config.frame_stride,
        "learning_rate": config.learning_rate or spec.learning_rate,
        "fields": config.fields or data.prognostic_fields,
    }
    if config.conditioning is None:
        del wanted["conditioning"]
    return wanted
