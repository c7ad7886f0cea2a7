"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["PARTIAL", "replaced_atomically", "write_atomically"]

PARTIAL = ".partial"
"""Ending of a file that is being written; one that is left behind belongs to a killed process."""


@contextmanager
def replaced_atomically(path: Path) -> Iterator[Path]:
    """Write aside, sync, rename: whatever happens, `path` holds the old content or the new.

    Args:
        path: The file, in a directory that exists.

    Yields:
        The path to write to, in the same directory.

    Raises:
        OSError: If the content cannot be written (a full disk, say); it names `path`, which is then
            as it was.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        aside.unlink(missing_ok=True)


def write_atomically(path: Path, write: bytes | Callable[[BinaryIO], object]) -> None:
    """Replace a file by new content, whole or not at all; see `replaced_atomically`.

    Args:
        path: The file, in a directory that exists.
        write: The content, or a function that writes it to an open binary file.
    """
    with replaced_atomically(path) as aside, aside.open("wb") as file:
        if callable(write):
            write(file)
        else:
            file.write(write)
