"""What do Navier–Stokes trajectories cost, in seconds and in memory?

Three questions, each with a table of its own:

`peer`        PDEArena's smoke recipe (128 x 128, 64 steps of 1.5) by our code and by PhiFlow 2.1,
              from one initial state, on one core, in turns; and how far the fields are apart.
              CPU seconds of the loop over steps; PhiFlow's first step is not its slowest.
`resolution`  Seconds per frame of one trajectory and peak memory, for every recipe's equation on
              grids from 64 to 512 points, with steps as short as each grid needs; the exponent of
              the cost is fitted over the last factors of two.
`dataset`     Seconds per trajectory of `generate` at a recipe's default settings, one process and
              one per core, files written.

    python -m benchmarks.navier_stokes [--phiflow-python PATH] [--device cuda] [--questions peer …]

Measurements of memory and of `generate` run in processes of their own. The step of the periodic
equation is compared with exponax and jax-cfd by `benchmarks.spectral_step`.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from benchmarks.measuring import write_table
from pdesurrogate.data import Splits, generate, load_recipe
from pdesurrogate.data.simulate import draw_variants, start
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import Solver

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results"
SMOKE = "buoyant_smoke_pdearena"
SCALED = ("kolmogorov", "buoyant_smoke_pdearena", "buoyant_smoke", "cylinder_wake")
DATASETS = (*SCALED, "decaying_turbulence", "random_obstacles")
RESOLUTIONS = (64, 128, 256, 512)
SHORTEST = 1.0
"""Seconds that a timing lasts at least."""
LONG_ENOUGH = 20.0
"""Seconds that each process of a generation computes at least."""


def _in_a_process(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Call it where nothing else has used memory."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(function, *arguments).result()


def _peak_memory(whose: int = resource.RUSAGE_SELF) -> float:
    """Largest resident set of this process, or of one of its children, so far, in MB."""
    return resource.getrusage(whose).ru_maxrss / 1024


def _synchronised(device: str) -> float:
    """Now, once the device has done what it was told."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def frame_cost(name: str, resolution: int, batch: int, device: str) -> dict[str, Any]:
    """Seconds per frame of one trajectory on a grid, and the process's peak memory.

    The flow is developed on the coarsest grid first, where that costs little.
    """
    torch.set_num_threads(1)
    recipe, indices = load_recipe(name), range(batch)
    with torch.inference_mode():
        coarse = _solver(name, RESOLUTIONS[0], indices, device)
        steps = _steps(name, RESOLUTIONS[0]) * recipe.spin_up_frames
        state = repeat(coarse.step, steps)(start(recipe, coarse, "train", indices))
        solver, steps = _solver(name, resolution, indices, device), _steps(name, resolution)
        state = solver.initialise(
            coarse.observe(state, coarse.grid), recipe.spin_up_frames * recipe.frame_interval
        )
        state = solver.step(state)
        taken, begun = 0, _synchronised(device)
        while (elapsed := _synchronised(device) - begun) < SHORTEST or taken < 2:
            state = solver.step(state)
            taken += 1
    memory = _peak_memory()
    if device.startswith("cuda"):
        memory = torch.cuda.max_memory_allocated() / 2**20
    return {
        "recipe": name,
        "resolution": resolution,
        "batch": batch,
        "steps_per_frame": steps,
        "seconds_per_frame": elapsed / taken * steps / batch,
        "peak_memory_mb": memory,
    }


def _solver(name: str, resolution: int, indices: Sequence[int], device: str) -> Solver:
    """A recipe's solver on another grid, with steps as short as the grid needs."""
    recipe = load_recipe(name)
    return recipe.equation.discretise(
        recipe.grid(resolution),
        recipe.frame_interval / _steps(name, resolution),
        variants=draw_variants(recipe, "train", indices),
        dtype=getattr(torch, recipe.dtype),
        device=device,
    )


def resolution_rows(device: str) -> list[dict[str, Any]]:
    """Cost over the grid for every equation that a grid may be chosen for."""
    rows = []
    for name in SCALED:
        costs = {}
        for n in RESOLUTIONS:
            try:
                row = _in_a_process(frame_cost, name, n, 1, device)
            except ValueError as error:
                print(f"{name} at {n}: {error}")
                continue
            costs[n] = row["seconds_per_frame"]
            row["cost_exponent"] = _exponent(costs)
            rows.append(_printed(row))
    return rows


def _steps(name: str, resolution: int) -> int:
    recipe = load_recipe(name)
    return max(1, math.ceil(recipe.steps_per_frame * resolution / recipe.reference_resolution))


def _exponent(costs: dict[int, float]) -> float:
    """Slope of log cost over log points per side through the last three grids."""
    last = sorted(costs)[-3:]
    if len(last) < 2:
        return math.nan
    slope, _ = np.polyfit(np.log(last), np.log([costs[n] for n in last]), 1)
    return float(slope)


def dataset_cost(name: str, trajectories: int, workers: int, device: str) -> dict[str, Any]:
    """Seconds per trajectory of a recipe as it is shipped, without its accuracy measurement."""
    recipe = replace(load_recipe(name), splits=Splits(trajectories, 0, 0), accuracy_trajectories=0)
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.perf_counter()
        generate(recipe, Path(scratch) / "data", workers=workers, device=device)
        seconds = time.perf_counter() - begun
        size = sum(f.stat().st_size for f in (Path(scratch) / "data").rglob("*.nc"))
    every = sum(vars(load_recipe(name).splits).values())
    return {
        "recipe": name,
        "resolution": recipe.reference_resolution,
        "batch": recipe.batch_size,
        "workers": workers,
        "trajectories": trajectories,
        "seconds_per_trajectory": seconds / trajectories,
        "default_hours": seconds / trajectories * every / 3600,
        "default_gb": size / trajectories * every / 1e9,
        "peak_memory_mb": max(_peak_memory(), _peak_memory(resource.RUSAGE_CHILDREN)),
    }


def dataset_rows(
    names: Sequence[str], trajectories: int | None, device: str
) -> list[dict[str, Any]]:
    """Cost of whole datasets, one process and one per core."""
    cores = os.cpu_count() or 1
    rows = []
    for name in names:
        batch = load_recipe(name).batch_size
        once = _in_a_process(dataset_cost, name, batch, 1, device)
        for workers in sorted({1, cores} if device == "cpu" else {1}):
            # Long enough that starting the processes does not count.
            batches = math.ceil(LONG_ENOUGH / (once["seconds_per_trajectory"] * batch))
            count = trajectories or batch * workers * batches
            rows.append(_printed(_in_a_process(dataset_cost, name, count, workers, device)))
    return rows


def smoke_start() -> tuple[np.ndarray, Any]:
    """One initial smoke of PDEArena's kind and our solver in its recipe's setting."""
    recipe = load_recipe(SMOKE)
    solver = recipe.equation.discretise(recipe.grid(128), recipe.solver_time_step)
    drawn = recipe.initial_condition.sample(np.random.default_rng(0), solver.grid)
    return drawn["smoke"].float().numpy(), solver


def peer_rows(python: Path, repeats: int) -> list[dict[str, Any]]:
    """Our seconds per trajectory and PhiFlow's, in turns, and how far the fields differ."""
    torch.set_num_threads(1)
    smoke, solver = smoke_start()
    worker = Path(__file__).with_name("phiflow_worker.py")
    rows, theirs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        paths = {"initial": f"{scratch}/start.npz", "out": f"{scratch}/end.npz"}
        np.savez(paths["initial"], smoke=smoke)
        ours: dict[int, list[float]] = {1: [], 8: []}
        for _ in range(repeats):
            done = subprocess.run(
                [python, worker, json.dumps(paths)], stdout=subprocess.PIPE, text=True, check=True
            )
            theirs.append(json.loads(done.stdout))
            for batch, seconds in ours.items():
                seconds.append(_smoke_seconds(solver, smoke, batch))
        differences = _differences(solver, smoke, np.load(paths["out"])["smoke"])
    peer = statistics.median(answer["cpu"] for answer in theirs)
    for batch, seconds in ours.items():
        rows.append(
            {
                "recipe": SMOKE,
                "resolution": 128,
                "batch": batch,
                "seconds_per_trajectory": statistics.median(seconds),
                "peer": f"PhiFlow {theirs[0]['phiflow']}",
                "peer_seconds": peer,
                "times_faster": peer / statistics.median(seconds),
                **differences,
            }
        )
        _printed(rows[-1])
    return rows


def _smoke_seconds(solver: Any, smoke: np.ndarray, batch: int, steps: int = 64) -> float:
    """CPU seconds per trajectory."""
    with torch.inference_mode():
        state = _initialised(solver, smoke, batch)
        solver.step(state)
        begun = time.process_time()
        repeat(solver.step, steps)(state)
        return (time.process_time() - begun) / batch


def _initialised(solver: Any, smoke: np.ndarray, batch: int) -> Any:
    given = torch.from_numpy(smoke).expand(batch, -1, -1)
    nothing = torch.zeros_like(given)
    return solver.initialise({"smoke": given, "velocity_x": nothing, "velocity_y": nothing})


def _differences(solver: Any, smoke: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Relative L2 differences of the smoke after 10 and 56 steps."""
    out = {}
    state = _initialised(solver, smoke, 1)
    with torch.inference_mode():
        for number in range(1, 57):
            state = solver.step(state)
            if number in (10, 56):
                own = solver.observe(state, solver.grid)["smoke"][0].numpy()
                difference = np.linalg.norm(own - theirs[number - 1])
                out[f"difference_at_step_{number}"] = float(difference / np.linalg.norm(own))
    return out


def _printed(row: dict[str, Any]) -> dict[str, Any]:
    """Round a row, show it, and hand it on."""
    for key, value in row.items():
        if isinstance(value, float):
            row[key] = f"{value:.3g}"
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return row


def main() -> None:
    """Answer the questions that were asked and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--phiflow-python",
        type=Path,
        default=os.environ.get("PHIFLOW_PYTHON"),
        help="a Python that has phiflow 2.1; without it the question `peer` is skipped",
    )
    questions = ("peer", "resolution", "dataset")
    parser.add_argument("--questions", nargs="+", choices=questions, default=questions)
    parser.add_argument("--recipes", nargs="+", default=DATASETS, help="for `dataset`")
    parser.add_argument("--trajectories", type=int, help="for `dataset`; one batch per process")
    parser.add_argument("--repeats", type=int, default=3, help="for `peer`")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the tables")
    options = parser.parse_args()
    tables = {}
    if "peer" in options.questions and options.phiflow_python:
        tables["peer"] = peer_rows(Path(options.phiflow_python), options.repeats)
    elif "peer" in options.questions:
        print("No --phiflow-python was given: the comparison with PhiFlow is skipped.")
    if "resolution" in options.questions:
        tables["resolution"] = resolution_rows(options.device)
    if "dataset" in options.questions:
        tables["dataset"] = dataset_rows(options.recipes, options.trajectories, options.device)
    where = options.device
    if where.startswith("cuda"):
        where = torch.cuda.get_device_name(options.device)
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    for question, rows in tables.items():
        write_table(rows, where, versions, options.out / f"navier_stokes_{question}.csv")


if __name__ == "__main__":
    main()
