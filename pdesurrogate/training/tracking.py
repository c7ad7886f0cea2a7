"""Where the metrics of a training go besides `metrics.csv`: TensorBoard, Weights & Biases."""

from __future__ import annotations

import logging
import netrc
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import yaml

from pdesurrogate.files import write_atomically
from pdesurrogate.naming import unknown_name
from pdesurrogate.training.epoch_metrics import EpochMetrics

__all__ = ["Tracker", "check_trackers", "open_trackers"]

log = logging.getLogger(__name__)


@runtime_checkable
class Tracker(Protocol):
    """Told of every finished epoch."""

    def log(self, row: EpochMetrics) -> None:
        """Show the metrics of an epoch."""

    def close(self) -> None:
        """Write what is still held back; nothing follows."""


def check_trackers(names: Sequence[str]) -> None:
    """Refuse a tracker that does not exist, is not installed or would ask for a login.

    Args:
        names: `tensorboard`, `wandb`, both or none.

    Raises:
        ValueError: Says which, and what to do.
    """
    for name in names:
        if name not in _TRACKERS:
            raise ValueError(unknown_name("tracker", name, _TRACKERS))
        if not _is_installed(name):
            raise ValueError(
                f"the tracker {name!r} is not installed: pip install 'pdesurrogate[tracking]'"
            )
    if "wandb" in names and os.environ.get("WANDB_MODE") == "online" and not _is_logged_in():
        raise ValueError(
            "WANDB_MODE is online, but nobody is logged in to Weights & Biases: "
            "run `wandb login` first, or unset WANDB_MODE to keep the metrics in the run"
        )


@contextmanager
def open_trackers(
    names: Sequence[str], run_path: Path, name: str, settings: Mapping[str, Any], *, resumed: bool
) -> Iterator[Tracker]:
    """All chosen trackers as one; without any it does nothing.

    Args:
        names: Those that `check_trackers` accepts.
        run_path: The run, in which each keeps its files in a folder of its own name.
        name: What the run is called where it stands among others.
        settings: What was chosen of the run, as plain nested data.
        resumed: Whether the run has begun before, so that its curves are continued.

    Yields:
        What is to be told of every epoch. Epochs of which it has been told before, by a session
        that got further than its last checkpoint, are not drawn twice.
    """
    with ExitStack() as opened:
        yield _All(
            [
                opened.enter_context(closing(_TRACKERS[tracker](run_path, name, settings, resumed)))
                for tracker in names
            ]
        )


class _All:
    """Several trackers as one."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = trackers

    def log(self, row: EpochMetrics) -> None:
        for tracker in self._trackers:
            tracker.log(row)

    def close(self) -> None:
        for tracker in self._trackers:
            tracker.close()


class _TensorBoard:
    """Curves over the epochs, in an event file for each session, under `RUN/tensorboard`."""

    def __init__(
        self, run_path: Path, name: str, settings: Mapping[str, Any], resumed: bool
    ) -> None:
        self._folder = run_path / "tensorboard"
        self._settings = None if resumed else settings
        self._writer: Any = None

    def log(self, row: EpochMetrics) -> None:
        if self._writer is None:
            self._writer = self._opened(first=row.epoch)
        for name, value in _numbers(row).items():
            self._writer.add_scalar(name, value, row.epoch)
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _opened(self, first: int) -> Any:
        """A writer whose events replace those of earlier sessions from an epoch on."""
        from torch.utils.tensorboard import SummaryWriter  # heavy and optional

        writer = SummaryWriter(str(self._folder), purge_step=first)
        if self._settings is not None:
            text = yaml.safe_dump(dict(self._settings), sort_keys=False, allow_unicode=True)
            writer.add_text("settings", f"```yaml\n{text}```", first)
        return writer


class _WeightsAndBiases:
    """One run on Weights & Biases for all sessions, with its files under `RUN/wandb`.

    Offline unless the user is logged in or says otherwise: it never asks for a login. Its id lies
    beside its files, so that a resumed run goes on as the same one. Epochs are its steps: those it
    has had already are ignored.
    """

    def __init__(
        self, run_path: Path, name: str, settings: Mapping[str, Any], resumed: bool
    ) -> None:
        import wandb  # heavy and optional

        folder = run_path / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        identity = folder / "run_id"
        if not (resumed and identity.exists()):
            write_atomically(identity, f"{secrets.token_hex(4)}\n".encode())
        said = os.environ.get("WANDB_MODE")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "pdesurrogate"),
            id=identity.read_text().strip(),
            name=name,
            dir=str(run_path),
            config=dict(settings),
            resume="allow",
            mode=None if said else "online" if _is_logged_in() else "offline",
            # Standard output is for results, and the console is the progress display's.
            settings=wandb.Settings(silent=True, console="off"),
        )
        if self._run.settings.mode == "online":
            log.info("metrics are on Weights & Biases: %s", self._run.url)
        else:
            log.info("metrics for Weights & Biases are in %s: `wandb sync` uploads them", folder)

    def log(self, row: EpochMetrics) -> None:
        self._run.log(_numbers(row), step=row.epoch)

    def close(self) -> None:
        self._run.finish()


_TRACKERS: dict[str, Callable[[Path, str, Mapping[str, Any], bool], Tracker]] = {
    "tensorboard": _TensorBoard,
    "wandb": _WeightsAndBiases,
}


def _numbers(row: EpochMetrics) -> dict[str, float]:
    """What of an epoch's metrics can be drawn over the epochs."""
    return {
        name: float(value)
        for name, value in asdict(row).items()
        if isinstance(value, int | float) and name != "epoch"
    }


def _is_installed(package: str) -> bool:
    """Whether there is such a package, and not only a folder with its name, such as it writes."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def _is_logged_in() -> bool:
    """Whether `wandb login` has been run, or the environment says who the user is."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname
    try:
        return host in netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
