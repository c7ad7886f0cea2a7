"""What moves the weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.optim import AdamW, Optimizer

__all__ = ["weight_decaying_optimiser"]


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
