"""How far is smoke in a box from the equation's solution, and what does an accurate answer cost?

One initial state as PDEArena draws it, without diffusion of smoke, is advanced to t = 15 (their
tenth step) by PDEArena's numerics and by our converging ones, on several grids. The error is the
relative L2 difference of the smoke from a simulation on a much finer grid, averaged over the cells
of the grid in question. CPU seconds are measured on one core and multiplied by 96 / 15 for a
trajectory of 64 steps of 1.5; the sub-steps of the converging scheme follow that ratio.

    python -m benchmarks.smoke_convergence [--phiflow-python PATH] [--reference 768] [--out CSV]

PATH, or the environment variable PHIFLOW_PYTHON, is a Python with `phiflow==2.1.0`; without it
PhiFlow's row is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before torch starts its threads; the child inherits it.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch

from benchmarks.measuring import write_table
from pdesurrogate.grids import ClosedBox
from pdesurrogate.initial_conditions import SmokeNoise
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import BuoyantSmoke, Equation, SemiLagrangianSmoke
from pdesurrogate.transfer import restrict

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "smoke_convergence.csv"
DOMAIN = (32.0, 32.0)
TIME, TRAJECTORY_TIME, STEP = 15.0, 96.0, 1.5


@dataclass(frozen=True)
class Case:
    """A discretisation: the equation says which numerics."""

    numerics: str
    equation: Equation
    num_points: int
    dt: float

    @property
    def grid(self) -> ClosedBox:
        """The box."""
        return box(self.num_points)


def box(num_points: int) -> ClosedBox:
    """The box with this many cells a side."""
    return ClosedBox((num_points, num_points), DOMAIN)


CASES = (
    Case("PDEArena's", SemiLagrangianSmoke(), 128, STEP),
    Case("PDEArena's", SemiLagrangianSmoke(), 256, STEP / 32),
    *(Case("converging", BuoyantSmoke(), n, STEP) for n in (64, 128, 192, 256, 384)),
)


def initial_fields(num_points: int) -> dict[str, torch.Tensor]:
    """The same function on every grid, a batch of one."""
    drawn = SmokeNoise().sample(np.random.default_rng(0), box(num_points))
    return {name: u[None] for name, u in drawn.items()}


def smoke_at_end(case: Case) -> tuple[torch.Tensor, float]:
    """The smoke at t = 15 and the CPU seconds until then."""
    solver = case.equation.discretise(case.grid, case.dt)
    start = solver.initialise(initial_fields(case.num_points))
    solver.step(start)
    cpu = time.process_time()
    end = repeat(solver.step, round(TIME / case.dt))(start)
    cpu = time.process_time() - cpu
    return solver.observe(end, case.grid)["smoke"], cpu


def phiflow_smoke(python: str) -> tuple[torch.Tensor, float]:
    """PDEArena's loop in PhiFlow itself."""
    with tempfile.TemporaryDirectory() as scratch:
        start, end = Path(scratch) / "start.npz", Path(scratch) / "end.npz"
        np.savez(start, smoke=initial_fields(128)["smoke"][0].numpy().astype(np.float32))
        case = {"initial": str(start), "out": str(end), "num_steps": round(TIME / STEP)}
        worker = Path(__file__).with_name("phiflow_worker.py")
        run = subprocess.run(
            [python, worker, json.dumps(case)], stdout=subprocess.PIPE, text=True, check=True
        )
        return torch.from_numpy(np.load(end)["smoke"][-1:]), json.loads(run.stdout)["cpu"]


def row(
    numerics: str, smoke: torch.Tensor, dt: float, cpu: float, truth: torch.Tensor
) -> dict[str, Any]:
    """One line of the table."""
    n = smoke.shape[-1]
    expected = restrict(truth, box(truth.shape[-1]), box(n))
    return {
        "numerics": numerics,
        "num_points": n,
        "dt": dt,
        "relative_l2_error": f"{float((smoke - expected).norm() / expected.norm()):.4f}",
        "cpu_seconds": f"{cpu:.2f}",
        "cpu_seconds_trajectory": f"{cpu * TRAJECTORY_TIME / TIME:.1f}",
    }


def main() -> None:
    """Run every case, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--phiflow-python", default=os.environ.get("PHIFLOW_PYTHON"))
    parser.add_argument("--reference", type=int, default=768, help="cells a side of the reference")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []

    def add(*values: Any) -> None:
        rows.append(row(*values, truth))
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)

    with torch.inference_mode():
        reference = Case("converging", BuoyantSmoke(), options.reference, STEP)
        truth, cpu = smoke_at_end(reference)
        print(f"reference: {options.reference} cells a side, {cpu:.0f} CPU s", flush=True)
        if options.phiflow_python:
            smoke, cpu = phiflow_smoke(options.phiflow_python)
            add("PhiFlow 2.1", smoke, STEP, cpu)
        else:
            print("No --phiflow-python was given: PhiFlow's row is left out.")
        for case in CASES:
            smoke, cpu = smoke_at_end(case)
            add(case.numerics, smoke, case.dt, cpu)
    versions = {
        "reference": f"{options.reference} cells a side",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    write_table(rows, "one thread", versions, options.out)


if __name__ == "__main__":
    main()
