"""What a network costs: parameters, floating-point operations, memory and time."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from pdesurrogate.grids import Grid

__all__ = [
    "Cost",
    "count",
    "count_activation_bytes",
    "count_flops",
    "count_parameters",
    "evaluating",
]

_REPETITIONS = 5


@dataclass(frozen=True)
class Cost:
    """What one sample on one grid costs a network; made by `count`.

    Args:
        num_points: The grid's points along y and x.
        parameters: Trainable real numbers; a complex one counts as two.
        flops: Floating-point operations of a forward pass, as `count_flops` counts them.
        activation_bytes: What a forward pass keeps for the backward one.
        forward_seconds: Time of a forward pass without gradients, the median of five.
        training_seconds: Time of a forward and a backward pass, the median of five.
        threads: Threads that torch computed with, if on a CPU.
        device: Where it was timed.
    """

    num_points: tuple[int, int]
    parameters: int
    flops: int
    activation_bytes: int
    forward_seconds: float
    training_seconds: float
    threads: int
    device: str


def count(network: nn.Module, grid: Grid, in_channels: int) -> Cost:
    """Count and measure what a network costs, where it lies and in its own precision.

    All but the seconds are exact and the same on every machine. The seconds are of this one, while
    it does whatever else it does: compare those of networks that were measured in turns.

    Args:
        network: A network from `(batch, in_channels, y, x)`.
        grid: Number of points of its input.
        in_channels: Channels of its input.
    """
    sample = _sample(network, in_channels, grid)
    with evaluating(network):
        with torch.no_grad():
            forward = _seconds(lambda: network(sample), sample.device)
        training = _seconds(lambda: _forward_and_backward(network, sample), sample.device)
    return Cost(
        num_points=grid.num_points,
        parameters=count_parameters(network),
        flops=count_flops(network, in_channels, grid),
        activation_bytes=count_activation_bytes(network, in_channels, grid),
        forward_seconds=forward,
        training_seconds=training,
        threads=torch.get_num_threads(),
        device=str(sample.device),
    )


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
    sample = _sample(module, in_channels, grid)
    counter = FlopCounterMode(display=False, custom_mapping=_FORMULAS)
    with torch.no_grad(), evaluating(module), counter:
        module(sample)
    return round(counter.get_total_flops())


def count_activation_bytes(module: nn.Module, in_channels: int, grid: Grid, batch: int = 1) -> int:
    """Bytes that a forward pass keeps for the backward pass.

    Every storage that autograd holds on to counts once and whole, however many operations and
    views refer to it; parameters and buffers, which are there anyway, do not count. The peak of a
    training step is above it by the gradients and by what operations need while they run.

    Args:
        module: A network from `(batch, in_channels, y, x)`.
        in_channels: Channels of its input.
        grid: Number of points of its input.
        batch: Samples. What does not grow with them, such as summed weights, counts once.
    """
    sample = _sample(module, in_channels, grid).repeat(batch, 1, 1, 1)
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with evaluating(module), torch.enable_grad(), saved_tensors_hooks(note, lambda t: t):
        # Holding the output holds what was saved: no storage is freed and its address used again.
        output = module(sample)
    for held in (*module.parameters(), *module.buffers()):
        kept.pop(held.untyped_storage().data_ptr(), None)
    del output
    return sum(kept.values())


def _sample(module: nn.Module, in_channels: int, grid: Grid) -> Tensor:
    """One input of zeros, where the network lies and in its precision."""
    like = next(module.parameters(), torch.empty(0))
    shape = (1, in_channels, *grid.num_points)
    return torch.zeros(shape, device=like.device, dtype=like.dtype.to_real())


def _forward_and_backward(module: nn.Module, sample: Tensor) -> None:
    """Compute all gradients and leave none behind."""
    learned: list[Tensor] = [p for p in module.parameters() if p.requires_grad]
    with torch.enable_grad():
        if not learned:
            sample = sample.requires_grad_()
        output = module(sample)
        torch.autograd.grad(output.sum(), learned or [sample], allow_unused=True)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """The median time of some repetitions, after one that nobody looks at."""
    times = []
    for _ in range(1 + _REPETITIONS):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
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
