"""The residual U-Net: average pooling and residual blocks on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.bases import HaarEmbedding, HaarProjection
from pdesurrogate.models.blocks import ConvStyle, FullyResidualBlock, ResidualBlock
from pdesurrogate.models.initialisation import halve_residual, keep_variance
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.unet import Decoder, UNet, check_grid_size
from pdesurrogate.models.unet_spec import UNetSpec

__all__ = ["ResidualDecoder", "ResidualUNet"]


@dataclass(frozen=True)
class ResidualUNet(UNetSpec):
    r"""Residual blocks as encoders and decoders, on the nested spaces of the Haar wavelet.

    Each decoder has the form $D(w \mid v) = D_\mathrm{pre}(w, v) + D_\mathrm{res}(w, v)$. The first
    encoder operator lifts the input, the others double the channels; the output is read off by a
    3 x 3 convolution. Weights start so that the signal keeps its variance through the blocks:
    with the framework's default, most trainings without normalisation end where the network
    predicts nothing.

    Args:
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often the grid is halved; sides must be divisible by `2**levels`.
        norm: `none` by default, see `UNetSpec`; or `group`.
        extra_decoder_blocks: Fully residual blocks added to the decoder of each level.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §3.
    """

    extra_decoder_blocks: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, extra_decoder_blocks=0)

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If a side of the grid is not divisible by `2**levels`.
        """
        check_grid_size(grid.num_points, self.levels)
        style = ConvStyle(grid.padding, self.norm)
        channels, levels = self.channels, range(1, self.levels + 1)
        inputs = (*channels[1:], in_channels)  # a level receives what the finer one encodes
        network = UNet(
            encoders=[ResidualBlock(inputs[i], channels[i], style) for i in levels],
            projections=[HaarProjection() for _ in levels],
            bottleneck=ResidualBlock(inputs[0], channels[0], style),
            decoders=[
                ResidualDecoder(channels[i - 1], channels[i], style, self.extra_decoder_blocks)
                for i in levels
            ],
            head=style.convolution(self.width, out_channels),
        )
        for parts in (network.encoders, network.bottleneck, network.decoders):
            parts.apply(keep_variance).apply(halve_residual)
        return network


class ResidualDecoder(Decoder):
    r"""Embed the coarse field, join it with the skip, apply residual blocks.

    $$ D(w \mid v) = (R_m \circ \dots \circ R_1 \circ R)\bigl(v \oplus Q K w\bigr) $$

    with a 3 x 3 convolution $K$ onto the channels of the finer level, the Haar embedding $Q$, the
    concatenation $\oplus$, a residual block $R$ and `extra_blocks` fully residual ones.

    Args:
        coarse_channels: Channels of the coarse field.
        channels: Channels of the skip and of the output.
        style: Edges and normalisation.
        extra_blocks: Number of fully residual blocks at the end.
    """

    def __init__(
        self, coarse_channels: int, channels: int, style: ConvStyle, extra_blocks: int = 0
    ) -> None:
        super().__init__()
        self.reduction = style.convolution(coarse_channels, channels)
        self.embedding = HaarEmbedding()
        self.block = ResidualBlock(2 * channels, channels, style)
        self.extra_blocks = nn.Sequential(
            *(FullyResidualBlock(channels, style) for _ in range(extra_blocks))
        )

    def forward(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """Decode `coarse`, preconditioned on `skip`."""
        embedded = self.embedding(self.reduction(coarse))
        return self.extra_blocks(self.block(torch.cat([skip, embedded], dim=1)))
