"""Run one training and measure it; started by training.py, several at a time under torchrun.

    python -m benchmarks.training_worker CASE FOLDER

CASE is a `Case` as JSON. Each process leaves `rank-N.json` in FOLDER. The clock is read after each
step of whichever optimiser is stepped, so that every loop is measured from without, and whatever it
does between two steps counts: data, gradient, clipping, progress, checkpoints.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.measuring import memory_status
from benchmarks.training_case import HISTORY, OURS, Case
from benchmarks.training_peers import local_device, train_neuraloperator, train_pdearena
from pdesurrogate.training import TrainingConfig, preparation, train
from pdesurrogate.training.batches import Batches
from pdesurrogate.training.clock import TrainingClock

__all__ = ["LOOPS", "main"]

WARM_UP = 3
"""Steps after which the clock starts."""


class StepClock:
    """Seconds from the end of one optimiser step to that of the next, and of all of a training.

    Args:
        device: Where the steps are computed; a GPU is asked for its own account of the time.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.memory_before = memory_status("VmRSS")
        self.marks: list[Any] = []
        self.cpu: list[float] = []
        self.waits: list[float] = []
        """Seconds for which the loop waited for each batch of windows, if the loop is ours."""
        self.writing = 0.0
        """Seconds for which our loop wrote checkpoints, from the first one to the last."""
        self.training = 0.0
        """Seconds of all of it, from before the first step until the last file is written."""

    def mark(self, *_: Any) -> None:
        """Note that a step has ended, what it needed, and how many processes share the work."""
        self.cpu.append(time.process_time())
        if self.device.type == "cpu":
            self.marks.append(time.perf_counter())
            self.peak = memory_status("VmHWM") - self.memory_before
        else:
            self.marks.append(torch.cuda.Event(enable_timing=True))
            self.marks[-1].record()
            self.peak = torch.cuda.max_memory_allocated(self.device) / 1e6
        shared = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.processes = torch.distributed.get_world_size() if shared else 1

    def results(self) -> dict[str, float]:
        """Means over the steps after the warm-up, without the last, whose batch may be smaller."""
        first, last = WARM_UP - 1, len(self.marks) - 2
        count = last - first
        if count < 1:
            raise ValueError(f"{len(self.marks)} steps are too few to be timed")
        found = {
            "steps": len(self.marks),
            "processes": self.processes,
            "wall_s": self._seconds(first, last) / count,
            "cpu_s": (self.cpu[last] - self.cpu[first]) / count,
            "peak_MB": self.peak,
        }
        if self.waits:
            found["loading_s"] = sum(self.waits[first + 1 : last + 1]) / count
            found["writing_share"] = self.writing / self.training
        return found

    def _seconds(self, first: int, last: int) -> float:
        """Between two steps."""
        if self.device.type == "cpu":
            return float(self.marks[last] - self.marks[first])
        torch.cuda.synchronize(self.device)
        return float(self.marks[first].elapsed_time(self.marks[last])) / 1000

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch all optimisers, our batches, and our checkpoints."""
        epoch, writing = Batches.epoch, TrainingClock.writing

        @contextmanager
        def timed(clock: TrainingClock, *, is_resumable: bool) -> Iterator[None]:
            start = time.perf_counter()
            with writing(clock, is_resumable=is_resumable):
                yield
            self.writing += time.perf_counter() - start

        def watched(batches: Batches, *arguments: Any, **options: Any) -> Iterator[Any]:
            windows = epoch(batches, *arguments, **options)
            while True:
                start = time.perf_counter()
                try:
                    batch = next(windows)
                except StopIteration:
                    return
                self.waits.append(time.perf_counter() - start)
                yield batch

        handle = register_optimizer_step_post_hook(self.mark)
        Batches.epoch = watched  # type: ignore[assignment,method-assign]
        TrainingClock.writing = timed  # type: ignore[assignment,method-assign]
        began = time.perf_counter()
        try:
            yield
        finally:
            self.training = time.perf_counter() - began
            Batches.epoch, TrainingClock.writing = epoch, writing  # type: ignore[method-assign]
            handle.remove()


def train_ours(case: Case, folder: Path) -> None:
    """Epochs of `pdesurrogate.training.train`, all of it at its defaults but `case.options`."""
    data, fields = case.open()
    config = TrainingConfig(
        epochs=case.epochs,
        batch_size=case.batch,
        history=HISTORY,
        fields=fields,
        validation_steps=1,
        validation_windows=1,
        device=case.device,
        **case.options,
    )
    if case.from_disk:
        preparation.IN_MEMORY_BYTES = 0
    train(case.spec, data, case.points, folder / "run", config)


LOOPS: dict[str, Callable[[Case, Path], None]] = {
    OURS: train_ours,
    "PDEArena's loop": lambda case, folder: train_pdearena(case),
    "neuralop.Trainer": lambda case, folder: train_neuraloperator(case),
}


def main() -> None:
    case, folder = Case(**json.loads(sys.argv[1])), Path(sys.argv[2])
    torch.set_num_threads(case.threads)
    device = local_device(case)
    data, fields = case.open()
    # What building imports is no memory of a training step.
    case.spec.build(HISTORY * len(fields), len(fields), data.grid(case.points))
    gc.collect()
    clock = StepClock(device)
    with clock.running():
        LOOPS[case.loop](case, folder)
    results = clock.results()
    rank = os.environ.get("RANK", "0")
    (folder / f"rank-{rank}.json").write_text(json.dumps(results), "ascii")


if __name__ == "__main__":
    main()
