"""The residual networks once more, written as formulas on tensors instead of modules."""

import torch
from torch import Tensor
from torch.nn import functional as F


def convolve(weights: dict[str, Tensor], name: str, v: Tensor) -> Tensor:
    v = torch.cat([v[..., -1:, :], v, v[..., :1, :]], -2)
    v = torch.cat([v[..., :, -1:], v, v[..., :, :1]], -1)
    return F.conv2d(v, weights[f"{name}.weight"], weights[f"{name}.bias"])


def step(weights: dict[str, Tensor], name: str, number: int, v: Tensor) -> Tensor:
    v = convolve(weights, f"{name}.conv{number}", v)
    if f"{name}.norm{number}.weight" in weights:
        mean, variance = v.mean((1, 2, 3), True), v.var((1, 2, 3), correction=0, keepdim=True)
        scale, shift = weights[f"{name}.norm{number}.weight"], weights[f"{name}.norm{number}.bias"]
        v = (v - mean) / torch.sqrt(variance + 1e-5) * scale[:, None, None] + shift[:, None, None]
    return v * 0.5 * (1 + torch.erf(v / 2**0.5))


def residual_block(weights: dict[str, Tensor], name: str, v: Tensor) -> Tensor:
    a = step(weights, name, 1, v)
    return a + step(weights, name, 2, a)


def average(v: Tensor) -> Tensor:
    return 0.25 * (v[..., ::2, ::2] + v[..., 1::2, ::2] + v[..., ::2, 1::2] + v[..., 1::2, 1::2])


def decode(
    weights: dict[str, Tensor], name: str, coarse: Tensor, skip: Tensor, extra_blocks: int
) -> Tensor:
    up = convolve(weights, f"{name}.reduction", coarse)
    up = up.repeat_interleave(2, -2).repeat_interleave(2, -1)
    v = residual_block(weights, f"{name}.block", torch.cat([skip, up], 1))
    for i in range(extra_blocks):
        residual = f"{name}.extra_blocks.{i}.residual"
        v = v + step(weights, residual, 2, step(weights, residual, 1, v))
    return v
