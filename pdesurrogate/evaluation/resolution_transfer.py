"""The walk over the ladder: every run, on every grid, under every protocol, and the baselines."""

from __future__ import annotations

import itertools
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from torch import nn

from pdesurrogate.data import Ladder
from pdesurrogate.evaluation.assembly import Assembly
from pdesurrogate.evaluation.entries import SurrogateEntry
from pdesurrogate.evaluation.parts import PartsFolder, settings_of
from pdesurrogate.evaluation.pieces import Piece, combinations, cut
from pdesurrogate.evaluation.plan import Plan, plan_evaluation
from pdesurrogate.evaluation.protocols import TransferProtocol
from pdesurrogate.evaluation.provenance import library_versions, machine
from pdesurrogate.evaluation.timing import seconds_per_step
from pdesurrogate.evaluation.walk import Walk
from pdesurrogate.models import ModelSpec, Part
from pdesurrogate.progress import progress_display
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.workers import one_thread, results_of

__all__ = ["evaluate"]

log = logging.getLogger(__name__)


def evaluate(
    surrogates: Sequence[Surrogate | str | os.PathLike[str]],
    data: Ladder,
    resolutions: Sequence[int],
    protocols: Sequence[TransferProtocol | str] | None = None,
    *,
    split: str = "test",
    num_trajectories: int | None = None,
    num_steps: int | None = None,
    example_trajectory: int = 0,
    batch_size: int | None = None,
    workers: int = 1,
    parts: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    other_data: bool = False,
    device: str = "cpu",
    commands: Sequence[str] = (),
    specs: Sequence[type[ModelSpec | Part | nn.Module]] = (),
) -> xr.DataTree:
    """Roll every surrogate out on every grid and compare it with the truth and the baselines.

    Each rollout starts from the first frames of a trajectory: as many as the surrogate with the
    longest history needs, so that all are scored on the same frames at the same times. Surrogates
    that were trained on every k-th frame are evaluated on every k-th, from the first. The grid
    that a surrogate was trained on is always a row, under `native`; a surrogate is not run on
    grids coarser than that.

    Args:
        surrogates: Surrogates, or directories of finished runs.
        data: The dataset that they were trained on.
        resolutions: Rungs to evaluate on.
        protocols: Names of exported transfer protocols, or protocols of your own, each of which
            must go with some run and rung; None for those of `native`, `projected`, `transported`
            and `extended` that do.
        split: `train`, `valid` or `test`.
        num_trajectories: How many trajectories, from the first; all by default.
        num_steps: Frames to predict; as many as the dataset has by default.
        example_trajectory: The trajectory whose fields are kept for pictures.
        batch_size: Trajectories stepped at once; by default so many that some 64 frames of each
            fit in a quarter of a gigabyte, at most 16.
        workers: Processes of one thread each that share the rollouts out; 1 computes in this one,
            with one thread as well. The numbers do not depend on it. How long a step takes is
            measured afterwards in this process alone, with the threads that torch has here.
        parts: Folder for finished rollouts: called again with the same arguments, it goes on from
            what is there. Predicted fields in what is returned are read from there, so that the
            folder is needed until it is written; then `remove_parts` removes it. None to keep
            everything in memory.
        overwrite: Delete what `parts` holds of an evaluation with other settings.
        other_data: Whether surrogates that were trained on another dataset are welcome, if their
            fields and training grid are among this one's, and their time step is a multiple of its.
        device: Where to compute, `cpu` or `cuda`.
        commands: Command lines that lead to this evaluation, for whoever wants to repeat it.
        specs: Networks, specs and parts of your own that a run may be built from.

    Returns:
        The tree whose root holds the variables of `pdesurrogate.evaluation.schema`, nothing
        averaged, and whose groups `example_<resolution>` hold fields.

    Raises:
        ValueError: If a surrogate was trained on another dataset, the time steps of surrogates and
            data do not agree, a resolution is not in the dataset or below every training grid, a
            protocol is unknown, a number is too large, or `parts` holds something else.
        FileNotFoundError: If the directory of a run is absent or unfinished.
        KeyboardInterrupt: On Ctrl-C; with `parts`, calling it again continues.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    with one_thread():  # the trust in detail is measured here, and is a setting
        plan = plan_evaluation(
            surrogates,
            data,
            resolutions,
            protocols,
            split=split,
            num_trajectories=num_trajectories,
            num_steps=num_steps,
            other_data=other_data,
            device=device,
            specs=specs,
        )
    if example_trajectory not in plan.trajectories:
        raise ValueError(f"example_trajectory {example_trajectory} is not among those evaluated")
    pieces = cut(plan, example_trajectory, batch_size)
    folder = None if parts is None else PartsFolder(Path(parts))
    if folder is not None:
        settings = settings_of(plan, example_trajectory, batch_size, device)
        folder.claim(settings, overwrite=overwrite)
    assembly = Assembly(plan, pieces, example_trajectory, folder)
    assembly.root.attrs |= _attributes(plan, device, commands)
    walk = Walk(plan, device)
    _put_pieces(assembly, walk, pieces, folder, workers)
    _put_seconds(assembly, walk)
    return assembly.tree


def _put_pieces(
    assembly: Assembly,
    walk: Walk,
    pieces: Sequence[Piece],
    folder: PartsFolder | None,
    workers: int,
) -> None:
    """Compute what is not yet there, here or in other processes, and put it in its place."""
    missing = []
    for piece in pieces:
        if folder is not None and folder.holds(piece):
            assembly.put(piece, folder.read(piece))
        else:
            missing.append(piece)
    total = sum(piece.combination is not None for piece in pieces)
    kept = total - sum(piece.combination is not None for piece in missing)
    if kept:
        log.info("%d of %d rollouts are there and kept", kept, total)
    # A piece brings its own entry along; the others need not travel with it.
    stage = replace(walk, plan=replace(walk.plan, entries=(), protocols=()))
    results = results_of(partial(_do, stage, folder), missing, workers, None)
    done = itertools.count(kept + 1)
    with progress_display("evaluating", total, log, done=kept) as progress:
        for piece, result in _refusals_of_ours(results):
            assembly.put(piece, result)
            if piece.combination is not None:
                progress.step()
                progress.say(f"rollout {next(done)}/{total}  {piece.what}")


def _do(walk: Walk, folder: PartsFolder | None, piece: Piece) -> xr.Dataset:
    """Compute a piece in whichever process it lands; fields that are kept aside stay there."""
    with one_thread():
        result = walk.visit(piece)
    if folder is None:
        return result
    folder.write(piece, result)
    return result.drop_vars("prediction", errors="ignore")


def _refusals_of_ours(
    results: Iterator[tuple[Piece, xr.Dataset]],
) -> Iterator[tuple[Piece, xr.Dataset]]:
    """The same results; what another process refuses has lost the trace of who raised it."""
    try:
        yield from results
    except ValueError as error:
        raise ValueError(str(error)) from error


def _put_seconds(assembly: Assembly, walk: Walk) -> None:
    """Measure how long steps take, one after the other, when nobody else computes."""
    plan = walk.plan
    timed = [
        (combination, resolution)
        for resolution in plan.resolutions
        for combination in combinations(plan, resolution)
        if combination.entry.is_forecast
    ]
    frames = {n: walk.frames(n, slice(0, 1)) for n in plan.resolutions}
    with progress_display("timing", len(timed), log) as progress:
        for combination, resolution in timed:
            seconds = seconds_per_step(combination.entry, combination.protocol, frames[resolution])
            assembly.put_seconds(combination, resolution, seconds)
            progress.step()


def _attributes(plan: Plan, device: str, commands: Sequence[str]) -> dict[str, Any]:
    data = plan.data
    finest = data.grid(plan.resolutions[-1])
    return {
        "title": f"Resolution transfer on {data.name}",
        "dataset": data.name,
        "dataset_path": str(data.path),
        "physics": _physics(data),
        "trained_on": _trained_on(plan),
        "dataset_sha256": data.sha256,
        "split": plan.split,
        "resolutions": list(plan.resolutions),
        "columns_per_row": finest.num_points[1] / finest.num_points[0],
        "history": plan.history,
        "num_steps": plan.num_steps,
        "frame_stride": data.frame_stride,
        "time_units": data.equation.time_units,
        "versions": json.dumps(library_versions()),
        "machine": machine(device),
        "commands": json.dumps(list(commands)),
    }


def _trained_on(plan: Plan) -> str:
    """Which surrogates learned from other data, and from which."""
    data = plan.data
    infos = [e.surrogate.info for e in plan.entries if isinstance(e, SurrogateEntry)]
    others = [f"{i.name} on {i.dataset}" for i in infos if i.dataset_sha256 != data.sha256]
    return ", ".join(others) or data.name


def _physics(data: Ladder) -> str:
    """The equation in words, and what differs from trajectory to trajectory."""
    drawn = [f"{path} from {law}" for path, law in data.recipe.parameters.items()]
    differing = f"; per trajectory {', '.join(drawn)}" if drawn else ""
    return f"{data.recipe.title}: {data.equation}{differing}"
