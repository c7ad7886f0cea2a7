"""The command lines that made what a measurement begins with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["lines_before"]


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
