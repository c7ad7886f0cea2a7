"""Trainings that belong together: models, settings and seeds on the same windows."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
import xarray as xr

from pdesurrogate.data import Ladder
from pdesurrogate.locks import LOCK, held
from pdesurrogate.models import ModelSpec
from pdesurrogate.progress import progress_display
from pdesurrogate.training.agreement import require_agreement
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.distributed import is_launched
from pdesurrogate.training.rehearsal import rehearse
from pdesurrogate.training.run_directory import RunDirectory
from pdesurrogate.training.summary import (
    RunSummary,
    read_summary,
    summarise,
    summary_dataset,
    write_summary,
)
from pdesurrogate.training.trainer import train
from pdesurrogate.workers import one_thread, results_of

__all__ = ["SUMMARY", "PlannedRun", "carry_out", "planned_runs", "sweep"]

log = logging.getLogger(__name__)

SUMMARY = "summary.csv"
"""In a sweep's folder: one row per run."""

_ONE_AT_A_TIME = threading.Lock()
"""The workers of a cluster may have several threads, but torch has one random state."""


@dataclass(frozen=True)
class PlannedRun:
    """One training of a sweep.

    Args:
        model: Name of the model in the summary.
        setting: Name of the setting there; empty if there is but one.
        spec: The model.
        config: How to train it, the seed included.
        folder: Directory of the run, within the sweep's.
        name: How tables and pictures call the surrogate.
    """

    model: str
    setting: str
    spec: ModelSpec
    config: TrainingConfig
    folder: str
    name: str


def sweep(
    models: Mapping[str, ModelSpec],
    data: Ladder,
    resolution: int,
    out: str | os.PathLike[str],
    config: TrainingConfig | Mapping[str, TrainingConfig] | None = None,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """Train every model with every setting and every seed.

    The runs of one seed see the same windows in the same order, whatever the model. Everything is
    checked before the first training begins. Called again, it continues: finished runs are kept,
    interrupted ones and those whose time was over are resumed, those that failed are tried again. A
    run whose loss leaves the finite numbers is recorded with its reason, and the others go on.

    Args:
        models: The models by name.
        data: The dataset.
        resolution: The rung to train on.
        out: Folder of the sweep; it receives `<model>/seed-<seed>/` for every run, or
            `<model>_<setting>/seed-<seed>/` if the settings have names, and `summary.csv`.
        config: How to train; several settings by name. None for the defaults. The seed in it does
            not count.
        seeds: What to train each model with.
        workers: Processes, of one thread each; 1 trains in this one, with the threads that torch
            has here. Another number of threads changes weights by rounding.
        scheduler: Address of a running dask scheduler whose workers share the file system;
            replaces `workers` (needs the extra `distributed`).
        overwrite: Train anew where `out` holds runs of other settings.

    Returns:
        The columns of `summary.csv` over `(model, setting, seed)`: `status` (`finished` or
        `failed`), `reason`, `parameters`, `flops`, `epochs`, `seconds`, and of the best epoch
        `valid_rollout` and `valid_one_step`.

    Raises:
        ValueError: If a name, a seed or a setting does not do, a model does not fit the data, or
            `out` holds something else or is in use by another sweep.
        KeyboardInterrupt: On Ctrl-C; calling it again continues.

    Example:
        ```python
        models = {"multi-resnet": MultiResNet(width=24), "fno": FNO(width=14)}
        table = ps.sweep(models, data, 32, "sweeps/first", ps.TrainingConfig(epochs=20))
        table.valid_rollout.mean("seed")
        ```
    """
    settings = config if isinstance(config, Mapping) else {"": config or TrainingConfig()}
    runs = planned_runs(models, settings, seeds)
    rows = carry_out(
        runs,
        data,
        resolution,
        Path(out),
        workers=workers,
        scheduler=scheduler,
        overwrite=overwrite,
    )
    return summary_dataset(rows)


def planned_runs(
    models: Mapping[str, ModelSpec], settings: Mapping[str, TrainingConfig], seeds: Sequence[int]
) -> list[PlannedRun]:
    """The runs of a sweep, in the order in which they are begun.

    Args:
        models: The models by name.
        settings: The settings by name; the name of a single one may be empty.
        seeds: The seeds.

    Raises:
        ValueError: If there is nothing to do, a seed is repeated, or names do not make folders.
    """
    for kind, given in (("models", models), ("settings", settings), ("seeds", seeds)):
        if not given:
            raise ValueError(f"{kind} must name at least one, got none")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must name each seed once, got {list(seeds)}")
    runs = []
    for model, spec in models.items():
        for setting, config in settings.items():
            name = f"{model}_{setting}" if setting else model
            if not re.fullmatch(r"\w[\w.+-]*", name):
                raise ValueError(
                    f"{name!r} is to be the name of a folder: letters, digits and . + - _ will do"
                )
            runs += [
                PlannedRun(
                    model, setting, spec, replace(config, seed=seed), f"{name}/seed-{seed}", name
                )
                for seed in seeds
            ]
    folders = [run.folder for run in runs]
    if twice := {folder for folder in folders if folders.count(folder) > 1}:
        raise ValueError(f"two of the runs would be in {sorted(twice)[0]}: rename model or setting")
    return runs


def carry_out(
    runs: Sequence[PlannedRun],
    data: Ladder,
    resolution: int,
    out: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
) -> list[RunSummary]:
    """Train what is not yet trained; see `sweep`.

    Args:
        runs: The runs.
        data: The dataset.
        resolution: The rung to train on.
        out: Folder of the sweep.
        workers: Processes; 1 trains in this one.
        scheduler: Address of a running dask scheduler, which replaces `workers`.
        overwrite: Train anew where there are runs of other settings.

    Returns:
        One row per run, in the order of `runs`.

    Raises:
        ValueError: Before anything is written or trained.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if is_launched():
        raise ValueError("several trainings are not started by torchrun: give workers or scheduler")
    data.grid(resolution)  # refuses one that is no rung, which is no model's fault
    jobs = _jobs(runs, data, resolution, out, overwrite)
    _rehearse(jobs, data, resolution, is_elsewhere=scheduler is not None)
    with held(out):
        return _trained(runs, jobs, data, resolution, out, workers, scheduler)


def _trained(
    runs: Sequence[PlannedRun],
    jobs: Sequence[_Job],
    data: Ladder,
    resolution: int,
    out: Path,
    workers: int,
    scheduler: str | None,
) -> list[RunSummary]:
    """Do the jobs, and keep the summary of all runs up to date."""
    rows = {run.folder: _summary(run, out) for run in runs}
    for run in (job.run for job in jobs if job.overwrite):
        rows[run.folder] = RunSummary(run.model, run.setting, run.config.seed)
    others = _others(out, list(rows.values()))
    write_summary(out / SUMMARY, [*others, *rows.values()])
    is_shared = workers > 1 or scheduler is not None
    if scheduler is not None:  # whose workers are in folders of their own
        data, out = copy(data), out.absolute()
        data.path = data.path.absolute()
    work = partial(_train, data, resolution, out, is_shared)
    results = results_of(work, jobs, workers, scheduler)
    for job, row in _told(results, len(jobs), is_shared):
        rows[job.run.folder] = row
        write_summary(out / SUMMARY, [*others, *rows.values()])
    return list(rows.values())


def _others(out: Path, ours: Sequence[RunSummary]) -> list[RunSummary]:
    """What the summary says of runs that are still there and are none of these."""

    def key(row: RunSummary) -> tuple[str, str, int]:
        return row.model, row.setting, row.seed

    known = {key(row) for row in ours}
    return [
        row
        for row in read_summary(out / SUMMARY)
        if key(row) not in known
        and any(
            (out / folder / f"seed-{row.seed}").is_dir()
            for folder in ("", f"{row.model}_{row.setting}" if row.setting else row.model)
        )
    ]


@dataclass(frozen=True)
class _Job:
    """A run to begin, to resume, or to begin anew."""

    run: PlannedRun
    overwrite: bool


def _jobs(
    runs: Sequence[PlannedRun], data: Ladder, resolution: int, out: Path, overwrite: bool
) -> list[_Job]:
    """What is not finished, once it is known that everything may be continued or replaced."""
    _claim(out, runs)
    jobs = []
    for run in runs:
        path = out / run.folder
        try:
            require_agreement(path, run.spec, data, resolution, run.config)
        except ValueError:
            if not overwrite:
                raise
            RunDirectory(path).check({}, resume=False, overwrite=True)
            jobs.append(_Job(run, overwrite=True))
            continue
        if _is_done(run, out):
            log.info("%s is finished and kept", run.folder)
        else:
            jobs.append(_Job(run, overwrite=False))
    return jobs


def _is_done(run: PlannedRun, out: Path) -> bool:
    """Whether it is finished, with all its epochs or with nothing left to go on from."""
    directory, stages = RunDirectory(out / run.folder), run.config.stages
    if not directory.is_finished or not directory.last.exists():
        return directory.is_finished
    wanted = run.config.epochs if stages is None else sum(stage.epochs for stage in stages)
    return (_summary(run, out).epochs or 0) >= wanted


def _claim(out: Path, runs: Sequence[PlannedRun]) -> None:
    """Refuse a folder in which something else lies; nothing is written."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file, not a folder for runs")
    if not out.is_dir() or {entry.name for entry in out.iterdir()} <= {LOCK}:
        return
    if not any((out / known).exists() for known in (SUMMARY, *(run.folder for run in runs))):
        raise ValueError(f"{out} is not empty and holds none of these runs; choose another folder")


def _rehearse(jobs: Sequence[_Job], data: Ladder, resolution: int, is_elsewhere: bool) -> None:
    """Refuse what could not be trained: one seed stands for all."""
    for run in {job.run.name: job.run for job in jobs}.values():
        # The device is one of this machine's only if the training is here.
        config = replace(run.config, device="cpu") if is_elsewhere else run.config
        try:
            rehearse(run.spec, data, resolution, config)
        except ValueError as error:
            error.args = (f"{run.name}: {error}",)
            raise


def _train(data: Ladder, resolution: int, out: Path, is_shared: bool, job: _Job) -> RunSummary:
    """Do one run, in whichever process it lands."""
    run, path = job.run, out / job.run.folder
    log.info("training %s", run.folder)
    with _ONE_AT_A_TIME, one_thread() if is_shared else nullcontext():
        try:
            train(
                run.spec,
                data,
                resolution,
                path,
                run.config,
                resume=not job.overwrite,
                overwrite=job.overwrite,
                # The directory's own name, such as seed-0, would say little beside other models.
                name=run.name,
            )
        except (ValueError, torch.cuda.OutOfMemoryError) as error:
            log.debug("%s failed", run.folder, exc_info=error)
            return _summary(run, out, " ".join(str(error).split()))
    return _summary(run, out)


def _summary(run: PlannedRun, out: Path, reason: str = "") -> RunSummary:
    return summarise(out / run.folder, run.model, run.setting, run.config.seed, reason)


def _told(
    results: Iterator[tuple[_Job, RunSummary]], total: int, is_shared: bool
) -> Iterator[tuple[_Job, RunSummary]]:
    """The same results, each with a line; a training in this process has a bar of its own."""
    with progress_display("training", total, log) if is_shared else nullcontext() as progress:
        for number, (job, row) in enumerate(results, start=1):
            yield job, row
            line = f"{job.run.folder} {row.status}: {number} of {total}"
            if row.reason:
                line = f"{line}; {row.reason}"
            if progress is None:
                log.info(line)
            else:
                progress.step()
                progress.say(line)
