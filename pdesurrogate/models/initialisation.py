"""Initial weights with which networks without normalisation layers begin to learn."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import nn

from pdesurrogate.models.attention import SelfAttention
from pdesurrogate.models.blocks import ResidualBlock
from pdesurrogate.models.spaces import Embedding, Projection

__all__ = ["halve_residual", "keep_variance", "start_blocks"]


def start_blocks(network: nn.Module) -> None:
    """Draw the weights of a residual network by `keep_variance`, then by `halve_residual`.

    Parts that bring their own initial weights keep them: attention, projections and embeddings.

    Args:
        network: A network or a part of one.
    """
    for rule in (keep_variance, halve_residual):
        for part in _blocks(network):
            rule(part)


def _blocks(part: nn.Module) -> Iterator[nn.Module]:
    """Modules in the order of `nn.Module.apply`, without those that start in their own way."""
    if isinstance(part, SelfAttention | Projection | Embedding):
        return
    for child in part.children():
        yield from _blocks(child)
    yield part


def keep_variance(part: nn.Module) -> None:
    r"""Draw a convolution's weights so that its output varies about as much as its input.

    Normal with variance $2 / (k\,c)$ for `k` taps and `c` input channels, biases zero. For
    `nn.Module.apply`; leaves everything but convolutions alone.

    References:
        He et al. (2015), *Delving Deep into Rectifiers*, §2.2.
    """
    if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
        # The transposed convolution's stride equals its size: one tap of the kernel a value.
        taps = 1 if isinstance(part, nn.ConvTranspose2d) else math.prod(part.kernel_size)
        nn.init.normal_(part.weight, std=math.sqrt(2 / (taps * part.in_channels)))
        if part.bias is not None:
            nn.init.zeros_(part.bias)


def halve_residual(part: nn.Module) -> None:
    """Let a residual block start closer to its preconditioner, so that sums do not grow.

    For `nn.Module.apply`; leaves everything but `ResidualBlock` alone.
    """
    if isinstance(part, ResidualBlock):
        second = part.conv2
        assert isinstance(second, nn.Conv2d)
        nn.init.normal_(second.weight, std=float(second.weight.detach().std()) / 2)
