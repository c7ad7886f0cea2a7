"""What does PDEBench's radial dam break cost, and how accurate is it?

128 x 128 cells to time 1 with 100 outputs, from one initial state, by our solver and, in turns, by
PyClaw, which PDEBench uses; one core. The errors are relative L1, of depth and of momentum at time
1, against our solver on a grid four times as fine.

    python -m benchmarks.dam_break [--pyclaw-python PATH] [--device cuda]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring import write_table
from pdesurrogate.data import load_recipe
from pdesurrogate.transfer import restrict

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results"
RECIPE = "radial_dam_break"
CELLS, FINER, FRAMES = 128, 4, 100
BATCHES = (1, 8)

Seen = dict[str, Tensor]


def start(resolution: int) -> Seen:
    """The first draw of the recipe's initial condition, a batch of one."""
    recipe = load_recipe(RECIPE)
    drawn = recipe.initial_condition.sample(np.random.default_rng(0), recipe.grid(resolution))
    return {name: u[None] for name, u in drawn.items()}


def run(resolution: int, batch: int, dtype: torch.dtype, device: str) -> tuple[float, Seen]:
    """Seconds per trajectory with every frame observed, and the last frame."""
    recipe = load_recipe(RECIPE)
    grid = recipe.grid(resolution)
    solver = recipe.equation.discretise(grid, recipe.frame_interval, dtype=dtype, device=device)
    fields = {name: u.expand(batch, -1, -1) for name, u in start(resolution).items()}
    with torch.inference_mode():
        state = solver.initialise(fields)
        solver.step(state)
        begun = _synchronised(device)
        frames = []
        for _ in range(FRAMES):
            state = solver.step(state)
            frames.append(solver.observe(state, grid))
        seconds = (_synchronised(device) - begun) / batch
    return seconds, {name: u[:1].double().cpu() for name, u in frames[-1].items()}


def _synchronised(device: str) -> float:
    """Now, once the device has done what it was told; on a CPU its own seconds only."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def reference(device: str) -> Seen:
    """The last frame of the finer run, observed on the grid of the others."""
    _, fine = run(FINER * CELLS, 1, torch.float64, device)
    recipe = load_recipe(RECIPE)
    grids = recipe.grid(FINER * CELLS), recipe.grid(CELLS)
    height = restrict(fine["height"], *grids)
    momenta = {
        name: restrict(fine["height"] * fine[name], *grids) / height
        for name in ("velocity_x", "velocity_y")
    }
    return {"height": height, **momenta}


def errors(seen: Seen, truth: Seen) -> dict[str, float]:
    """Relative L1 errors of depth and of momentum along x."""

    def relative(a: Tensor, b: Tensor) -> float:
        return float((a - b).abs().mean() / b.abs().mean())

    return {
        "depth_error": relative(seen["height"], truth["height"]),
        "momentum_error": relative(
            seen["height"] * seen["velocity_x"], truth["height"] * truth["velocity_x"]
        ),
    }


def pyclaw(python: Path) -> tuple[dict[str, Any], Seen]:
    """What the worker answers, and its last frame."""
    recipe = load_recipe(RECIPE)
    worker = Path(__file__).with_name("pyclaw_worker.py")
    with tempfile.TemporaryDirectory() as scratch:
        case = {
            "initial": f"{scratch}/start.npz",
            "out": f"{scratch}/end.npz",
            "domain": list(recipe.domain_extent),
            "num_outputs": FRAMES,
            "time": FRAMES * recipe.frame_interval,
        }
        np.savez(case["initial"], height=start(CELLS)["height"][0].numpy())
        done = subprocess.run(
            [python, worker, json.dumps(case)], stdout=subprocess.PIPE, text=True, check=True
        )
        frames = np.load(case["out"])
        seen = {name: torch.from_numpy(frames[name][-1:]) for name in frames.files}
    return json.loads(done.stdout.splitlines()[-1]), seen


def rows(python: Path | None, repeats: int, device: str) -> list[dict[str, Any]]:
    """One row per code, precision and batch; medians over turns."""
    truth = reference(device)
    cases = [(dtype, batch) for dtype in (torch.float32, torch.float64) for batch in BATCHES]
    seconds: dict[Any, list[float]] = {case: [] for case in cases}
    last: dict[Any, Seen] = {}
    peer: list[dict[str, Any]] = []
    for _ in range(repeats):
        for dtype, batch in cases:
            taken, last[dtype, batch] = run(CELLS, batch, dtype, device)
            seconds[dtype, batch].append(taken)
        if python:
            answer, last["peer"] = pyclaw(python)
            peer.append(answer)
    table = [
        {
            "code": "pdesurrogate",
            "dtype": str(dtype).removeprefix("torch."),
            "batch": batch,
            "seconds_per_trajectory": statistics.median(seconds[dtype, batch]),
            **errors(last[dtype, batch], truth),
        }
        for dtype, batch in cases
    ]
    if peer:
        table.append(
            {
                "code": f"PyClaw {peer[0]['clawpack']}",
                "dtype": "float64",
                "batch": 1,
                "seconds_per_trajectory": statistics.median(answer["cpu"] for answer in peer),
                **errors(last["peer"], truth),
            }
        )
    return table


def main() -> None:
    """Time the codes in turns and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--pyclaw-python",
        type=Path,
        default=os.environ.get("PYCLAW_PYTHON"),
        help="a Python that has clawpack; without it only our solver is timed",
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = rows(options.pyclaw_python, options.repeats, options.device)
    for row in table:
        for key, value in row.items():
            row[key] = f"{value:.3g}" if isinstance(value, float) else value
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    where = options.device
    if where.startswith("cuda"):
        where = torch.cuda.get_device_name(where)
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    write_table(table, where, versions, options.out / "dam_break.csv")


if __name__ == "__main__":
    main()
