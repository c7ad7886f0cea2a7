"""How long a step takes."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from pdesurrogate.evaluation.entries import Entry, Frames
from pdesurrogate.evaluation.protocols import TransferProtocol

__all__ = ["seconds_per_step"]

TIMED_STEPS = 7


@torch.no_grad()
def seconds_per_step(entry: Entry, protocol: TransferProtocol, frames: Frames) -> float:
    """Least wall time of one frame of one trajectory.

    The least of several: what else the machine does can only add to it. The first step is not
    counted, since it warms caches up, nor is what precedes it.

    Args:
        entry: What predicts.
        protocol: How it is carried to the frames' grid.
        frames: Any frames; only the first trajectory is used.
    """
    truth = frames.truth[:1, :1].expand(-1, TIMED_STEPS + 1, -1, -1, -1)
    single = replace(frames, given=frames.given[:1], truth=truth, variants=frames.variants[:1])
    durations = []
    started = 0.0
    for _ in entry.predict(single, protocol):
        if frames.given.is_cuda:
            torch.cuda.synchronize(frames.given.device)
        now = time.perf_counter()
        durations.append(now - started)
        started = now
    return min(durations[1:])
