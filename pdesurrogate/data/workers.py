"""Processes, here or on a cluster, that compute shards."""

from __future__ import annotations

import multiprocessing
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["executor_of", "interrupts_held_back", "one_thread"]


@contextmanager
def executor_of(workers: int, scheduler: str | None) -> Iterator[Executor]:
    """Something with `submit`: processes of this machine or the workers of a dask cluster."""
    if scheduler is not None:
        try:
            from distributed import Client  # heavy and optional
        except ImportError:
            raise ValueError(
                "--scheduler needs dask; install the extra with `pip install "
                "'pdesurrogate[distributed]'`"
            ) from None
        with Client(scheduler) as client:
            yield client.get_executor(pure=False)
        return
    # Processes are the parallelism. Forked ones would inherit torch's locked thread pools.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Let Ctrl-C wait while processes are started, in them until `_start_worker`.

    In the middle of its imports a process would answer with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Its first start, in between, would let interrupts through again.
    multiprocessing.resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """Let Ctrl-C end a worker at once, and so the end of its parent: nobody waits for its shard."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Transforms round differently with another number of threads: always compute with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
