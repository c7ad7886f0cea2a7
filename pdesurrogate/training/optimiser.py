"""What moves the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import AdamW, Optimizer

__all__ = ["real_parameter", "weight_decaying_optimiser"]


def weight_decaying_optimiser(parameters: Sequence[nn.Parameter], weight_decay: float) -> Optimizer:
    """AdamW that decays matrices and kernels only; whoever steps says at which rate.

    Args:
        parameters: What is trained.
        weight_decay: AdamW's decay; biases and other vectors are not decayed.

    References:
        Loshchilov & Hutter (2019), *Decoupled Weight Decay Regularization*.
    """
    return AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        # One kernel for all parameters instead of a dozen for each; it knows no complex numbers.
        fused=not any(p.is_complex() for p in parameters),
    )


def real_parameter(parameter: nn.Parameter) -> Tensor:
    """A complex parameter as pairs of real numbers in the same memory, its gradient likewise.

    The norm of complex numbers takes ten times as long as that of their parts, which is the same.
    Others, and those of which a process holds a share, are returned as they are.
    """
    gradient = parameter.grad
    if not parameter.is_complex() or gradient is None or isinstance(gradient, DTensor):
        return parameter
    real = torch.view_as_real(parameter.detach())
    real.grad = torch.view_as_real(gradient)
    return real
