from __future__ import annotations

import time

import pytest
import torch

from pdesurrogate.workers import one_thread, results_of


def test_one_worker_is_this_process_and_works_only_when_asked() -> None:
    done: list[int] = []
    results = results_of(lambda n: done.append(n) or -n, [3, 1, 2], workers=1, scheduler=None)
    assert next(results) == (3, -3)
    assert done == [3]
    assert list(results) == [(1, -1), (2, -2)]


def test_processes_end_at_once_when_nobody_waits_for_them() -> None:
    results = results_of(time.sleep, [0.0, 120.0], workers=2, scheduler=None)
    assert next(results) == (0.0, None)
    begun = time.monotonic()
    results.close()  # type: ignore[attr-defined]  # a generator
    assert time.monotonic() - begun < 60


def test_a_scheduler_needs_dask_and_an_address() -> None:
    with pytest.raises(ValueError, match=r"--scheduler needs dask|no dask scheduler answers at no"):
        next(results_of(abs, [1], workers=1, scheduler="nowhere"))


def test_threads_are_given_back() -> None:
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
