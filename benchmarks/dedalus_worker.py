"""The sphere by Dedalus 3; started with a Python that has dedalus, MPI and FFTW.

The problem is that of Dedalus' example of the shallow-water equations on a sphere, with the
diffusion of ours: momentum and depth, gravity waves, rotation and diffusion implicit, RK222 (second
order) in time. Dedalus' Laplacian of a vector is the rough one; less $u / a^2$ it acts on vorticity
and divergence as the Laplacian of scalars. Double precision only. It imports nothing of
pdesurrogate.

Requests and answers are those of `torch_harmonics_worker.py`. A sphere of `2 n x n` coefficients
holds the harmonics up to `n - 1`; its grid is what `initial` is given on.

References:
    Burns et al. (2020), *Phys. Rev. Research* 2; Lecoanet et al. (2019), *J. Comput. Phys. X* 3.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from importlib.metadata import version
from typing import Any

import dedalus.public as d3
import numpy as np

__all__ = ["main"]

HOUR = 3600.0
"""Seconds in the unit of time; the radius is the unit of length."""


class Flow:
    """One flow on one grid."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.radius = case["radius"]
        self.mean_depth = case["mean_depth"]
        self.dt = case["dt"] / HOUR
        given = np.load(case["initial"])
        latitudes, longitudes = given["height"].shape
        sphere = d3.S2Coordinates("phi", "theta")
        dist = d3.Distributor(sphere, dtype=np.float64)
        basis = d3.SphereBasis(
            sphere, (longitudes, latitudes), radius=1, dealias=3 / 2, dtype=np.float64
        )
        # Whether theirs has north first is theirs to say.
        _, colatitude = dist.local_grids(basis)
        self.turn = slice(None, None, -1 if colatitude.flat[0] < colatitude.flat[-1] else 1)
        u = dist.VectorField(sphere, name="u", bases=basis)
        h = dist.Field(name="h", bases=basis)
        self.wind, self.height = u, h
        self.solver = self._problem(case).build_solver(d3.RK222)
        h["g"] = self._theirs((given["height"] - self.mean_depth) / self.radius)
        per_radius = HOUR / self.radius
        u["g"][0] = self._theirs(given["velocity_x"] * per_radius)
        u["g"][1] = self._theirs(-given["velocity_y"] * per_radius)

    def _problem(self, case: dict[str, Any]) -> Any:
        u, h = self.wind, self.height
        names = {
            "u": u,
            "h": h,
            "turned": d3.MulCosine(d3.skew(u)),
            "gravity": case["gravity"] * HOUR**2 / self.radius,
            "twice_omega": 2 * case["rotation_rate"] * HOUR,
            "nu": case["viscosity"] * HOUR / self.radius**2,
            "depth": self.mean_depth / self.radius,
        }
        problem = d3.IVP([u, h], namespace=names)
        problem.add_equation(
            "dt(u) - nu*lap(u) + nu*u + gravity*grad(h) + twice_omega*turned = -u@grad(u)"
        )
        problem.add_equation("dt(h) - nu*lap(h) + depth*div(u) = -div(h*u)")
        return problem

    def _theirs(self, values: np.ndarray) -> np.ndarray:
        return values[self.turn].T

    def advance(self, num_steps: int) -> None:
        """Take steps."""
        for _ in range(num_steps):
            self.solver.step(self.dt)

    def save(self, path: str) -> None:
        """Write the fields."""
        self.height.change_scales(1)
        self.wind.change_scales(1)
        east, south = (part.T[self.turn] * self.radius / HOUR for part in self.wind["g"])
        height = self.height["g"].T[self.turn] * self.radius + self.mean_depth
        np.savez(path, height=height, velocity_x=east, velocity_y=-south)


def main() -> None:
    """Answer requests until stdin closes."""
    logging.disable(logging.WARNING)
    print(json.dumps({"dedalus": version("dedalus"), "numpy": np.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, float] = {}
        if "case" in request:
            flow = Flow(request["case"])
        elif "save" in request:
            flow.save(request["save"])
        else:
            wall, cpu = time.perf_counter(), time.process_time()
            flow.advance(request["num_steps"])
            answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
