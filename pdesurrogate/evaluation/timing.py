"""How long a step takes."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import torch

from pdesurrogate.evaluation.entries import Entry, Frames
from pdesurrogate.evaluation.protocols import TransferProtocol

__all__ = ["seconds_per_step"]

TIMED_STEPS = 7


@torch.no_grad()
def seconds_per_step(entry: Entry, protocol: TransferProtocol, frames: Frames) -> float:
    """Least wall time of one frame of one trajectory.

    A step that predicts several frames at once costs as much as all of them. The least of several
    steps: what else the machine does can only add to it. The first step is not counted, since it
    warms caches up, nor is what precedes it.

    Args:
        entry: What predicts.
        protocol: How it is carried to the frames' grid.
        frames: Any frames; only the first trajectory is used.
    """
    num_frames = (TIMED_STEPS + 1) * entry.bundle
    truth = frames.truth[:1, :1].expand(-1, num_frames, -1, -1, -1)
    single = replace(frames, given=frames.given[:1], truth=truth, variants=frames.variants[:1])
    finished = []
    for number, _ in enumerate(entry.predict(single, protocol), start=1):
        if number % entry.bundle:  # not the last frame of its step
            continue
        if frames.given.is_cuda:
            torch.cuda.synchronize(frames.given.device)
        finished.append(time.perf_counter())
    return min(after - before for before, after in pairwise(finished)) / entry.bundle
