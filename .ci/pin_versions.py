"""Write constraints.txt from the environment that runs this script.

Run as `make pin` after the tests passed with newer versions. A package that no longer supports
the oldest Python of this project is pinned for newer interpreters only.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

OLDEST_PYTHON = 10
HEADER = """\
# The versions that the tests ran with (Python 3.11, Linux). Written by `make pin`; do not edit.
# `torch` has no local part: pip takes the CPU or the CUDA build, whichever its index offers.
"""
UNPINNED = {"pip", "pdesurrogate"}


def requirement(distribution: Distribution) -> str:
    """One line of constraints: the version without its local part, and for which Python."""
    version = distribution.version.partition("+")[0]
    wanted = distribution.metadata.get("Requires-Python") or ""
    oldest = re.search(r">=\s*3\.(\d+)", wanted)
    marker = ""
    if oldest and int(oldest.group(1)) > OLDEST_PYTHON:
        marker = f' ; python_version >= "3.{oldest.group(1)}"'
    return f"{distribution.metadata['Name']}=={version}{marker}"


def main() -> None:
    """Pin everything that is installed, in alphabetical order."""
    lines = {requirement(d) for d in distributions() if d.metadata["Name"] not in UNPINNED}
    text = HEADER + "\n".join(sorted(lines, key=str.lower)) + "\n"
    Path("constraints.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
