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


def mapped_details(matrix: Tensor, v: Tensor) -> Tensor:
    """What the Haar projection drops, mapped between its three patterns, put back on the points."""
    across, along = torch.ones(2, v.shape[-2], v.shape[-1], dtype=v.dtype)
    across[:, 1::2], along[1::2] = -1, -1
    patterns = (across, along, across * along)
    details = torch.stack([average(pattern * v) for pattern in patterns], 2)
    mapped = torch.einsum("op,npyx->noyx", matrix[:, :, 0, 0], details.flatten(1, 2))
    mapped = mapped.repeat_interleave(2, -2).repeat_interleave(2, -1).unflatten(1, (-1, 3))
    return sum(mapped[:, :, k] * pattern for k, pattern in enumerate(patterns))


def decode(
    weights: dict[str, Tensor], name: str, coarse: Tensor, skip: Tensor, extra_blocks: int
) -> Tensor:
    up = convolve(weights, f"{name}.reduction", coarse)
    up = up.repeat_interleave(2, -2).repeat_interleave(2, -1)
    if f"{name}.embedding.weight" in weights:
        up = up + mapped_details(weights[f"{name}.embedding.weight"], skip)
    v = residual_block(weights, f"{name}.block", torch.cat([skip, up], 1))
    for i in range(extra_blocks):
        residual = f"{name}.extra_blocks.{i}.residual"
        v = v + step(weights, residual, 2, step(weights, residual, 1, v))
    return v


def plain_block(weights: dict[str, Tensor], name: str, v: Tensor) -> Tensor:
    return step(weights, name, 2, step(weights, name, 1, v))


def largest(v: Tensor) -> Tensor:
    rows = torch.maximum(v[..., ::2, :], v[..., 1::2, :])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def spread_out(weights: dict[str, Tensor], name: str, v: Tensor) -> Tensor:
    """A transposed convolution: every point becomes a cell of 2 x 2."""
    cells = torch.einsum("ncyx,coab->noyaxb", v, weights[f"{name}.weight"])
    return cells.flatten(4, 5).flatten(2, 3) + weights[f"{name}.bias"][:, None, None]


def residual_unet(weights: dict[str, Tensor], v: Tensor, levels: int, extra: int) -> Tensor:
    skips = []
    for i in reversed(range(levels)):
        skips.insert(0, residual_block(weights, f"encoders.{i}", v))
        v = average(skips[0])
    w = residual_block(weights, "bottleneck", v)
    for i in range(levels):
        w = decode(weights, f"decoders.{i}", w, skips[i], extra)
    return convolve(weights, "head", w)


def multi_resnet(weights: dict[str, Tensor], v: Tensor, levels: int, extra: int) -> Tensor:
    skips = [residual_block(weights, "lift", v)]
    for _ in range(levels):  # halving the points and doubling the channels
        skips.insert(0, average(skips[0]).repeat(1, 2, 1, 1))
    w = skips.pop(0)
    for i in range(levels):
        w = decode(weights, f"decoders.{i}", w, skips[i], extra)
    return convolve(weights, "head", w)


def classical_unet(weights: dict[str, Tensor], v: Tensor, levels: int) -> Tensor:
    skips = []
    for i in reversed(range(levels)):
        skips.insert(0, plain_block(weights, f"encoders.{i}", v))
        v = largest(skips[0])
    w = plain_block(weights, "bottleneck", v)
    for i in range(levels):
        up = spread_out(weights, f"decoders.{i}.upsampling", w)
        w = plain_block(weights, f"decoders.{i}.block", torch.cat([skips[i], up], 1))
    return convolve(weights, "head", w)
