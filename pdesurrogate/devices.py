"""Where to compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["check_device", "full_precision"]


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Around what is physics and not a network: neither autocast nor TF32 rounds its products.

    Sums over a sphere lose small changes of a large depth to either. (A graph that is compiled
    has one precision throughout: there the second is left as it is.)
    """
    is_eager = not torch.compiler.is_compiling()
    products = torch.get_float32_matmul_precision() if is_eager else ""
    if is_eager:
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        if is_eager:
            torch.set_float32_matmul_precision(products)


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
