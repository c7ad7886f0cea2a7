"""Pieces of an evaluation under way, kept in a folder, so that it goes on where it stopped."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from pdesurrogate.evaluation.entries import SurrogateEntry
from pdesurrogate.evaluation.pieces import Piece
from pdesurrogate.evaluation.plan import Plan
from pdesurrogate.evaluation.protocols import TransferProtocol
from pdesurrogate.evaluation.provenance import library_versions
from pdesurrogate.files import PARTIAL, replaced_atomically, write_atomically
from pdesurrogate.interrupts import interrupts_wait
from pdesurrogate.models.user_model import class_path
from pdesurrogate.surrogate import Surrogate

__all__ = ["PartsFolder", "parts_beside", "remove_parts", "settings_of"]

_LONGEST = 120
"""Characters of a difference that a sentence can bear."""

SETTINGS = "plan.json"
"""The file that makes a folder one of parts; it says of which evaluation."""


def parts_beside(path: Path) -> Path:
    """The folder for the parts of an evaluation that is to be written to a file."""
    return path.with_name(f"{path.name}.parts")


def remove_parts(folder: Path) -> None:
    """Delete the parts in a folder, and the folder if nothing else lies in it."""
    PartsFolder(folder).remove()


def settings_of(
    plan: Plan, example_trajectory: int, batch_size: int | None, device: str
) -> dict[str, Any]:
    """All that the numbers of an evaluation depend on, as JSON has it.

    Baselines are not in it: they follow from the data and the surrogates, and a part is found by
    its baseline's name.
    """
    surrogates = [entry for entry in plan.entries if isinstance(entry, SurrogateEntry)]
    settings = {
        "dataset": plan.data.sha256,
        "frame_stride": plan.data.frame_stride,
        "protocols": [_protocol_identity(protocol) for protocol in plan.protocols],
        "native_everywhere": plan.native_everywhere,
        "resolutions": plan.resolutions,
        "fields": [field.name for field in plan.fields],
        "loaded_fields": plan.loaded_fields,
        "split": plan.split,
        "trajectories": plan.trajectories,
        "history": plan.history,
        "num_steps": plan.num_steps,
        "example_trajectory": example_trajectory,
        "batch_size": batch_size,
        "device": device,
        "versions": library_versions(),
        # Last: what is trusted depends on how far a rollout goes, which is the better reason.
        "runs": {entry.label.name: _identity(entry) for entry in surrogates},
    }
    return dict(json.loads(json.dumps(settings)))


def _identity(entry: SurrogateEntry) -> dict[str, Any]:
    """A surrogate: its weights and their use, and what it is carried to finer grids by."""
    return {
        **_weights_and_use(entry.surrogate),
        "trust": entry.trust,
        "extensions": {str(n): _weights_and_use(e) for n, e in entry.extensions.items()},
    }


def _weights_and_use(surrogate: Surrogate) -> dict[str, Any]:
    return {"weights": surrogate.weights_sha256, **surrogate.info.to_dict()}


def _protocol_identity(protocol: TransferProtocol) -> str:
    """A protocol and its options; if it is the user's own, with its code, which may change."""
    kind = type(protocol)
    if kind.__module__.partition(".")[0] == "pdesurrogate":
        return repr(protocol)
    try:
        code = inspect.getsource(sys.modules[kind.__module__])
    except (OSError, TypeError):  # typed in, say
        code = ""
    return f"{protocol!r}, {class_path(kind)} {hashlib.sha256(code.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class PartsFolder:
    """A folder with a file for every finished piece, and one that says of which evaluation.

    Args:
        path: The folder.
    """

    path: Path

    def claim(self, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        """Begin a folder, or continue one of the same settings.

        Args:
            settings: What `settings_of` says.
            overwrite: Delete parts of other settings.

        Raises:
            ValueError: If the folder holds parts of other settings, or something else.
        """
        if (self.path / SETTINGS).is_file():
            if differing := _difference(self._settings(), settings):
                if not overwrite:
                    raise ValueError(
                        f"{self.path} holds parts of an evaluation with other settings "
                        f"({differing}); give --overwrite (in Python overwrite=True) to start anew"
                    )
                self.remove()
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ValueError(f"{self.path} exists and holds no parts of an evaluation; remove it")
        self.path.mkdir(parents=True, exist_ok=True)
        for left_behind in self.path.glob(f".*{PARTIAL}"):
            left_behind.unlink()
        write_atomically(self.path / SETTINGS, json.dumps(settings, indent=2).encode())

    def remembered(self, name: str, measure: Callable[[], dict[str, int]]) -> dict[str, int]:
        """What was measured when the evaluation began, or is now; it might come out otherwise."""
        file = self.path / f"{name}.json"
        if not file.is_file():
            write_atomically(file, json.dumps(measure(), indent=2).encode())
        return dict(json.loads(file.read_text(encoding="utf-8")))

    def holds(self, piece: Piece) -> bool:
        """Whether a piece is finished."""
        return self.file(piece).is_file()

    def file(self, piece: Piece) -> Path:
        """Where a piece is, or will be."""
        return self.path / piece.file

    def write(self, piece: Piece, result: xr.Dataset) -> None:
        """Keep what a piece gave; the file appears under its name only when it is complete."""
        with replaced_atomically(self.file(piece)) as aside, interrupts_wait():
            result.to_netcdf(aside, engine="netcdf4", format="NETCDF4")

    def read(self, piece: Piece) -> xr.Dataset:
        """What a piece gave, but for its predicted fields.

        Raises:
            ValueError: If the file is damaged.
        """
        path = self.file(piece)
        try:
            with interrupts_wait():
                return xr.load_dataset(
                    path, engine="netcdf4", decode_cf=False, drop_variables=["prediction"]
                )
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} is damaged; delete it to compute it again") from error

    def remove(self) -> None:
        """Delete the parts, and the folder if nothing else lies in it."""
        for pattern in ("*.nc", f".*{PARTIAL}", "*.json"):
            for file in self.path.glob(pattern):
                file.unlink()
        with suppress(OSError):
            self.path.rmdir()

    def _settings(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.path / SETTINGS).read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            return {}


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first setting that differs, in words; empty if none does."""
    for key in (*wanted, *found):
        ours, theirs = wanted.get(key), found.get(key)
        if ours == theirs:
            continue
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            return f"{key}: {_difference(theirs, ours)}"
        told = f"{key} was {theirs}, now it is {ours}"
        return told if len(told) < _LONGEST else f"{key} differs"
    return ""
