"""The directory of a training run: what is in it, and when one may be touched."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from pdesurrogate.files import PARTIAL, write_atomically
from pdesurrogate.locks import LOCK
from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.stage_report import StageReport

__all__ = ["FREE", "METRICS", "STAGES", "RunDirectory"]

SETTINGS, METRICS, STAGES = "config.yaml", "metrics.csv", "stages.csv"
DESCRIPTION = "surrogate.json"
CHECKPOINTS = "checkpoint"
CONTENTS = (
    SETTINGS,
    METRICS,
    STAGES,
    "model.safetensors",
    DESCRIPTION,
    CHECKPOINTS,
    "extensions",  # of weights that are no more
    "tensorboard",
    "wandb",
)

FREE = (
    "data",
    "device",
    "checkpoint_seconds",
    "time_budget",
    "patience",
    "rollbacks",
    "trackers",
)
"""Settings that may differ when a run is resumed: they do not change what has been computed."""


class RunDirectory:
    """A run's files.

    Args:
        path: The directory; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / CHECKPOINTS / "last.pt"
        """Everything needed to continue."""
        self.epoch = path / CHECKPOINTS / "epoch.pt"
        """The same, of the beginning of the epoch under way."""

    @property
    def is_finished(self) -> bool:
        """Whether there is a surrogate."""
        return (self.path / DESCRIPTION).exists()

    def best_of(self, stage: int) -> Path:
        """The weights of a stage, counted from 0, that validated best."""
        name = "best.pt" if stage == 0 else f"best-of-stage-{stage + 1}.pt"
        return self.path / CHECKPOINTS / name

    def check(
        self,
        settings: Mapping[str, Any],
        *,
        resume: bool,
        overwrite: bool,
        unsaid: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Refuse a directory that may not be used; nothing is written.

        Args:
            settings: What is computed, as plain nested data.
            resume: Continue the run that is there; without one, start it.
            overwrite: Delete the files of the run that is there.
            unsaid: What the run to be continued had where its settings lack an option.

        Raises:
            ValueError: If there is something that is neither to be continued nor overwritten, or
                the run to be continued has other settings.
        """
        if resume and overwrite:
            raise ValueError("a run is either resumed or overwritten, not both")
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is a file, not a run directory")
        if not self.path.is_dir() or (self._is_barely_begun() and not resume):
            return
        if resume and not self._entries():
            return
        if not (self.path / SETTINGS).exists():
            if resume:
                raise ValueError(f"{self.path} holds no run to resume: {SETTINGS} is missing")
            raise ValueError(f"{self.path} is not empty and holds no run; choose another directory")
        if resume:
            self._compare(*(_as_in_the_file(given) for given in (settings, unsaid)))
        elif not overwrite:
            raise ValueError(
                f"{self.path} exists and is not empty: continue it with --resume or replace "
                "it with --overwrite"
            )

    def prepare(
        self, settings: Mapping[str, Any], dataset: Mapping[str, Any], *, overwrite: bool
    ) -> None:
        """Make the directory ready for a training with these settings.

        Args:
            settings: What is computed, as plain nested data; written to `config.yaml`.
            dataset: What identifies the data; written beside them as a comment.
            overwrite: Delete the files of the run that is there.
        """
        if overwrite and self.path.is_dir():
            self._clear()
        for leftover in self.path.rglob(f".*{PARTIAL}"):
            leftover.unlink()
        self.path.mkdir(parents=True, exist_ok=True)
        comment = ", ".join(f"{key} {value}" for key, value in dataset.items())
        text = f"# dataset: {comment}\n"
        settings = json.loads(json.dumps(settings))
        text += yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
        write_atomically(self.path / SETTINGS, text.encode())

    def _is_barely_begun(self) -> bool:
        """Whether nothing is here that a training would miss."""
        return self._entries() <= {SETTINGS}

    def _entries(self) -> set[str]:
        """Names of what is here, but for the lock and what a killed process was about to write."""
        names = {entry.name for entry in self.path.iterdir()} - {LOCK}
        return {name for name in names if not name.endswith(PARTIAL)}

    def write_metrics(self, rows: Sequence[EpochMetrics]) -> None:
        """Replace `metrics.csv`."""
        self._write_table(METRICS, EpochMetrics, rows)

    def write_stages(self, reports: Sequence[StageReport]) -> None:
        """Replace `stages.csv`."""
        self._write_table(STAGES, StageReport, reports)

    def _write_table(self, name: str, kind: type[Any], rows: Sequence[Any]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(field.name for field in fields(kind))
        for row in rows:
            writer.writerow(
                f"{value:.6g}" if isinstance(value, float) else value for value in astuple(row)
            )
        write_atomically(self.path / name, text.getvalue().encode())

    def _clear(self) -> None:
        """Delete a run's files, and nothing else that may lie there."""
        for name in CONTENTS:
            entry = self.path / name
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)

    def _compare(self, settings: Mapping[str, Any], unsaid: Mapping[str, Any]) -> None:
        """Raise if the run was made with other settings."""
        path = self.path / SETTINGS
        try:
            found = yaml.safe_load(path.read_text())
        except (yaml.YAMLError, UnicodeDecodeError):
            found = None
        if not isinstance(found, dict):
            raise ValueError(f"{path} is damaged: it is not a run's configuration")
        found, assumed = _flattened(found), _flattened(unsaid)
        wanted = _flattened(settings)
        for key in sorted(found.keys() | wanted.keys()):
            before = found.get(key, assumed.get(key))
            if key not in FREE and before != wanted.get(key):
                raise ValueError(
                    f"{self.path} was trained with {key} {before!r}, not "
                    f"{wanted.get(key)!r}: resume it with its own settings or pass --overwrite"
                )


def _as_in_the_file(settings: Mapping[str, Any]) -> dict[str, Any]:
    """With lists for tuples."""
    return json.loads(json.dumps(dict(settings)))


def _flattened(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flattened(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
