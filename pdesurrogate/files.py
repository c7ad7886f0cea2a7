"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["write_atomically"]


def write_atomically(path: Path, write: bytes | Callable[[BinaryIO], object]) -> None:
    """Write aside, sync, rename: whatever happens, `path` holds the old content or the new.

    Args:
        path: The file, in a directory that exists.
        write: The content, or a function that writes it to an open binary file.

    Raises:
        OSError: If the content cannot be written (a full disk, say); `path` is then as it was.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            if callable(write):
                write(file)
            else:
                file.write(write)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
