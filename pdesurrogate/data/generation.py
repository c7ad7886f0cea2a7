"""Generation of datasets: shards computed in parallel, finished ones kept, the rest resumed."""

from __future__ import annotations

import contextlib
import logging
import platform
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import yaml

from pdesurrogate.data.accuracy import measure_accuracy
from pdesurrogate.data.checks import check_limits, check_start
from pdesurrogate.data.recipe import Recipe, Splits, load_recipe
from pdesurrogate.data.schema import (
    MANIFEST,
    SPLITS,
    Manifest,
    Shard,
    ShardWriter,
    file_sha256,
)
from pdesurrogate.data.simulate import Failure, simulate, trajectory_parameters
from pdesurrogate.data.store import Ladder
from pdesurrogate.devices import check_device
from pdesurrogate.files import PARTIAL, replaced_atomically, write_atomically
from pdesurrogate.progress import progress_display
from pdesurrogate.workers import one_thread, results_of

__all__ = ["generate"]

log = logging.getLogger(__name__)

MAX_HALVINGS = 2
"""How often a failed trajectory is tried again with half the time step."""


@dataclass(frozen=True)
class _Job:
    """One shard to compute."""

    split: str
    number: int
    first: int
    count: int

    @property
    def file(self) -> str:
        return f"{self.split}/shard-{self.number:05d}.nc"

    @property
    def description(self) -> str:
        return "discretisation error measured" if self == _ACCURACY else f"{self.file} written"


_ACCURACY = _Job("accuracy", 0, 0, 0)
"""Not a shard: the measurement of the discretisation error, done beside them."""


def generate(
    recipe: str | Path | Recipe,
    out: str | Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    **overrides: Any,
) -> Ladder:
    """Simulate a recipe's trajectories and write them as a dataset.

    Finished shards are kept: calling it again with the same recipe continues, with larger splits
    extends. What a trajectory is does not depend on workers, order, restarts or split sizes.

    Args:
        recipe: A shipped recipe's name, a YAML file, or a `Recipe`.
        out: The dataset's folder.
        workers: Processes; 1 computes in this one.
        scheduler: Address of a running dask scheduler whose workers share the file system;
            replaces `workers` (needs the extra `distributed`).
        device: `cpu` or `cuda`.
        overwrite: Replace a dataset of another recipe in `out`.
        overrides: Recipe fields to replace, such as `resolutions=[32, 64]`.

    Returns:
        The opened dataset.

    Raises:
        FileNotFoundError: If there is no such recipe.
        ValueError: If a recipe field is wrong, `out` holds something else, the device is absent,
            or every trajectory failed.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe, **overrides)
    elif overrides:
        recipe = replace(recipe, **overrides)
    check_device(device)
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    folder = Path(out)
    check_limits(recipe)
    if not _is_begun(folder, recipe):
        check_start(recipe, device)
    manifest = _prepare(folder, recipe, overwrite)
    wanted = replace(recipe, splits=Splits(**manifest.recipe["splits"]))
    jobs: list[_Job] = _missing(wanted, manifest, folder)
    if recipe.accuracy_trajectories and not manifest.accuracy:
        jobs.insert(0, _ACCURACY)
    if jobs:
        work = partial(_do, wanted, folder, device)
        results = results_of(work, jobs, workers, scheduler)
        manifest = _collect(wanted, folder, manifest, results, len(jobs))
    _check_failures(recipe, folder, manifest)
    return Ladder(folder)


def _is_begun(folder: Path, recipe: Recipe) -> bool:
    """Whether the folder holds a dataset of this very recipe."""
    return (folder / MANIFEST).is_file() and Manifest.read(folder).recipe_sha256 == recipe.sha256


def _prepare(folder: Path, recipe: Recipe, overwrite: bool) -> Manifest:
    """The manifest to continue from, after making sure that `folder` is ours to write in."""
    fresh = Manifest(
        recipe=recipe.to_dict(),
        recipe_sha256=recipe.sha256,
        fields=recipe.equation.fields,
        diagnostics=recipe.equation.diagnostics,
        versions=_versions(),
    )
    if (folder / MANIFEST).is_file():
        present = Manifest.read(folder)
        if present.recipe_sha256 == recipe.sha256:
            if present.versions != fresh.versions:
                log.warning("%s was begun with other versions: %s", folder, present.versions)
            fresh = replace(
                present, recipe={**recipe.to_dict(), "splits": _larger(present, recipe)}
            )
        elif overwrite:
            _clear(folder)
        else:
            raise ValueError(
                f"{folder} holds another dataset ({_difference(present.recipe, recipe.to_dict())}"
                "); choose another folder or give --overwrite"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        # Nothing says that this is a dataset: --overwrite must not delete somebody's files.
        raise ValueError(f"{folder} exists and is no dataset; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for left_behind in folder.glob(f"**/.*{PARTIAL}"):
        left_behind.unlink()
    text = yaml.safe_dump(fresh.recipe, sort_keys=False, allow_unicode=True)
    write_atomically(folder / "recipe.yaml", text.encode())
    fresh.write(folder)
    return fresh


def _clear(folder: Path) -> None:
    """Delete a dataset's own files, and nothing else that may lie there."""
    for split in SPLITS:
        shutil.rmtree(folder / split, ignore_errors=True)
    for name in (MANIFEST, "recipe.yaml"):
        (folder / name).unlink(missing_ok=True)


def _larger(present: Manifest, recipe: Recipe) -> dict[str, int]:
    """Split sizes that keep what is there and hold what is wanted."""
    return {s: max(present.recipe["splits"][s], getattr(recipe.splits, s)) for s in SPLITS}


def _difference(present: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> str:
    """Name the first field in which two recipes differ."""
    for key in (*wanted, *(key for key in present if key not in wanted)):
        here, there = present.get(key), wanted.get(key)
        if here == there or (not prefix and key in ("splits", "title", "references")):
            continue
        name = prefix if key == "init_args" else f"{prefix}.{key}".strip(".")
        if key == "class_path":
            return f"{prefix} is {here}, not {there}"
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            return _difference(here, there, name)
        return f"{name} is {here}, not {there}"
    return "of another recipe"


def _missing(recipe: Recipe, manifest: Manifest, folder: Path) -> list[_Job]:
    """The shards that are not there yet, or that hold fewer trajectories than wanted."""
    finished = {s.file: s for s in manifest.shards}
    jobs = []
    for split in SPLITS:
        total = getattr(recipe.splits, split)
        for number, first in enumerate(range(0, total, recipe.batch_size)):
            job = _Job(split, number, first, min(recipe.batch_size, total - first))
            shard, path = finished.get(job.file), folder / job.file
            whole = shard and path.is_file() and path.stat().st_size == shard.size
            if not whole or not shard or shard.trajectories < job.count:
                jobs.append(job)
    return jobs


def _collect(
    recipe: Recipe,
    folder: Path,
    manifest: Manifest,
    results: Iterator[tuple[_Job, Any]],
    total: int,
) -> Manifest:
    """Record each result in the manifest as it comes."""
    started, before = time.monotonic(), manifest.wall_seconds
    with progress_display(f"generating {recipe.name}", total, log) as progress:
        for number, (job, result) in enumerate(results, start=1):
            if job == _ACCURACY:
                manifest = replace(manifest, accuracy=result)
            else:
                manifest = manifest.with_shard(result)
            manifest = replace(manifest, wall_seconds=before + time.monotonic() - started)
            manifest.write(folder)
            progress.step()
            progress.say(f"{job.description}: {number} of {total}")
    return manifest


def _do(recipe: Recipe, folder: Path, device: str, job: _Job) -> Any:
    """Run one job in whichever process it lands."""
    with one_thread():
        if job == _ACCURACY:
            return measure_accuracy(recipe, device)
        return _compute_shard(recipe, folder, job, device)


def _compute_shard(recipe: Recipe, folder: Path, job: _Job, device: str) -> Shard:
    """Simulate one shard's trajectories and write its file.

    A whole batch is always computed and the surplus dropped, so that a trajectory does not depend
    on the size of its split. Trajectories that fail are computed again with half the step.
    """
    path = folder / job.file
    path.parent.mkdir(parents=True, exist_ok=True)
    indices = range(job.first, job.first + recipe.batch_size)
    kept = indices[: job.count]
    times = recipe.frame_interval * np.arange(recipe.num_frames)
    with replaced_atomically(path) as aside:
        writer = ShardWriter(
            aside,
            attributes={
                "title": recipe.title,
                "source": f"pdesurrogate, recipe {recipe.name}, split {job.split}",
                "references": "; ".join(recipe.references),
                "recipe_sha256": recipe.sha256,
            },
            indices=kept,
            seed=recipe.seed,
            times=times,
            grids={n: recipe.grid(n) for n in recipe.resolutions},
            equation=recipe.equation,
            parameters=_parameter_table(recipe, job.split, kept),
        )
        with contextlib.closing(writer):
            failures = _write_trajectories(recipe, job, indices, writer, device)
    return Shard(
        split=job.split,
        file=job.file,
        first=job.first,
        trajectories=job.count,
        failed=tuple(sorted(indices[row] for row in failures)),
        sha256=file_sha256(path),
        size=path.stat().st_size,
    )


def _parameter_table(recipe: Recipe, split: str, indices: Sequence[int]) -> dict[str, list[float]]:
    """The parameters drawn for some trajectories, by path."""
    drawn = [trajectory_parameters(recipe, split, i) for i in indices]
    return {path: [d[path] for d in drawn] for path in recipe.parameters}


def _write_trajectories(
    recipe: Recipe, job: _Job, indices: range, writer: ShardWriter, device: str
) -> dict[int, str]:
    """Simulate and store, with retries; returns the reasons of those that failed for good."""
    pending = list(range(job.count))
    for halvings in range(MAX_HALVINGS + 1):
        failures: dict[int, str] = {}

        def note(failure: Failure, failures: dict[int, str] = failures) -> None:
            failures[failure.row] = failure.reason

        frames = simulate(
            recipe, job.split, indices, refinement=2**halvings, device=device, on_failure=note
        )
        for number, frame in enumerate(frames):
            for resolution, fields in frame.rungs.items():
                for name, values in fields.items():
                    writer.write(number, resolution, name, values.numpy(), rows=pending)
            for name, values in frame.diagnostics.items():
                writer.write_diagnostic(number, name, values.numpy(), rows=pending)
        writer.write_time_step(recipe.solver_time_step / 2**halvings, rows=pending)
        pending = [row for row in pending if row in failures]
        if not pending:
            return {}
    for row in pending:
        writer.fail(row, failures[row])
        log.warning("%s: recorded as failed", failures[row])
    return {row: failures[row] for row in pending}


def _check_failures(recipe: Recipe, folder: Path, manifest: Manifest) -> None:
    """Refuse a dataset in which nothing succeeded; partial failures were logged as they came."""
    failed = sum(len(s.failed) for s in manifest.shards)
    if not failed or failed < sum(s.trajectories for s in manifest.shards):
        return
    with netCDF4.Dataset(folder / manifest.shards[0].file) as file:
        first = file["failure"][0]
    raise ValueError(
        f"every trajectory of {recipe.name} failed even at "
        f"{recipe.steps_per_frame * 2**MAX_HALVINGS} steps per frame; raise steps_per_frame "
        f"(and give --overwrite); the first failure: {first}"
    )


def _versions() -> dict[str, str]:
    names = ("pdesurrogate", "torch", "numpy", "netCDF4")
    return {"python": platform.python_version()} | {n: metadata.version(n) for n in names}
