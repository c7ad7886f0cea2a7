"""What is seen of an evaluation while it runs: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["progress_display"]

logger = logging.getLogger("pdesurrogate.evaluation")


@contextmanager
def progress_display(num_rollouts: int) -> Iterator[Callable[[str], None]]:
    """A function to be told of every rollout that is done.

    Args:
        num_rollouts: How many there will be.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        done = 0

        def log(what: str) -> None:
            nonlocal done
            done += 1
            logger.info("rollout %d/%d  %s", done, num_rollouts, what)

        yield log
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
        console=console,
    ) as bar:
        task = bar.add_task("evaluating", total=num_rollouts, what="")
        yield lambda what: bar.update(task, advance=1, what=what)
