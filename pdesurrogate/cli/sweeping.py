"""Several trainings by one command: the seeds of one model, or all that a file asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pdesurrogate.cli.parsing import Parser, UsageError
from pdesurrogate.cli.sweep_file import read_sweep
from pdesurrogate.data import open_dataset
from pdesurrogate.training import TrainingConfig
from pdesurrogate.training.run_directory import RunDirectory
from pdesurrogate.training.summary import RunSummary, mean_and_interval, summary_table
from pdesurrogate.training.sweep import PlannedRun, carry_out, planned_runs

__all__ = ["refuse_two_kinds_of_seeds", "run_sweep", "sweep_parser", "train_seeds"]


def refuse_two_kinds_of_seeds(arguments: Sequence[str]) -> None:
    """Raise if a command line gives `--seed` and `--seeds`.

    Raises:
        UsageError: A `seed` in a configuration file is no such mistake: `train` writes one.
    """
    options = {argument.partition("=")[0] for argument in arguments}
    if {"--seed", "--seeds"} <= options:
        raise UsageError("--seed and --seeds exclude each other: one run, or one for each seed")


def train_seeds(arguments: Any, config: TrainingConfig) -> None:
    """Train one run for each of `--seeds`, each in a folder of its own.

    Args:
        arguments: Those of `train`.
        config: How to train, but for the seed.

    Raises:
        ValueError: If a run is there and is neither to be continued nor replaced, or one failed.
    """
    out = Path(arguments.out)
    model = type(arguments.model).__name__
    planned = planned_runs({model: arguments.model}, {"": config}, arguments.seeds)
    runs = [
        replace(run, folder=f"seed-{run.config.seed}", name=out.resolve().name) for run in planned
    ]
    if not arguments.resume and not arguments.overwrite:
        for run in runs:
            RunDirectory(out / run.folder).check({}, resume=False, overwrite=False)
    rows = carry_out(
        runs,
        open_dataset(arguments.data),
        arguments.resolution,
        out,
        overwrite=arguments.overwrite,
    )
    finished = [row for row in rows if row.status == "finished"]
    for run, row in zip(runs, rows, strict=True):
        if row in finished:
            print(f"{out / run.folder}: {row.parameters:,} parameters")
    if finished:
        print(_mean_over_seeds(finished))
    _refuse_failures(runs, rows)


def _mean_over_seeds(finished: Sequence[RunSummary]) -> str:
    errors = {
        "valid_rollout": mean_and_interval([row.valid_rollout for row in finished]),
        "valid_one_step": mean_and_interval([row.valid_one_step for row in finished]),
    }
    told = ", ".join(f"{name} {value}" for name, value in errors.items())
    if len(finished) == 1:
        return f"{told} (one seed gives no interval)"
    return f"{told} (mean ± 95% interval over {len(finished)} seeds)"


def sweep_parser() -> Parser:
    """The parser of `sweep`."""
    parser = Parser(
        description="Train every model with every setting and every seed that a file asks for; "
        "called again, continue."
    )
    parser.add_argument("file", type=str, help="a YAML file: models, seeds, settings, resolution")
    parser.add_argument("--out", type=str, required=True, help="folder of the runs and the summary")
    parser.add_argument(
        "--data", type=str | None, default=None, help="folder of the dataset; replaces the file's"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each")
    parser.add_argument(
        "--scheduler", type=str | None, default=None, help="address of a dask scheduler"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="train anew where there are runs of other settings"
    )
    return parser


def run_sweep(arguments: Any) -> None:
    """Train what a file asks for and print a table of means.

    Args:
        arguments: Those of `sweep`.

    Raises:
        ValueError: If the file is wrong, which is said before anything is trained, or a run failed.
    """
    wanted = read_sweep(Path(arguments.file))
    data = arguments.data or wanted.data
    if data is None:
        raise UsageError(f"missing: --data, or `data` in {arguments.file}")
    runs = planned_runs(wanted.models, wanted.settings, wanted.seeds)
    rows = carry_out(
        runs,
        open_dataset(data),
        wanted.resolution,
        Path(arguments.out),
        workers=arguments.workers,
        scheduler=arguments.scheduler,
        overwrite=arguments.overwrite,
    )
    print(summary_table(rows))
    _refuse_failures(runs, rows)


def _refuse_failures(runs: Sequence[PlannedRun], rows: Sequence[RunSummary]) -> None:
    """Raise after everything else is done and told."""
    failed = [(run, row) for run, row in zip(runs, rows, strict=True) if row.status == "failed"]
    if failed:
        run, row = failed[0]
        raise ValueError(
            f"{len(failed)} of {len(rows)} runs failed; the first, {run.folder}: {row.reason}"
        )
