"""Where to compute."""

from __future__ import annotations

import torch

__all__ = ["check_device"]


def check_device(name: str) -> None:
    """Refuse a device that torch does not know or this machine does not have.

    Args:
        name: `cpu`, `cuda`, or `cuda:N`.

    Raises:
        ValueError: Says what is allowed, or that the device is absent.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be cpu, cuda or cuda:N, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {name!r} was asked for, but this machine has "
            f"{torch.cuda.device_count()} CUDA devices; cpu is always there"
        )
