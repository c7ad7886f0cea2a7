"""Processes, here or on a cluster, that share out long work such as shards and trainings."""

from __future__ import annotations

import multiprocessing
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import TypeVar

import torch

__all__ = ["one_thread", "results_of"]

Job = TypeVar("Job")
Result = TypeVar("Result")


def results_of(
    work: Callable[[Job], Result], jobs: Sequence[Job], workers: int, scheduler: str | None
) -> Iterator[tuple[Job, Result]]:
    """Do jobs here, in processes, or on a cluster.

    Args:
        work: Does one. Other processes must be able to import it.
        jobs: In the order in which they are begun.
        workers: Processes; 1 works in this one. They end at once when the iterator is left before
            its end, as by Ctrl-C: nobody waits for what they compute.
        scheduler: Address of a running dask scheduler, which replaces `workers`.

    Yields:
        Each job with its result, as it is finished.

    Raises:
        ValueError: If there is no dask, or no scheduler at the address.
    """
    if scheduler is None and workers == 1:
        for job in jobs:
            yield job, work(job)
        return
    with _executor(workers, scheduler) as executor:
        with _interrupts_held_back():
            futures = {executor.submit(work, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()  # nobody else holds on to a result


@contextmanager
def _executor(workers: int, scheduler: str | None) -> Iterator[Executor]:
    """Something with `submit`: processes of this machine or the workers of a dask cluster."""
    if scheduler is not None:
        try:
            from distributed import Client  # heavy and optional
        except ImportError:
            raise ValueError(
                "--scheduler needs dask; install the extra with `pip install "
                "'pdesurrogate[distributed]'`"
            ) from None
        try:
            client = Client(scheduler)
        except (OSError, ValueError, TimeoutError) as error:
            raise ValueError(f"no dask scheduler answers at {scheduler}: {error}") from error
        with client:
            yield client.get_executor(pure=False)
        return
    # Processes are the parallelism. Forked ones would inherit torch's locked thread pools.
    context = multiprocessing.get_context("spawn")
    abandoned = context.Event()
    executor = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(abandoned,)
    )
    try:
        yield executor
    except BaseException:
        abandoned.set()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
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


def _start_worker(abandoned: Event) -> None:
    """Let a worker end at once with Ctrl-C, with its parent, and when its work is abandoned."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    ends: list[Callable[[], object]] = [abandoned.wait]
    parent = multiprocessing.parent_process()
    if parent is not None:
        ends.append(parent.join)
    for end in ends:
        threading.Thread(target=_end_after, args=(end,), daemon=True).start()


def _end_after(wait: Callable[[], object]) -> None:
    wait()
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
