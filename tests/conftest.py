"""What every test shares: one thread per worker, and a browser for those who look at pages."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import torch

from pdesurrogate.evaluation import resolution_transfer

if TYPE_CHECKING:
    from playwright.sync_api import Browser


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background lets them ignore Ctrl-C, which some test.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """The workers share the cores, and networks this small are slower on several threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _no_solver_at_equal_cost() -> Iterator[None]:
    """Which solver costs as much as a network depends on what else the machine does.

    Tests of that very thing ask for it: `tests/evaluation/test_equal_cost.py`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolution_transfer, "choose_solvers", lambda plan, device: {})
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()


@pytest.fixture(autouse=True)
def _same_numbers_every_time() -> None:
    """A test that draws from torch's global generator draws the same in every run."""
    torch.manual_seed(0)
