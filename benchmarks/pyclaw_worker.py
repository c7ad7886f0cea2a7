"""A dam break by PyClaw; started by other benchmarks with a Python that has clawpack.

The solver is PyClaw's classic one with the settings of PDEBench's generator: Roe's Riemann solver
with an entropy fix, the monotonised central limiter, dimensional splitting, Courant number 0.9 and
open sides. It imports nothing of pdesurrogate.

    CLAWPACK_PYTHON benchmarks/pyclaw_worker.py '{"initial": "start.npz", "out": "end.npz", …}'

The one argument is a JSON object:

    initial      .npz with `height`, shape (y, x): water at rest
    out          .npz to write
    domain       extent along y and x, default [5, 5]
    gravity      default 1
    time         default 1
    num_outputs  times at which the state is kept, default 100

`out` holds `height`, `velocity_x` and `velocity_y`, shape (time, y, x), without the initial state.
stdout gets one JSON object: `wall` and `cpu` seconds of the run, and `clawpack`, the version.

CLAWPACK_PYTHON needs `clawpack` 5, which is built with a Fortran compiler.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from clawpack import pyclaw, riemann

__all__ = ["main"]

DEFAULTS = {"domain": [5.0, 5.0], "gravity": 1.0, "time": 1.0, "num_outputs": 100}


def controller(case: dict[str, Any]) -> Any:
    """PyClaw, ready to run; it keeps its outputs in memory."""
    initial = np.load(case["initial"])["height"]
    (ny, nx), (ly, lx) = initial.shape, case["domain"]
    solver = pyclaw.ClawSolver2D(riemann.shallow_roe_with_efix_2D)
    solver.limiters = pyclaw.limiters.tvd.MC
    solver.all_bcs = pyclaw.BC.extrap
    axes = [
        pyclaw.Dimension(0.0, lx, nx, name="x"),
        pyclaw.Dimension(0.0, ly, ny, name="y"),
    ]
    domain = pyclaw.Domain(axes)
    state = pyclaw.State(domain, 3)
    state.problem_data["grav"] = case["gravity"]
    state.q[...] = 0.0
    state.q[0] = initial.T  # PyClaw's arrays have x first
    run = pyclaw.Controller()
    run.solution = pyclaw.Solution(state, domain)
    run.solver = solver
    run.tfinal, run.num_output_times = case["time"], case["num_outputs"]
    run.output_format, run.keep_copy = None, True
    return run


def main() -> None:
    """Run the case that the first argument describes."""
    case = {**DEFAULTS, **json.loads(sys.argv[1])}
    logging.disable(logging.INFO)
    run = controller(case)
    wall_start, cpu_start = time.perf_counter(), time.process_time()
    run.run()
    wall, cpu = time.perf_counter() - wall_start, time.process_time() - cpu_start
    q = np.stack([frame.q for frame in run.frames[1:]]).swapaxes(-1, -2)
    np.savez(
        case["out"], height=q[:, 0], velocity_x=q[:, 1] / q[:, 0], velocity_y=q[:, 2] / q[:, 0]
    )
    print(json.dumps({"wall": wall, "cpu": cpu, "clawpack": version("clawpack")}))


if __name__ == "__main__":
    main()
