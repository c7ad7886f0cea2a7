"""The command lines that made a measurement, for whoever wants to repeat it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from pdesurrogate.surrogate import Extension
from pdesurrogate.training import EXTENSION_DEFAULTS

__all__ = [
    "EXTENSION_OPTIONS",
    "extensions_before",
    "lines_before",
    "measuring_line",
    "written_out",
]

EXTENSION_OPTIONS: dict[str, Any] = {
    "epochs": int,
    "batch_size": int,
    "learning_rate": float,
    "noise": float,
    "seed": int,
    "device": str,
    "patience": int | None,
    "time_budget": float | None,
}
"""What may be chosen of the training of an extension; the rest is the run's, or its default."""


def lines_before(data: str, runs: Sequence[str]) -> list[list[str]]:
    """How a dataset was generated and runs were trained, by their recipe and configurations.

    Args:
        data: Folder of the dataset.
        runs: Folders of the runs.

    Returns:
        The words of each line, without the program's name.

    Example:
        >>> [" ".join(line) for line in lines_before("data", ["run"])]
        ['generate data/recipe.yaml --out data', 'train --config run/config.yaml --out run']
    """
    lines = [["generate", str(Path(data) / "recipe.yaml"), "--out", data]]
    lines += [["train", "--config", str(Path(run) / "config.yaml"), "--out", run] for run in runs]
    return lines


def extensions_before(data: str, runs: Sequence[str], rungs: Sequence[int]) -> list[list[str]]:
    """How runs were extended to some of the rungs, by the configurations of their extensions.

    Args:
        data: Folder of the dataset.
        runs: Folders of the runs.
        rungs: Where the extensions are used.
    """
    lines = []
    for run in runs:
        for resolution in rungs:
            config = Path(run) / "extensions" / str(resolution) / "config.yaml"
            if config.is_file():
                line = ["extend", run, "--data", data, "--resolutions", str(resolution)]
                lines.append(line + _chosen(yaml.safe_load(config.read_text())))
    return lines


def _chosen(settings: Mapping[str, Any]) -> list[str]:
    """The options of `extend` that are not at their defaults."""
    words = ["--trajectories", str(settings["trajectories"])]
    given = {option: settings[option] for option in EXTENSION_OPTIONS}
    defaults = {option: getattr(EXTENSION_DEFAULTS, option) for option in EXTENSION_OPTIONS}
    given |= _flat(settings["extension"])
    defaults |= _flat(asdict(Extension()))
    for option, value in given.items():
        if value != defaults[option]:
            words += [f"--{option}", json.dumps(value).strip('"')]
    return words


def _flat(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in options.items():
        nested = isinstance(value, Mapping)
        flat |= _flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def measuring_line(command: str, arguments: Any, defaults: Mapping[str, Any]) -> list[str]:
    """The line of a command that measures runs on the rungs of a dataset.

    Args:
        command: Its name.
        arguments: What it was given: runs, a dataset, rungs, a file, and further options.
        defaults: Of the options that are told where they differ.
    """
    rungs = json.dumps(list(arguments.resolutions))
    line = [command, *arguments.runs, "--data", arguments.data, "--resolutions", rungs]
    line += ["--out", str(arguments.out)]
    for option, default in defaults.items():
        if arguments[option] != default:
            line += [f"--{option}", str(arguments[option])]
    if arguments.models:
        line += ["--models", f"[{', '.join(arguments.models)}]"]
    if arguments.other_data:
        line.append("--other_data")
    return line


def written_out(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines as a shell takes them, with the program's name."""
    return [shlex.join(["pdesurrogate", *line]) for line in lines]
