"""Measured trainings, each in processes of its own, in turns."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.training_case import Case

__all__ = ["fastest", "measured"]

ROOT = Path(__file__).parents[1]


def fastest(
    cases: Mapping[str, Case], repetitions: int, processes: int = 1
) -> dict[str, dict[str, float]]:
    """Measure every case so often, in turns, and keep the least of each of its numbers.

    Says how it goes on stderr. Cases that break down are left out.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for repetition in range(repetitions):
        for name, case in cases.items():
            if len(found[name]) < repetition:
                continue  # it broke down before
            label = f"{name}, {processes} process(es)"
            try:
                found[name].append(measured(case, processes))
                print(f"{label}: {found[name][-1]['wall_s']:.4g} s a step", file=sys.stderr)
            except RuntimeError as reason:
                print(f"without {label}: {reason}", file=sys.stderr)
    return {name: _least(results) for name, results in found.items() if results}


def measured(case: Case, processes: int = 1) -> dict[str, float]:
    """Run one training.

    Returns:
        Of each step: `wall_s` of the slowest process, `cpu_s` of all together, `loading_s`; and
        `peak_MB` of the largest process, the number of `steps`, and the `writing_share`.

    Raises:
        RuntimeError: If it broke down, or was not shared among the processes.
    """
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "benchmarks.training_worker", json.dumps(asdict(case))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(case.threads)}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, folder], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"exit status {done.returncode}: {_message(done.stderr)}")
        ranks = [json.loads(path.read_text("ascii")) for path in Path(folder).glob("rank-*.json")]
    _check_shared(case, ranks, processes)
    result = {key: max(rank[key] for rank in ranks) for key in ranks[0]}
    result["cpu_s"] = sum(rank["cpu_s"] for rank in ranks)
    return result


def _check_shared(case: Case, ranks: list[dict[str, float]], processes: int) -> None:
    """Each process must have taken all the steps, and must have known of the others."""
    taken = [(rank["steps"], rank["processes"]) for rank in ranks]
    if taken != [(case.num_steps, processes)] * processes:
        raise RuntimeError(f"(steps, processes) are {taken}, not {case.num_steps}, {processes}")


def _message(stderr: str) -> str:
    """The last exception that a process left behind; torchrun adds a report of its own."""
    lines = re.findall(r"^(?:\[rank\d+\]: )?([\w.]+(?:Error|Exception): .*)", stderr, re.MULTILINE)
    told = [line for line in lines if "ChildFailedError" not in line]
    return told[-1] if told else stderr[-2000:]


def _least(results: list[dict[str, float]]) -> dict[str, float]:
    return {key: min(result[key] for result in results) for key in results[0]}
