"""Quadrature weights as tensors."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid

__all__ = ["quadrature_weights"]


@lru_cache(maxsize=16)  # a grid is asked many times a frame
def quadrature_weights(
    grid: Grid, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "y x"]:
    """What each point counts in a mean over the domain, with sum 1; not to be changed in place."""
    with torch.inference_mode(False):  # whoever differentiates later gets the same tensor
        return torch.as_tensor(grid.quadrature_weights, dtype=dtype, device=device)
