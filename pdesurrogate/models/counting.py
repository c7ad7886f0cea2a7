"""What a network costs: parameters and floating-point operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pdesurrogate.grids import Grid

__all__ = ["count_flops", "count_parameters"]


def count_parameters(module: nn.Module) -> int:
    """Trainable real numbers of a network; a complex parameter counts as two.

    Args:
        module: Any network.

    Example:
        >>> count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(
        p.numel() * (2 if p.is_complex() else 1) for p in module.parameters() if p.requires_grad
    )


def count_flops(module: nn.Module, in_channels: int, grid: Grid) -> int:
    r"""Floating-point operations of one forward pass of one sample.

    Counts convolutions and matrix products, a multiplication and an addition as two operations
    (eight if complex), and by the usual formula Fourier transforms of $n$ points:
    $5 n \log_2 n$, half of it from or to real values. Pointwise functions, normalisation, pooling
    and padding are left out.

    Args:
        module: A network from `(batch, in_channels, y, x)`.
        in_channels: Channels of its input.
        grid: Number of points of its input.
    """
    like = next(module.parameters(), torch.empty(0))
    sample = torch.zeros(
        1, in_channels, *grid.num_points, device=like.device, dtype=like.dtype.to_real()
    )
    counter = FlopCounterMode(display=False, custom_mapping=_FORMULAS)
    with torch.no_grad(), _evaluating(module), counter:
        module(sample)
    return round(counter.get_total_flops())


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Switch to evaluation, so that no running statistic moves, and back part by part."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def _transform_of_real(shape: Any, dim: Any, *_: Any, **__: Any) -> float:
    return _transform_flops(shape, dim) / 2


def _transform_to_real(_shape: Any, dim: Any, *_: Any, out_shape: Any = None, **__: Any) -> float:
    return _transform_flops(out_shape, dim) / 2


def _transform(shape: Any, dim: Any, *_: Any, **__: Any) -> float:
    return _transform_flops(shape, dim)


def _transform_flops(shape: Any, dim: Any) -> float:
    """`5 n log2 n` for each of the transforms over the axes `dim` of an array of this shape."""
    return 5 * math.prod(shape) * math.log2(math.prod(shape[axis] for axis in dim))


def _matrix_product(*args: Tensor, out_val: Tensor, **_: Any) -> int:
    """Flops of `(batched) A B`, the last two arguments that are matrices."""
    return (8 if out_val.is_complex() else 2) * out_val.numel() * args[-1].shape[-2]


# Hands the formula the tensors instead of their shapes: the counter's way of asking.
_matrix_product._get_raw = True  # type: ignore[attr-defined]

_aten = torch.ops.aten
_FORMULAS: dict[Any, Callable[..., float]] = {
    _aten._fft_r2c: _transform_of_real,
    _aten._fft_c2r: _transform_to_real,
    _aten._fft_c2c: _transform,
    _aten.mm: _matrix_product,
    _aten.bmm: _matrix_product,
    _aten.addmm: _matrix_product,
    _aten.baddbmm: _matrix_product,
}
