"""PDEArena's smoke by PhiFlow 2.1; started by other benchmarks with a Python that has phiflow.

Its loop over steps is that of PDEArena's generator, written again: the same calls, from a given
initial smoke instead of a drawn one. It imports nothing of pdesurrogate.

    PHIFLOW_PYTHON benchmarks/phiflow_worker.py '{"initial": "start.npz", "out": "end.npz", …}'

The one argument is a JSON object:

    initial      .npz with `smoke`, shape (y, x), float32
    out          .npz to write
    domain       extent along y and x, default [32, 32]
    dt           default 1.5
    viscosity    default 0.01
    buoyancy     default 0.5
    num_steps    default 64

`out` holds `smoke`, shape (step, y, x), and `velocity_x`, `velocity_y`, (step, y, x): the faces at
x = i h and at y = j h, as PDEArena stores them; one entry after every step. stdout gets one JSON
object: `wall` and `cpu` seconds of the loop, `wall_per_step`, and `phiflow`, the version.

PHIFLOW_PYTHON needs `phiflow==2.1.0`, `numpy<1.24`, `matplotlib<3.8`.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from phi.flow import Box, CenteredGrid, StaggeredGrid, advect, diffuse, extrapolation, fluid
from phi.math import reshaped_native, spatial, tensor

__all__ = ["main"]

DEFAULTS = {
    "domain": [32.0, 32.0],
    "dt": 1.5,
    "viscosity": 0.01,
    "buoyancy": 0.5,
    "num_steps": 64,
}


def simulate(case: dict[str, Any]) -> tuple[dict[str, np.ndarray], list[float], float]:
    """Smoke and velocities after every step; wall seconds of every step; CPU seconds of all."""
    initial = np.load(case["initial"])["smoke"].astype(np.float32)
    (ny, nx), (ly, lx), dt = initial.shape, case["domain"], case["dt"]
    bounds = Box[0:lx, 0:ly]
    smoke = CenteredGrid(
        tensor(initial.T.copy(), spatial("x,y")),
        extrapolation.BOUNDARY,
        x=nx,
        y=ny,
        bounds=bounds,
    )
    velocity = StaggeredGrid(0, extrapolation.ZERO, x=nx, y=ny, bounds=bounds)
    frames: dict[str, list[np.ndarray]] = {"smoke": [], "velocity_x": [], "velocity_y": []}
    seconds, cpu = [], 0.0
    for _ in range(case["num_steps"]):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        smoke = advect.semi_lagrangian(smoke, velocity, dt)
        lift = (smoke * (0, case["buoyancy"])).at(velocity)
        velocity = advect.semi_lagrangian(velocity, velocity, dt) + dt * lift
        velocity = diffuse.explicit(velocity, case["viscosity"], dt)
        velocity, _ = fluid.make_incompressible(velocity)
        seconds.append(time.perf_counter() - wall_start)
        cpu += time.process_time() - cpu_start
        faces = reshaped_native(
            velocity.staggered_tensor(), groups=("x", "y", "vector"), to_numpy=True
        )[:-1, :-1]
        values = reshaped_native(smoke.values, groups=("x", "y"), to_numpy=True)
        frames["smoke"].append(values.T)
        frames["velocity_x"].append(faces[..., 0].T)
        frames["velocity_y"].append(faces[..., 1].T)
    return {name: np.stack(each) for name, each in frames.items()}, seconds, cpu


def main() -> None:
    """Run the case that the first argument describes."""
    case = {**DEFAULTS, **json.loads(sys.argv[1])}
    frames, seconds, cpu = simulate(case)
    np.savez(case["out"], **frames)
    answer = {
        "wall": sum(seconds),
        "cpu": cpu,
        "wall_per_step": seconds,
        "phiflow": version("phiflow"),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
