"""What moves the weights."""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW, Optimizer

__all__ = ["weight_decaying_optimiser"]


def weight_decaying_optimiser(
    module: nn.Module, learning_rate: float, weight_decay: float
) -> Optimizer:
    """AdamW that decays matrices and kernels only.

    Args:
        module: What is trained.
        learning_rate: The rate to begin with.
        weight_decay: AdamW's decay; biases and other vectors are not decayed.

    References:
        Loshchilov & Hutter (2019), *Decoupled Weight Decay Regularization*.
    """
    parameters = list(module.parameters())
    return AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=learning_rate,
        # One kernel for all parameters instead of a dozen for each; it knows no complex numbers.
        fused=not any(p.is_complex() for p in parameters),
    )
