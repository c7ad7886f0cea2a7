"""What memory does an evaluation take, and does it grow with trajectories, frames, runs or workers?

A dataset of two rungs is written with the package's own writer, its frames smooth random fields
that drift: a simulation of that size would take hours and changes nothing here. Small untrained
networks and all baselines are evaluated on it as the command line does it, each case in a process
of its own, whose peak resident memory is taken, and that of its largest worker.

    python -m benchmarks.evaluation_memory [--resolution 512] [--case 2 10 1 1]

A case is a number of trajectories, steps, runs and workers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1")

import numpy as np
import torch
import xarray as xr

from benchmarks.measuring import memory_status, write_table
from pdesurrogate.data import Recipe, load_recipe, open_dataset
from pdesurrogate.data.schema import Manifest, Shard, ShardWriter, file_sha256
from pdesurrogate.evaluation import evaluate, parts_beside, remove_parts, write_evaluation
from pdesurrogate.fields import FieldStatistics
from pdesurrogate.models import MultiResNet
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.surrogate import Surrogate, SurrogateInfo

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "evaluation_memory.csv"
CASES = ((2, 10, 1, 1), (4, 10, 1, 1), (2, 50, 1, 1), (2, 10, 3, 1), (2, 10, 1, 2))
"""Trajectories, steps, runs, workers: a case, and each of them made larger."""

LARGEST_MODE = 12


def recipe_of(resolution: int, trajectories: int, num_frames: int) -> Recipe:
    """Kolmogorov flow on a coarse and a fine rung, test trajectories only."""
    return load_recipe(
        "kolmogorov",
        resolutions=[resolution // 4, resolution],
        reference_resolution=resolution,
        num_frames=num_frames,
        splits={"train": 0, "valid": 0, "test": trajectories},
        batch_size=1,
        accuracy_trajectories=0,
    )


def smooth_field(num_points: int, generator: np.random.Generator) -> np.ndarray:
    """A random periodic field without small scales, of unit variance."""
    spectrum = np.zeros((num_points, num_points // 2 + 1), complex)
    m = LARGEST_MODE
    spectrum[:m, :m] = generator.standard_normal((m, m, 2)) @ [1, 1j]
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum)
    return np.asarray(field / field.std(), np.float32)


def write_dataset(folder: Path, recipe: Recipe) -> None:
    """One shard for each trajectory, and the manifest."""
    shards = []
    for row in range(recipe.splits.test):
        file = f"test/shard-{row:05d}.nc"
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_trajectory(path, recipe, row)
        shards.append(Shard("test", file, row, 1, (), file_sha256(path), path.stat().st_size))
    Manifest(
        recipe=recipe.to_dict(),
        recipe_sha256=recipe.sha256,
        fields=recipe.equation.fields,
        diagnostics=recipe.equation.diagnostics,
        versions={},
        shards=tuple(shards),
    ).write(folder)


def write_trajectory(path: Path, recipe: Recipe, row: int) -> None:
    """A field drifts along x by a fifty-sixth of the domain a frame, on all rungs alike."""
    writer = ShardWriter(
        path,
        attributes={"title": recipe.title},
        indices=[row],
        seed=recipe.seed,
        times=recipe.frame_interval * np.arange(recipe.num_frames),
        grids={n: recipe.grid(n) for n in recipe.resolutions},
        equation=recipe.equation,
        parameters={},
    )
    finest = recipe.resolutions[-1]
    with closing(writer):
        for number, field in enumerate(recipe.equation.fields):
            drawn = smooth_field(finest, np.random.default_rng([row, number]))
            for frame in range(recipe.num_frames):
                moved = np.roll(drawn, frame * finest // 56, axis=1)
                for n in recipe.resolutions:
                    every = finest // n
                    writer.write(frame, n, field.name, moved[None, ::every, ::every], rows=[0])


def write_runs(folder: Path, data: Path, count: int) -> None:
    """Untrained networks of the coarse rung that predict all fields."""
    opened = open_dataset(data)
    fields = tuple(opened.fields.values())
    names, ones = tuple(opened.fields), (1.0,) * len(fields)
    grid = opened.grid(opened.resolutions[0])
    spec = MultiResNet(width=8, levels=2)
    for seed in range(count):
        torch.manual_seed(seed)
        info = SurrogateInfo(
            name="multi-resnet",
            model="MultiResNet",
            options=parts_to_plain(spec),
            fields=fields,
            history=1,
            time_step=opened.time_step,
            statistics=FieldStatistics(names, (0.0,) * len(fields), ones, ones),
            predicts_change=True,
            grid=grid.to_dict(),
            dataset=opened.name,
            dataset_sha256=opened.sha256,
            parameters=0,
            flops=0,
            training_seconds=0.0,
            epochs=0,
            seed=seed,
        )
        module = spec.build(info.in_channels, info.out_channels, grid)
        Surrogate(module, info).save(folder / f"seed-{seed}")


def evaluate_case(folder: Path, workers: int) -> None:
    """Do one case in this process and print what it took."""
    data, out = open_dataset(folder / "data"), folder / "evaluation.nc"
    before, begun = memory_status("VmRSS"), time.perf_counter()
    table: xr.DataTree = evaluate(
        sorted((folder / "runs").iterdir()),
        data,
        data.resolutions,
        ["native", "projected"],
        workers=workers,
        parts=parts_beside(out),
    )
    write_evaluation(table, out)
    remove_parts(parts_beside(out))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    told = {
        "libraries_mb": round(before),
        "peak_mb": round(memory_status("VmHWM")),
        "worker_peak_mb": round(children) if workers > 1 else "",
        "file_mb": round(out.stat().st_size / 1e6, 1),
        "seconds": round(time.perf_counter() - begun, 1),
    }
    print(json.dumps(told))


def measured(resolution: int, cases: list[tuple[int, ...]]) -> Iterator[dict[str, Any]]:
    """A row for every case."""
    for trajectories, steps, runs, workers in cases:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_dataset(folder / "data", recipe_of(resolution, trajectories, steps + 1))
            write_runs(folder / "runs", folder / "data", runs)
            words = ["--folder", scratch, "--workers", str(workers)]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.evaluation_memory", *words],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        sizes = {"trajectories": trajectories, "steps": steps, "runs": runs, "workers": workers}
        yield {"resolution": resolution, **sizes, **json.loads(done.stdout)}


def main() -> None:
    """Measure every case, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--resolution", type=int, default=512, help="points a side of the fine rung"
    )
    parser.add_argument("--case", type=int, nargs=4, action="append", help="sizes of one case")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        evaluate_case(options.folder, options.workers)
        return
    rows = []
    for row in measured(options.resolution, options.case or list(CASES)):
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    write_table(rows, "1 thread in each process", versions, options.out)


if __name__ == "__main__":
    main()
