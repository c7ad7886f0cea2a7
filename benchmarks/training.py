"""What does a step of our training cost, beside the training loops of two peers?

Four questions, each with a table of its own:

`peers`       Samples a second and peak memory of `train`, in one process and in two, beside
              PDEArena's training step and neuraloperator's `Trainer`: on the peer's own network,
              and on ours with as many parameters.
`loading`     The share of a step for which `train` waits for its windows, from memory and from
              disk (from what the operating system keeps of it: the files were just written).
`checkpoint`  What a checkpoint of exact resumption takes, and which share of a run of two epochs
              goes into writing at the default interval.
`device`      The share of its peak that a GPU reaches in a training step of the residual U-Net of
              34.5 million parameters, by precision, compilation and batch, and the seconds of an
              epoch on data of the size of PDEArena's.

    PDEARENA_PATH=... python -m benchmarks.training --questions peers loading checkpoint
    python -m benchmarks.training --questions device --device cuda --points 128

PDEARENA_PATH is a checkout of microsoft/pdearena; without it that peer is left out. A training is
one epoch in a process of its own (but for the run of the question `checkpoint`), and a step lasts
from the end of one optimiser step to that of the next, whatever the loop does in between.
Repetitions are taken in turns; of each number the least one counts.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.checkouts import checkout_version, pdearena_modules
from benchmarks.measuring import write_table
from benchmarks.training_case import (
    FIELDS,
    OURS,
    SMOKE,
    TURBULENCE,
    Case,
    dataset,
    matched_width,
    parameters,
)
from benchmarks.training_device import device_rows
from benchmarks.training_runs import fastest

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results"
NEVER = 1e9
"""Seconds between the checkpoints of a training that writes none but its last."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """A loop that trains a network.

    Args:
        peer: The loop and network that it is compared with.
        loop: What trains.
        network: Which network.
        width: Its width.
    """

    peer: str
    loop: str
    network: str
    width: int

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.network} by {self.loop}"


def peer_rows(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Rows of the question `peers`; the ratios are to the peer of the row."""
    base = _case(options, folder)
    ours = {"precision": options.precision, "compile": options.compile or None}
    ours = {name: value for name, value in ours.items() if value is not None}
    contenders = {contender.name: contender for contender in _contenders(options)}
    cases = {
        name: replace(
            base,
            loop=c.loop,
            network=c.network,
            width=c.width,
            options=ours if c.loop == OURS else {},
        )
        for name, c in contenders.items()
    }
    rows = []
    for processes in options.processes:
        results = fastest(cases, options.repetitions, processes)
        for name, found in results.items():
            peer = results.get(contenders[name].peer)
            rows.append(_peer_row(contenders[name], processes, options, found, peer))
    return rows


def _contenders(options: argparse.Namespace) -> list[Contender]:
    """Each peer, its network in our training, and our network with as many parameters."""
    groups: list[tuple[str, str, int, str | None]] = [
        ("neuralop.Trainer", "FNO", options.fno_width, None)
    ]
    try:
        pdearena_modules("twod_unet")
        groups += [
            ("PDEArena's loop", "PDEArena residual U-Net", options.width, "ResidualUNet"),
            ("PDEArena's loop", "PDEArena plain U-Net", options.width, "ClassicalUNet"),
        ]
    except (KeyError, ImportError) as reason:
        print(f"without PDEArena: {reason}", file=sys.stderr)
    found = []
    for loop, network, width, counterpart in groups:
        peer = f"{network} by {loop}"
        found.append(Contender(peer, loop, network, width))
        found.append(Contender(peer, OURS, network, width))
        if counterpart is not None:
            equal = matched_width(counterpart, parameters(network, width))
            found.append(Contender(peer, OURS, counterpart, equal))
    return found


def _peer_row(
    contender: Contender,
    processes: int,
    options: argparse.Namespace,
    found: dict[str, float],
    peer: dict[str, float] | None,
) -> Row:
    row = {
        "loop": contender.loop,
        "network": contender.network,
        "width": contender.width,
        "parameters": parameters(contender.network, contender.width),
        "points": options.points,
        "batch": options.batch,
        "processes": processes,
        "samples_per_s": _rounded(options.batch / found["wall_s"]),
        "samples_per_cpu_s": _rounded(options.batch / found["cpu_s"]),
        "peak_MB": round(found["peak_MB"]),
        "peer": contender.peer,
    }
    if peer is not None:
        row["speed_ratio"] = round(peer["wall_s"] / found["wall_s"], 2)
        row["cpu_speed_ratio"] = round(peer["cpu_s"] / found["cpu_s"], 2)
        row["memory_ratio"] = round(found["peak_MB"] / peer["peak_MB"], 2)
    return row


def loading_rows(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Rows of the question `loading`."""
    base = _case(options, folder)
    cases = {
        f"{network} from {source}": replace(
            base, network=network, width=width, from_disk=source == "disk"
        )
        for network, width in (("FNO", options.fno_width), ("ResidualUNet", 2 * options.width))
        for source in ("memory", "disk")
    }
    rows = []
    for name, found in fastest(cases, options.repetitions).items():
        row = _described(cases[name], source=name.rpartition(" ")[2])
        row["step_s"] = _rounded(found["wall_s"])
        row["loading_s"] = _rounded(found["loading_s"])
        row["share"] = _rounded(found["loading_s"] / found["wall_s"])
        rows.append(row)
    return rows


def checkpoint_rows(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Rows of the question `checkpoint`.

    What one takes is the difference between the steps of a training that writes one after each and
    of a training that writes none. Two long runs differ by more than what checkpoints add, so that
    the share of a run is counted within it.
    """
    base = _case(options, folder)
    rows = []
    for network, width in (("FNO", options.fno_width), ("ResidualUNet", options.large_width)):
        case = replace(base, network=network, width=width)
        cases = {
            f"{network} with checkpoints every {interval:g} s": replace(
                case, options={"checkpoint_seconds": interval}
            )
            for interval in (0.0, NEVER)
        }
        each, none = (found["wall_s"] for found in fastest(cases, options.repetitions).values())
        row = _described(case)
        row["step_s"] = _rounded(none)
        row["checkpoint_s"] = _rounded(each - none)
        if options.run_seconds:
            windows = math.ceil(options.run_seconds / 2 / none) * options.batch
            data = str(dataset(TURBULENCE, options.points, windows, folder))
            run = fastest({f"a run of {network}": replace(case, data=data, epochs=2)}, 1)
            (found,) = run.values()
            row["run_s"] = round(found["wall_s"] * found["steps"])
            row["writing_share"] = _rounded(found["writing_share"])
        rows.append(row)
    return rows


def _case(options: argparse.Namespace, folder: Path) -> Case:
    """Our training on turbulence, of a network that is still to be chosen."""
    data = dataset(TURBULENCE, options.points, options.steps * options.batch, folder)
    return Case(
        loop=OURS,
        network="FNO",
        width=options.fno_width,
        data=str(data),
        points=options.points,
        batch=options.batch,
        device=options.device,
        threads=options.threads,
    )


def _described(case: Case, **more: Any) -> Row:
    return {
        "network": case.network,
        "width": case.width,
        "parameters": parameters(case.network, case.width),
        "points": case.points,
        "batch": case.batch,
        **more,
    }


def _rounded(number: float) -> float:
    """To four digits."""
    return float(f"{number:.4g}")


QUESTIONS = {
    "peers": peer_rows,
    "loading": loading_rows,
    "checkpoint": checkpoint_rows,
    "device": device_rows,
}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as kept:
        folder = options.data or Path(kept)
        for question in options.questions:
            rows = QUESTIONS[question](options, folder)
            for row in rows:
                print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            where = f"{options.device}, {options.threads} threads a process"
            write_table(rows, where, _versions(), options.results / f"training_{question}.csv")


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in ("torch", "neuraloperator")}
    if "PDEARENA_PATH" in os.environ:
        found["PDEArena"] = checkout_version("PDEARENA_PATH")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--questions", nargs="+", choices=QUESTIONS, default=["peers", "loading", "checkpoint"])
    add("--points", type=int, default=64)
    add("--batch", type=int, default=8, help="over all processes")
    add("--width", type=int, default=16, help="of PDEArena's U-Nets; a multiple of 8")
    add("--fno-width", type=int, default=32)
    add("--large-width", type=int, default=64, help="of the U-Net of 34.5 million parameters")
    add("--steps", type=int, default=20)
    add("--processes", type=int, nargs="+", default=[1, 2])
    add("--repetitions", type=int, default=3)
    add("--run-seconds", type=float, default=600.0, help="of a run with checkpoints; or 0")
    add("--device", choices=["cpu", "cuda"], default="cpu")
    add("--threads", type=int, default=1, help="of each process")
    add("--precision", default=None, help="of ours beside the peers; ours may choose by default")
    add("--compile", action="store_true", help="ours beside the peers")
    add("--batches", type=int, nargs="+", default=[8, 16, 32, 64], help="of the question device")
    add("--precisions", nargs="+", default=["float32", "tf32", "bf16"], help="likewise")
    add("--compiled", nargs="+", choices=["no", "yes"], default=["no", "yes"], help="likewise")
    add("--recipe", choices=FIELDS, default=SMOKE, help="likewise; smoke has walls")
    add("--data", type=Path, default=None, help="where to keep the datasets; else they are not")
    add("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
