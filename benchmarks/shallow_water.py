"""What does a day of shallow water on the sphere cost, and how accurate is it?

The flow is Galewsky's unstable jet with a diffusion of 1e5 m² s⁻¹ on everything, one thread. Each
question has a table of its own:

`speed`     CPU seconds per model day of one trajectory, for truncations, batches and precisions;
            beside torch-harmonics' example solver and Dedalus, each at a step of its own: ours and
            Dedalus' as long as adds little to the error of the grid (Dedalus' is that of its
            example at T127), torch-harmonics', whose gravity waves are explicit, near its limit.
`error`     Relative L2 error of vorticity and of the height's deviation from its mean at day 6, and
            the CPU seconds until then. The reference is ours at T170 in float64, made once and kept
            in the folder that `--reference` names. `docs/_drawings/shallow_water_cost.py` draws
            this table.
`exponent`  CPU seconds per step and per model day from T42 to T170, the step in proportion to the
            grid's spacing, and the exponents of the truncation fitted to them.

    python -m benchmarks.shallow_water [--torch-harmonics-python PATH] [--dedalus-python PATH]
        [--questions speed error exponent] [--device cuda] [--reference FOLDER]

Each PATH is a Python that has the peer; without it the peer is left out. The dam break is compared
with PyClaw by `benchmarks.dam_break`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring import Peer, write_table
from benchmarks.sphere_error import Fields, relative_errors
from benchmarks.sphere_peers import (
    DEDALUS,
    DTYPES,
    GRIDS,
    TORCH_HARMONICS,
    VISCOSITY,
    PeerSettings,
    jet,
    peer_case,
)
from pdesurrogate.grids import GaussianSphere
from pdesurrogate.solvers import SphericalShallowWater
from pdesurrogate.solvers.spherical_shallow_water_solver import SphericalShallowWaterSolver

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results"
DAY, LAST_DAY = 86400, 6
OUR_STEPS = {42: 3600, 63: 2400, 85: 1800, 106: 1440, 127: 1200, 170: 900}
"""Seconds: where the error of the step is small beside that of the grid."""
TRIED_STEPS = {42: (1800, 3600), 63: (1200, 2400), 85: (900, 1800), 127: (1200,)}
"""For `error`."""
SPEED_TRUNCATIONS = (63, 85, 127)
BATCHES = (1, 4, 16)
SHORTEST = 0.5
"""Seconds that a timing lasts at least."""
REFERENCE_TRUNCATION, REFERENCE_STEP = 170, 300


def our_solver(
    truncation: int, dt: float, dtype: str, device: str
) -> tuple[SphericalShallowWaterSolver, SphericalShallowWater]:
    """The solver whose hyperdiffusion is the viscosity, and its equation."""
    grid = GaussianSphere((GRIDS[truncation], 2 * GRIDS[truncation]))
    plain = SphericalShallowWater()
    held = (2 * GRIDS[truncation] - 1) // 3
    smallest = held * (held + 1) / plain.radius**2
    equation = SphericalShallowWater(
        hyperdiffusion_order=1, hyperdiffusion_time=1 / (VISCOSITY * smallest)
    )
    return equation.discretise(grid, dt, dtype=getattr(torch, dtype), device=device), equation


def now(device: str) -> float:
    """The time, once the device has done what it was told; on a CPU its own seconds only."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def started(solver: SphericalShallowWaterSolver, batch: int) -> Tensor:
    """The jet, a batch of it."""
    return solver.initialise({k: u.expand(batch, -1, -1) for k, u in jet(solver.grid).items()})


def seconds_per_step(truncation: int, dtype: str, batch: int, device: str) -> float:
    """Of one trajectory of the batch."""
    solver, _ = our_solver(truncation, OUR_STEPS[truncation], dtype, device)
    with torch.inference_mode():
        state = solver.step(started(solver, batch))
        begun, taken = now(device), 0
        while (elapsed := now(device) - begun) < SHORTEST or taken < 2:
            state = solver.step(state)
            taken += 1
    return elapsed / taken / batch


def peer_seconds_per_step(peer: Peer, case: dict[str, Any]) -> float:
    """As `seconds_per_step`, batch 1."""
    clock = "cpu" if case["device"] == "cpu" else "wall"
    peer.ask(case=case)
    first = max(peer.ask(num_steps=4)[clock], 1e-3)
    steps = max(4, round(2 * SHORTEST / first * 4))
    return float(peer.ask(num_steps=steps)[clock]) / steps


Peers = Sequence[tuple[PeerSettings, Peer]]
Measured = tuple[dict[str, Any], Callable[[], float]]


def speed_rows(
    peers: Peers, truncations: Sequence[int], repeats: int, device: str
) -> list[dict[str, Any]]:
    """One row per code, truncation, batch and precision; medians over turns."""
    with tempfile.TemporaryDirectory() as scratch:
        measured: list[Measured] = []
        for t in truncations:
            for dtype in DTYPES:
                for batch in BATCHES:
                    key = speed_key("pdesurrogate", t, dtype, batch, OUR_STEPS[t])
                    measured.append(
                        (key, lambda t=t, d=dtype, b=batch: seconds_per_step(t, d, b, device))
                    )
            for settings, peer in peers:
                for dtype in settings.dtypes:
                    key = speed_key(settings.name, t, dtype, 1, settings.steps[t])
                    measured.append(
                        (
                            key,
                            lambda s=settings, p=peer, t=t, d=dtype: peer_seconds_per_step(
                                p, peer_case(s, t, d, scratch, device)
                            ),
                        )
                    )
        seconds: list[list[float]] = [[] for _ in measured]
        for _ in range(repeats):
            for (_, measure), taken in zip(measured, seconds, strict=True):
                taken.append(measure())
    rows = []
    for (key, _), taken in zip(measured, seconds, strict=True):
        step = statistics.median(taken)
        rows.append(
            printed({**key, "ms_per_step": 1e3 * step, "seconds_per_day": step * DAY / key["dt"]})
        )
    return rows


def speed_key(code: str, truncation: int, dtype: str, batch: int, dt: int) -> dict[str, Any]:
    """What a timing is of."""
    return {"code": code, "truncation": truncation, "dtype": dtype, "batch": batch, "dt": dt}


def exponent_rows(repeats: int, device: str) -> list[dict[str, Any]]:
    """Cost over the truncation, and the exponents."""
    rows = []
    for dtype in DTYPES:
        steps: dict[int, list[float]] = {t: [] for t in GRIDS}
        for _ in range(repeats):
            for t, taken in steps.items():
                taken.append(seconds_per_step(t, dtype, 1, device))
        step = {t: statistics.median(taken) for t, taken in steps.items()}
        day = {t: step[t] * DAY / OUR_STEPS[t] for t in GRIDS}
        rows += [
            printed(
                {
                    "truncation": t,
                    "dtype": dtype,
                    "dt": OUR_STEPS[t],
                    "ms_per_step": 1e3 * step[t],
                    "seconds_per_day": day[t],
                    "exponent_of_step": exponent(step),
                    "exponent_of_day": exponent(day),
                }
            )
            for t in GRIDS
        ]
    return rows


def exponent(costs: Mapping[int, float]) -> float:
    """Slope of the logarithm of the cost over that of the truncation."""
    slope, _ = np.polyfit(np.log(list(costs)), np.log(list(costs.values())), 1)
    return float(slope)


def day_six(truncation: int, dt: int, dtype: str, device: str) -> tuple[Fields, float]:
    """Our fields, a state of its own each, and the seconds until then."""
    solver, _ = our_solver(truncation, dt, dtype, device)
    with torch.inference_mode():
        state = started(solver, 1)
        solver.step(state)
        begun = now(device)
        for _ in range(LAST_DAY * DAY // dt):
            state = solver.step(state)
        seconds = now(device) - begun
        observed = solver.observe(state, solver.grid)
    return {name: u[0].double().cpu() for name, u in observed.items()}, seconds


def reference_fields(folder: Path, device: str) -> Fields:
    """From the folder, or made and left there."""
    path = folder / f"galewsky_day6_t{REFERENCE_TRUNCATION}_{REFERENCE_STEP}s.npz"
    if not path.exists():
        fields, seconds = day_six(REFERENCE_TRUNCATION, REFERENCE_STEP, "float64", device)
        print(f"reference: T{REFERENCE_TRUNCATION}, {seconds:.0f} s, kept as {path}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: fields[name].numpy() for name in jet_names()})
    kept = np.load(path)
    return {name: torch.from_numpy(kept[name]) for name in jet_names()}


def jet_names() -> tuple[str, ...]:
    """What every code answers with."""
    return ("height", "velocity_x", "velocity_y")


def error_rows(
    peers: Peers, truncations: Sequence[int], folder: Path, device: str
) -> list[dict[str, Any]]:
    """One row per run until day 6."""
    truth = reference_fields(folder, device)
    rows = []

    def add(code: str, truncation: int, dtype: str, dt: int, seen: Fields, seconds: float) -> None:
        key = {"code": code, "truncation": truncation, "dtype": dtype, "dt": dt}
        rows.append(printed({**key, "seconds": seconds, **relative_errors(seen, truth)}))

    for t in truncations:
        for dt in TRIED_STEPS[t]:
            for dtype in DTYPES:
                add("pdesurrogate", t, dtype, dt, *day_six(t, dt, dtype, device))
        for settings, peer in peers:
            if t in settings.tried:
                dtype = settings.dtypes[0]
                seen, seconds = peer_day_six(settings, peer, t, dtype, device)
                add(settings.name, t, dtype, settings.steps[t], seen, seconds)
    return rows


def peer_day_six(
    settings: PeerSettings, peer: Peer, truncation: int, dtype: str, device: str
) -> tuple[Fields, float]:
    """As `day_six`."""
    with tempfile.TemporaryDirectory() as scratch:
        case = peer_case(settings, truncation, dtype, scratch, device)
        peer.ask(case=case)
        peer.ask(num_steps=1)
        peer.ask(case=case)
        taken = peer.ask(num_steps=LAST_DAY * DAY // case["dt"])
        peer.ask(save=f"{scratch}/end.npz")
        kept = np.load(f"{scratch}/end.npz")
        seen = {name: torch.from_numpy(kept[name]) for name in kept.files}
    return seen, taken["cpu" if device == "cpu" else "wall"]


def printed(row: dict[str, Any]) -> dict[str, Any]:
    """Round a row, show it, and hand it on."""
    for key, value in row.items():
        row[key] = f"{value:.3g}" if isinstance(value, float) else value
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return row


def peers_of(options: argparse.Namespace) -> Peers:
    """The peers that there is a Python for."""
    peers = []
    if options.torch_harmonics_python:
        more = (
            ["--solver", options.torch_harmonics_solver] if options.torch_harmonics_solver else []
        )
        peers.append((TORCH_HARMONICS, options.torch_harmonics_python, more))
    if options.dedalus_python and options.device == "cpu":
        peers.append((DEDALUS, options.dedalus_python, []))
    return [(s, Peer(s.name, python, s.worker, *more)) for s, python, more in peers]


def options_given() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--torch-harmonics-python",
        type=Path,
        default=os.environ.get("TORCH_HARMONICS_PYTHON"),
        help="a Python that has torch-harmonics; without it this peer is left out",
    )
    parser.add_argument(
        "--torch-harmonics-solver",
        type=Path,
        help="the repository's shallow_water_equations.py, for a release whose wheel lacks it",
    )
    parser.add_argument(
        "--dedalus-python",
        type=Path,
        default=os.environ.get("DEDALUS_PYTHON"),
        help="a Python that has dedalus 3; without it this peer is left out",
    )
    questions = ("speed", "error", "exponent")
    parser.add_argument("--questions", nargs="+", choices=questions, default=questions)
    parser.add_argument("--repeats", type=int, default=3, help="turns of `speed` and `exponent`")
    parser.add_argument(
        "--truncations", type=int, nargs="+", choices=GRIDS, help="of `speed` and `error`"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the tables")
    parser.add_argument(
        "--reference",
        type=Path,
        default=Path(tempfile.gettempdir()) / "pdesurrogate",
        help="folder where the reference of `error` is kept, 3 MB",
    )
    return parser.parse_args()


def main() -> None:
    """Answer the questions that were asked and write their tables."""
    options = options_given()
    torch.set_num_threads(1)
    device, peers, tables = options.device, peers_of(options), {}
    if "speed" in options.questions:
        truncations = options.truncations or SPEED_TRUNCATIONS
        tables["speed"] = speed_rows(peers, truncations, options.repeats, device)
    if "error" in options.questions:
        truncations = options.truncations or tuple(TRIED_STEPS)
        tables["error"] = error_rows(peers, truncations, options.reference, device)
    if "exponent" in options.questions:
        tables["exponent"] = exponent_rows(options.repeats, device)
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    for _, peer in peers:
        versions |= peer.versions
        peer.close()
    where = torch.cuda.get_device_name(device) if device.startswith("cuda") else "one thread"
    for question, rows in tables.items():
        write_table(rows, where, versions, options.out / f"shallow_water_{question}.csv")


if __name__ == "__main__":
    main()
