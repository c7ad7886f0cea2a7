"""How long is one step of the periodic vorticity equation, ours, exponax's and jax-cfd's?

All solve the same equation (viscosity and drag, no forcing) with the same time step, on one and the
same core, in turns: a peer runs in a process of its own, with a Python of its own, and waits while
ours is timed. Ours is a Python loop over steps; theirs is their fastest form, a compiled loop over
steps that stay in Fourier space. The fields after 100 steps are compared as well.

exponax has our scheme (ETDRK4) and here our modes: its fields agree to rounding. jax-cfd has a
scheme of second order in the viscous term with five stages, and keeps other modes at the edge of
the dealiased band: its fields differ where the grid does not resolve the flow.

    python -m benchmarks.spectral_step [--exponax-python PATH] [--jax-cfd-python PATH]

The paths are Pythons with `exponax==0.2.0` and with `jax-cfd`, both with `jax[cpu]`. Without any,
only our step is timed.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Set before torch and JAX start their thread pools.
os.environ.update(
    OMP_NUM_THREADS="1",
    XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
)

import numpy as np
import torch

from benchmarks.measuring import Peer, write_table
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.initial_conditions import McWilliamsVorticity
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import PeriodicNavierStokes, Solver

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "spectral_step.csv"
EQUATION = PeriodicNavierStokes(viscosity=1e-3, drag=0.1)
STEPS_COMPARED = 100


@dataclass(frozen=True)
class Case:
    """What is timed: a grid, a precision, and how many steps make one measurement."""

    num_points: int
    dtype: str
    dt: float
    num_steps: int

    @property
    def grid(self) -> PeriodicBox:
        """The periodic box, 2 pi wide."""
        return PeriodicBox((self.num_points, self.num_points))


CASES = (
    Case(128, "float32", 5e-3, 100),
    Case(128, "float64", 5e-3, 100),
    Case(256, "float32", 2.5e-3, 25),
    Case(256, "float64", 2.5e-3, 25),
)


def initial_vorticity(case: Case) -> np.ndarray:
    """A random flow with unit mean square velocity, the same function on every grid."""
    drawn = McWilliamsVorticity().sample(np.random.default_rng(0), case.grid)
    return drawn["vorticity"].numpy()


def time_ours(solver: Solver, start: Any, num_steps: int) -> dict[str, float]:
    """Wall and CPU seconds of `num_steps` steps."""
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():  # as generation and rollouts step
        repeat(solver.step, num_steps)(start)
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def relative_difference(case: Case, solver: Solver, start: Any, peer: Peer) -> float:
    """Relative L2 difference between the two fields after `STEPS_COMPARED` steps."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "theirs.npy"
        peer.ask(save=str(path), num_steps=STEPS_COMPARED)
        theirs = np.load(path)
    end = repeat(solver.step, STEPS_COMPARED)(start)
    ours = solver.observe(end, case.grid)["vorticity"][0].numpy()
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(ours))


def prepare_peer(peer: Peer, case: Case, vorticity: np.ndarray, path: Path) -> None:
    """Give the other process the same flow."""
    np.save(path, vorticity)
    peer.ask(
        case={
            "num_points": case.num_points,
            "dtype": case.dtype,
            "dt": case.dt,
            "domain_extent": 2 * math.pi,
            "viscosity": EQUATION.viscosity,
            "drag": EQUATION.drag,
            "largest_mode": (case.num_points - 1) // 3,
            "initial": str(path),
        }
    )


def measure(case: Case, peer: Peer | None, repeats: int, scratch: Path) -> dict[str, Any]:
    """One row: medians over interleaved repeats, in milliseconds a step."""
    dtype = torch.float64 if case.dtype == "float64" else torch.float32
    solver = EQUATION.discretise(case.grid, case.dt, dtype=dtype)
    # Both start from what the solver holds: no mode beyond the dealiased ones.
    given = {"vorticity": torch.from_numpy(initial_vorticity(case))[None]}
    start = solver.initialise(given)
    ours, theirs = [], []
    row: dict[str, Any] = {**asdict(case), "peer": peer.name if peer else ""}
    if peer is not None:
        vorticity = solver.observe(start, case.grid)["vorticity"][0].numpy()
        prepare_peer(peer, case, vorticity, scratch / "initial.npy")
        row["relative_difference"] = f"{relative_difference(case, solver, start, peer):.1e}"
        peer.ask(num_steps=case.num_steps)
    time_ours(solver, start, case.num_steps)
    for _ in range(repeats):
        ours.append(time_ours(solver, start, case.num_steps))
        if peer is not None:
            theirs.append(peer.ask(num_steps=case.num_steps))
    for clock in ("wall", "cpu"):
        mine = statistics.median(t[clock] for t in ours) / case.num_steps * 1e3
        row[f"{clock}_ms"] = f"{mine:.3f}"
        if theirs:
            other = statistics.median(t[clock] for t in theirs) / case.num_steps * 1e3
            ratios = [a[clock] / b[clock] for a, b in zip(ours, theirs, strict=True)]
            row[f"peer_{clock}_ms"] = f"{other:.3f}"
            row[f"{clock}_ratio"] = f"{statistics.median(ratios):.2f}"
    return row


def main() -> None:
    """Measure every case, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--exponax-python", type=Path, help="a Python that has exponax")
    parser.add_argument("--jax-cfd-python", type=Path, help="a Python that has jax-cfd")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        # The child inherits the core, so no thread pool can use a second one.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    peers: list[Peer | None] = []
    if options.exponax_python:
        peers.append(Peer("exponax", options.exponax_python, "exponax_worker.py"))
    if options.jax_cfd_python:
        peers.append(Peer("jax-cfd", options.jax_cfd_python, "jax_cfd_worker.py"))
    if not peers:
        print("Neither --exponax-python nor --jax-cfd-python was given: only our step is timed.")
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for peer in peers or [None]:
            versions.update(peer.versions if peer else {})
            for case in CASES:
                rows.append(measure(case, peer, options.repeats, Path(scratch)))
                print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
            if peer is not None:
                peer.close()
    write_table(rows, "one of them used", versions, options.out)


if __name__ == "__main__":
    main()
