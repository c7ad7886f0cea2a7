"""Folders in which one process works at a time."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["LOCK", "FolderInUseError", "held"]

log = logging.getLogger(__name__)

LOCK = ".lock"
"""A file that says nothing by being there: what counts is whether a living process has locked it.

It may stay when that process ends.
"""

_NO_LOCKS = {getattr(errno, name) for name in ("ENOSYS", "ENOLCK", "ENOTSUP", "EOPNOTSUPP")}
"""What file systems answer that know no locks."""


class FolderInUseError(ValueError):
    """Another process works in the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder for this process until the block is left, or the process dies.

    Where the file system knows no locks nothing is kept, and the log has a warning.

    Args:
        folder: Is made if it does not exist.

    Raises:
        FolderInUseError: If it is held already.
        OSError: If it cannot be made, or another user's lock may not be opened.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Else filelock would take the file's mere existence for a lock, and outlive its process.
    lock = FileLock(folder / LOCK, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise FolderInUseError(
            f"{folder} is in use by another process: wait for its end or stop it"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        log.warning("%s cannot be locked (%s): nothing else should work there", folder, error)
    try:
        yield
    finally:
        lock.release()
