"""Where numbers come from: versions and machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

__all__ = ["library_versions", "machine"]

_LIBRARIES = ("pdesurrogate", "torch", "neuraloperator", "numpy", "xarray", "netCDF4")


def library_versions() -> dict[str, str]:
    """Versions of Python, of this package and of the libraries that its numbers depend on."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def machine(device: str) -> str:
    """The processor that computed and how much of it, in words."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


def _processor() -> str:
    """Linux tells its processor only in a file."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
