"""What moves the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import AdamW, Optimizer

__all__ = ["WIDE", "rate_shares", "real_parameter", "weight_decaying_optimiser"]

WIDE = 1728
"""Inputs of a layer above which it is wide: those of 192 channels and nine points.

No layer of the networks of half a million parameters has more, for which rates were searched.
"""

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
"""A row of their weights belongs to one output. A transposed convolution's does not."""


def weight_decaying_optimiser(
    module: nn.Module, weight_decay: float, *, slows_wide_layers: bool
) -> Optimizer:
    r"""AdamW that decays matrices and kernels only; whoever steps says at which rate.

    Each group of parameters has a `rate_share`, by which its rate is to be multiplied. A step of
    Adam changes every weight by about the rate, and all of them together change what a layer of
    `n` inputs answers by about `n` times the rate. So wide layers are given

    $$ \min\Bigl(1, \frac{1728}{n}\Bigr) $$

    of it, and others, and all biases, the whole.

    Args:
        module: What is trained, as far as it requires gradients.
        weight_decay: AdamW's decay; biases and other vectors are not decayed.
        slows_wide_layers: Whether they have a share of the rate; else all have the whole.

    References:
        Loshchilov & Hutter (2019), *Decoupled Weight Decay Regularization*; Yang et al. (2021),
        *Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter Transfer*.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    shares = rate_shares(module) if slows_wide_layers else {}
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {(True, 1.0): [], (False, 1.0): []}
    for parameter in parameters:
        group = parameter.ndim > 1, shares.get(parameter, 1.0)
        groups.setdefault(group, []).append(parameter)
    return AdamW(
        [
            {"params": members, "weight_decay": weight_decay * decays, "rate_share": share}
            for (decays, share), members in groups.items()
        ],
        # One kernel for all parameters instead of a dozen for each; it knows no complex numbers.
        fused=not any(p.is_complex() for p in parameters),
    )


def rate_shares(module: nn.Module) -> dict[Tensor, float]:
    """Which share of the rate the weights of wide layers have; those that are missing have all.

    Only convolutions and linear maps are looked at: of other weights it is not known how many of
    them add up to an answer.
    """
    shares: dict[Tensor, float] = {}
    for layer in module.modules():
        if isinstance(layer, _LAYERS):
            inputs = math.prod(layer.weight.shape[1:])
            if inputs > WIDE:
                shares[layer.weight] = WIDE / inputs
    return shares


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
