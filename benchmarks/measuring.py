"""What the benchmarks share: a peer in a process of its own, the machine's name, the table."""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

__all__ = ["Peer", "machine", "memory_status", "write_table"]


class Peer:
    """Another code, run by another Python: one request a line, one answer a line.

    Args:
        name: What it is called.
        python: A Python that has it.
        worker: The script, beside this file, that answers.
        *arguments: For the script.
    """

    def __init__(self, name: str, python: Path, worker: str, *arguments: str | Path) -> None:
        self.name = name
        script = Path(__file__).with_name(worker)
        self._process = subprocess.Popen(
            [python, script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.versions = self._read()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._read()

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {self.name} process ended; its message is above")
        return dict(json.loads(line))


def machine() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def memory_status(entry: str) -> float:
    """A line of Linux's account of this process, such as `VmRSS` or its peak `VmHWM`, in MB."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith(entry + ":"))
    return kilobytes * 1024 / 1e6


def write_table(
    rows: Sequence[Mapping[str, Any]], where: str, versions: Mapping[str, str], path: Path
) -> None:
    """Write rows as CSV under comment lines that say where, when and with what."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {date.today()}, {machine()}, {os.cpu_count()} cores, {where}\n")
        file.write("# " + ", ".join(f"{name} {v}" for name, v in versions.items()) + "\n")
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
