"""Parts of a network that stay in single precision where the rest computes in bfloat16."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["in_single_precision", "widened"]


def in_single_precision(part: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
    """Apply a part of a network outside of autocast, if there is any.

    For transforms, which know no bfloat16, and for numbers that are differenced or summed up later,
    so that what they are rounded to here would be seen there.

    Args:
        part: A module or function.
        v: What it is applied to.
    """
    if not torch.is_autocast_enabled(v.device.type):
        return part(v)
    with torch.autocast(v.device.type, enabled=False):
        return part(widened(v))


def widened(v: Tensor) -> Tensor:
    """The same numbers with at least single precision."""
    return v.to(torch.promote_types(v.dtype, torch.float32))
