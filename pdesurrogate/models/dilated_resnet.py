"""The dilated ResNet: one scale, kernels that reach far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import Activation, BoundaryConv2d, ConvStyle, Norm
from pdesurrogate.models.initialisation import keep_variance
from pdesurrogate.models.options import require_at_least, require_choice
from pdesurrogate.models.spec import ModelSpec

__all__ = ["DILATIONS", "DilatedBlock", "DilatedResNet"]

DILATIONS = (1, 2, 4, 8, 4, 2, 1)
"""Distances between the points that the kernels of a block look at, in their order."""


@dataclass(frozen=True)
class DilatedResNet(ModelSpec):
    r"""Encoder, residual blocks of dilated convolutions, decoder, all on the same grid.

    $$ v \mapsto K_\mathrm{out} \circ (\mathrm{id} + B_m) \circ \dots \circ (\mathrm{id} + B_1)
       \circ K_\mathrm{in}\, v, \qquad
       B = f_1 \circ f_2 \circ f_4 \circ f_8 \circ f_4 \circ f_2 \circ f_1 $$

    where $f_d = \sigma \circ N \circ K_d$ has a 3 x 3 kernel whose points are `d` apart. A block
    sees 22 points in every direction, so what it learns is tied to the spacing of the training
    grid: on a finer one it looks at a smaller part of the domain. Every grid goes.

    Weights of the blocks start with variance `2 / n` for `n` inputs to a value, those of a block's
    last convolution divided by the number of blocks.

    Args:
        width: Channels of the blocks.
        blocks: Residual blocks of seven convolutions.
        norm: `none` by default, as in the paper; see `UNetSpec`.
        activation: `relu` by default, as in the paper.

    Raises:
        ValueError: If a number is below 1 or a choice is unknown.

    References:
        Stachenfeld et al. (2022), *Learned Coarse Models for Efficient Turbulence Simulation*, §3.
        Gupta & Brandstetter (2022), *Towards Multi-spatiotemporal-scale Generalized PDE Modeling*.
    """

    width: int = 48
    blocks: int = 4
    norm: Norm = "none"
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        require_at_least(self, width=1, blocks=1)
        require_choice(self, norm=get_args(Norm), activation=get_args(Activation))

    @property
    def learning_rate(self) -> float:
        """Half that of the U-Nets: 29 layers in a row; not searched."""
        return 1e-3

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        """The network, freshly initialised."""
        style = ConvStyle(grid.padding, self.norm, self.activation)
        blocks = [DilatedBlock(self.width, style) for _ in range(self.blocks)]
        for block in blocks:
            block.apply(keep_variance)
            with torch.no_grad():
                block.last.weight.div_(math.sqrt(self.blocks))
        return nn.Sequential(
            style.convolution(in_channels, self.width),
            nn.Sequential(*blocks),
            style.convolution(self.width, out_channels),
        )


class DilatedBlock(nn.Module):
    r"""A residual step around convolutions whose reach grows and shrinks again: $v + B v$.

    Args:
        channels: Channels of the input and of the output.
        style: Edges, normalisation and activation.
        dilations: Distance between the points that each kernel looks at.
    """

    def __init__(
        self, channels: int, style: ConvStyle, dilations: tuple[int, ...] = DILATIONS
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            BoundaryConv2d(channels, channels, style.edges, dilation=d) for d in dilations
        )
        self.norms = nn.ModuleList(style.normalisation(channels) for _ in dilations)
        self._style = style

    @property
    def last(self) -> BoundaryConv2d:
        """The last convolution."""
        last = self.convolutions[-1]
        assert isinstance(last, BoundaryConv2d)
        return last

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        """Add the residual to `v`."""
        residual = v
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            residual = self._style.nonlinearity(norm(convolution(residual)))
        return v + residual
