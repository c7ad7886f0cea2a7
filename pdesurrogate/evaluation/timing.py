"""How long a step takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import torch

from pdesurrogate.evaluation.entries import Entry, Frames
from pdesurrogate.evaluation.protocols import TransferProtocol

__all__ = ["frame_seconds", "seconds_per_step"]

TIMED_STEPS = 7


def seconds_per_step(
    entry: Entry, protocol: TransferProtocol, frames: Frames, timed_steps: int = TIMED_STEPS
) -> float:
    """Least wall time of one frame of one trajectory.

    The least of several steps: what else the machine does can only add to it.

    Args:
        entry: What predicts.
        protocol: How it is carried to the frames' grid.
        frames: Any frames; only the first trajectory is used.
        timed_steps: Steps that are timed.
    """
    single = replace(
        frames, given=frames.given[:1], truth=frames.truth[:1, :1], variants=frames.variants[:1]
    )
    return min(frame_seconds(entry, protocol, single, timed_steps, time.perf_counter))


@torch.no_grad()
def frame_seconds(
    entry: Entry,
    protocol: TransferProtocol,
    frames: Frames,
    timed_steps: int,
    clock: Callable[[], float],
) -> list[float]:
    """Time of a frame of all trajectories together, step by step.

    A step that predicts several frames at once costs as much as all of them. The first step is not
    counted, since it warms caches up, nor is what precedes it.

    Args:
        entry: What predicts.
        protocol: How it is carried to the frames' grid.
        frames: Where to start; the truth is not looked at.
        timed_steps: Steps that are timed.
        clock: Tells the time in seconds.
    """
    num_frames = (timed_steps + 1) * entry.bundle
    truth = frames.truth[:, :1].expand(-1, num_frames, -1, -1, -1)
    finished = []
    predicted = entry.predict(replace(frames, truth=truth), protocol)
    for number, _ in enumerate(predicted, start=1):
        if number % entry.bundle:  # not the last frame of its step
            continue
        if frames.given.is_cuda:
            torch.cuda.synchronize(frames.given.device)
        finished.append(clock())
    return [(after - before) / entry.bundle for before, after in pairwise(finished)]
