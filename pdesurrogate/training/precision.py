"""How precisely a network computes; weights, gradients and losses are float32 in any case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.backends import cudnn

from pdesurrogate.training.config import Precision

__all__ = ["check_precision", "computing_in", "forward_in", "resolved_precision"]

_TENSOR_CORES = 8
"""Compute capability from which on a CUDA device has units for TF32 and bfloat16 (Ampere)."""


def resolved_precision(chosen: Precision | None, device: torch.device) -> Precision:
    """The precision that was chosen, or the one that suits the device.

    On a CPU that is float32: bfloat16 was measured to be slower there, see the documentation's page
    *Training*. On a CUDA device that can do it, it is TF32, by the rates that the vendor states: a
    mantissa of 10 bits instead of 23 in the factors of matrix products and convolutions, summed up
    in float32.

    Args:
        chosen: The user's choice; None for the device's own.
        device: Where the network computes.
    """
    if chosen is not None:
        return chosen
    return "tf32" if device.type == "cuda" and _has_tensor_cores(device) else "float32"


def check_precision(precision: Precision, device: torch.device) -> None:
    """Refuse a precision that the device does not have.

    Args:
        precision: What `resolved_precision` gave.
        device: Where the network computes.

    Raises:
        ValueError: Says what the device lacks.
    """
    if precision == "tf32" and device.type != "cuda":
        raise ValueError(
            f"precision tf32 is a mode of CUDA devices, the device is {device}: "
            "choose float32 or bf16"
        )
    if precision != "float32" and device.type == "cuda" and not _has_tensor_cores(device):
        major, minor = torch.cuda.get_device_capability(device)
        raise ValueError(
            f"precision {precision} needs a CUDA device of compute capability {_TENSOR_CORES}.0 "
            f"or higher, {device} has {major}.{minor}: choose float32"
        )


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Around a whole training: products and convolutions of float32 numbers are exact, or in TF32.

    This is a state of the process and not of a device: CPUs do not know TF32 and ignore it. The
    caller's state is back afterwards.

    Args:
        precision: One that `check_precision` accepts.
    """
    products, convolutions = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        cudnn.allow_tf32 = convolutions


@contextmanager
def forward_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Around one forward pass and its loss: with bf16, torch's autocast chooses what is rounded.

    It rounds what goes into products and convolutions to bfloat16, and leaves sums, norms and
    losses in float32. Networks here take care of what it does not know, see
    `pdesurrogate.models.single_precision`. A surrogate adds the change that its network predicts in
    float32.

    Gradients flow back outside of it, and the weights change outside of it: it keeps their rounded
    copies.

    Args:
        precision: One that `check_precision` accepts.
        device: Where the network computes.
    """
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        yield


def _has_tensor_cores(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device)[0] >= _TENSOR_CORES
