"""Processes of the tests: forked, so that they start at once and may be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable

import torch

__all__ = ["exit_codes", "kill_oneself"]


def exit_codes(work: Callable[[int], object], size: int = 1, seconds: float = 120) -> list[int]:
    """Run `work(rank)` in forked processes, as `torchrun` would if there are several.

    Returns:
        How each ended: 0, the code it exited with, or minus the signal that killed it.
    """
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port = str(listener.getsockname()[1])
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=_rank, args=(work, r, size, port)) for r in range(size)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
    return [process.exitcode or 0 for process in ranks]


def kill_oneself() -> None:
    """What a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


def _rank(work: Callable[[int], object], rank: int, size: int, port: str) -> None:
    torch.set_num_threads(1)
    if size > 1:
        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "MASTER_ADDR": "localhost",
            "MASTER_PORT": port,
            "TORCHELASTIC_RUN_ID": "test",
        }
    work(rank)
