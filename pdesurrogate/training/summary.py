"""How the runs of a sweep went: one row each, as a file, with labels, and as a table of means."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from pdesurrogate.files import write_atomically
from pdesurrogate.intervals import student_interval
from pdesurrogate.surrogate import SurrogateInfo
from pdesurrogate.training.run_directory import METRICS, STAGES

__all__ = [
    "RunSummary",
    "Status",
    "mean_and_interval",
    "read_summary",
    "summarise",
    "summary_dataset",
    "summary_table",
    "write_summary",
]

Status = Literal["unfinished", "finished", "failed"]


@dataclass(frozen=True)
class RunSummary:
    """One row of `summary.csv`; what is not known is empty.

    Args:
        model: Name of the model.
        setting: Name of the setting; empty if there is but one.
        seed: Seed of the training.
        status: Whether the run is finished, has failed, or is neither (yet).
        parameters: Real numbers that were trained.
        flops: Floating-point operations of one step of one trajectory on the training grid.
        epochs: Finished epochs.
        seconds: Wall time of the training, over all sessions.
        valid_rollout: Validation error of the rollouts, in the best epoch.
        valid_one_step: Validation error of their first frame, in the same epoch.
        reason: Why it failed.
    """

    model: str
    setting: str
    seed: int
    status: Status = "unfinished"
    parameters: int | None = None
    flops: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    valid_rollout: float | None = None
    valid_one_step: float | None = None
    reason: str = ""


_MEASURED = ("parameters", "flops", "epochs", "seconds", "valid_rollout", "valid_one_step")


def summarise(run: Path, model: str, setting: str, seed: int, reason: str = "") -> RunSummary:
    """Read how far a run has come and how well it did.

    Args:
        run: Its directory, which may lack anything.
        model: Name of the model.
        setting: Name of the setting.
        seed: Its seed.
        reason: Why it failed, if it did.

    Raises:
        ValueError: If a file of the run is damaged.
    """
    info, rows = _info(run), _metrics(run)
    best = _best(run, info, rows)
    return RunSummary(
        model=model,
        setting=setting,
        seed=seed,
        status="failed" if reason else "finished" if info else "unfinished",
        parameters=info.parameters if info else None,
        flops=info.flops if info else None,
        epochs=len(rows) or None,
        seconds=info.training_seconds if info else rows[-1]["seconds"] if rows else None,
        valid_rollout=best.get("valid_rollout"),
        valid_one_step=best.get("valid_one_step"),
        reason=reason,
    )


def _info(run: Path) -> SurrogateInfo | None:
    path = run / "surrogate.json"
    if not path.exists():
        return None
    try:
        return SurrogateInfo.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path} does not describe a surrogate: {error}") from error


def _metrics(run: Path) -> list[dict[str, float]]:
    """The numbers of each finished epoch."""
    needed = ("epoch", "seconds", "valid_rollout", "valid_one_step", "stage")
    return _numbers(run / METRICS, needed, "metrics of a training")


def _numbers(path: Path, needed: Sequence[str], what: str) -> list[dict[str, float]]:
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{key: float(row[key]) for key in needed} for row in csv.DictReader(file)]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is damaged: it holds no {what}") from error


def _best(
    run: Path, info: SurrogateInfo | None, rows: Sequence[dict[str, float]]
) -> dict[str, float]:
    """The errors of the weights that were kept, or of the best ones so far, on their rung.

    Of a stage in which no epoch was better than the network that it began with they are those of
    that network, which are in `stages.csv` alone.
    """
    needed = ("stage", "resolution", "rollout_after", "one_step_after")
    reports = _numbers(run / STAGES, needed, "stages of a training")
    latest = [row for row in rows if row["stage"] == rows[-1]["stage"]]
    if reports and (not latest or latest[-1]["stage"] <= reports[-1]["stage"]):
        report = reports[-1]
        if info is not None and info.training_grid.resolution != report["resolution"]:
            return {}  # the next stage was begun, and no epoch of it finished
        return {
            "valid_rollout": report["rollout_after"],
            "valid_one_step": report["one_step_after"],
        }
    kept = [row for row in latest if info is not None and row["epoch"] == info.epochs] or latest
    return min(kept, key=lambda row: (row["valid_rollout"], row["valid_one_step"]), default={})


def read_summary(path: Path) -> list[RunSummary]:
    """The rows of a file; none if it is absent or damaged."""
    kinds = {field.name: field.type for field in fields(RunSummary)}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            told = [
                {name: _parsed(row[name], str(kind)) for name, kind in kinds.items()}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [RunSummary(**row) for row in told]


def _parsed(text: str, kind: str) -> Any:
    """A cell of a column of that type."""
    if kind in ("str", "Status"):
        return text
    if text == "":
        return None
    return float(text) if kind.startswith("float") else int(text)


def write_summary(path: Path, rows: Sequence[RunSummary]) -> None:
    """Replace the file by one row per run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(RunSummary))
    for row in rows:
        writer.writerow(
            f"{value:.6g}" if isinstance(value, float) else value for value in asdict(row).values()
        )
    write_atomically(path, text.getvalue().encode())


def summary_dataset(rows: Sequence[RunSummary]) -> xr.Dataset:
    """The columns of `summary.csv` over `(model, setting, seed)`; NaN for what is not known.

    Args:
        rows: One for every combination of the models, settings and seeds that occur.
    """
    labels = {
        name: list(dict.fromkeys(getattr(row, name) for row in rows))
        for name in ("model", "setting", "seed")
    }
    shape = tuple(map(len, labels.values()))
    columns: dict[str, Any] = {name: np.full(shape, np.nan) for name in _MEASURED}
    columns |= {name: np.full(shape, "", dtype=object) for name in ("status", "reason")}
    for row in rows:
        place = tuple(labels[name].index(getattr(row, name)) for name in labels)
        for name, values in columns.items():
            if getattr(row, name) is not None:
                values[place] = getattr(row, name)
    columns |= {name: columns[name].astype(str) for name in ("status", "reason")}
    return xr.Dataset({name: (tuple(labels), values) for name, values in columns.items()}, labels)


def summary_table(rows: Sequence[RunSummary]) -> str:
    """One line per model and setting, with means over the seeds, in aligned columns.

    Runs that are not finished are in no mean; the column `seeds` says how many are.

    Args:
        rows: Those of one model and setting next to each other.
    """
    with_settings = any(row.setting for row in rows)
    head = ["model", *(["setting"] if with_settings else []), "seeds", "parameters", "GFLOP"]
    lines = [[*head, "seconds", "valid_rollout", "valid_one_step"]]
    for (model, setting), group in groupby(rows, lambda row: (row.model, row.setting)):
        runs = list(group)
        finished = [run for run in runs if run.status == "finished"]
        count = str(len(runs)) if len(finished) == len(runs) else f"{len(finished)} of {len(runs)}"
        name = [model, *([setting] if with_settings else []), count]
        lines.append([*name, *_means(finished)] if finished else [*name, *["-"] * 5])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([*text, _explanation(rows)])


def _means(finished: Sequence[RunSummary]) -> list[str]:
    first = finished[0]
    return [
        f"{first.parameters or 0:,}",
        f"{(first.flops or 0) / 1e9:.3g}",
        f"{np.mean([run.seconds or 0.0 for run in finished]):.1f}",
        mean_and_interval([run.valid_rollout for run in finished]),
        mean_and_interval([run.valid_one_step for run in finished]),
    ]


def mean_and_interval(values: Iterable[float | None]) -> str:
    """The mean of some numbers and half the width of its 95% interval, if it has one.

    Example:
        >>> mean_and_interval([0.11, 0.12, 0.13]), mean_and_interval([0.11])
        ('0.12 ± 0.025', '0.11')
    """
    mean, low, high = student_interval([np.nan if v is None else v for v in values])
    return f"{mean:.4g}" if np.isnan(low) else f"{mean:.4g} ± {(high - low) / 2:.2g}"


def _explanation(rows: Sequence[RunSummary]) -> str:
    seeds = {row.seed for row in rows}
    if len(seeds) == 1:
        return f"validation errors of seed {seeds.pop()} alone: one seed gives no interval"
    return "validation errors: mean ± 95% interval over the seeds (Student's t)"
