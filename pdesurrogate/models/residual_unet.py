"""The residual U-Net: residual blocks on both sides of nested spaces."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import ConvStyle, FullyResidualBlock, ResidualBlock
from pdesurrogate.models.initialisation import halve_residual, keep_variance
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.spaces import Embedding, Haar, Space, start_as_haar
from pdesurrogate.models.unet import Decoder, Level, UNet, check_grid_size
from pdesurrogate.models.unet_spec import UNetSpec

__all__ = ["ResidualDecoder", "ResidualUNet"]


@dataclass(frozen=True)
class ResidualUNet(UNetSpec):
    r"""Residual blocks as encoders and decoders, by default on the Haar wavelet's nested spaces.

    Each decoder has the form $D(w \mid v) = D_\mathrm{pre}(w, v) + D_\mathrm{res}(w, v)$. The first
    encoder operator lifts the input, the others double the channels; the output is read off by a
    3 x 3 convolution. Weights start so that the signal keeps its variance through the blocks:
    with the framework's default, most trainings without normalisation end where the network
    predicts nothing.

    Args:
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often the grid is coarsened.
        norm: `none` by default, see `UNetSpec`.
        activation: See `UNetSpec`.
        attention: See `UNetSpec`.
        film: See `UNetSpec`.
        extra_decoder_blocks: Fully residual blocks added to the decoder of each level.
        space: The nested spaces; names a class of `pdesurrogate.models`.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §3.
    """

    extra_decoder_blocks: int = 0
    space: Space = field(default_factory=Haar)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, extra_decoder_blocks=0)

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If the space cannot coarsen the grid as often as there are levels.
        """
        check_grid_size([self.space.projection(1, grid.padding)] * self.levels, grid.num_points)
        style, channels = self.style(grid), self.channels
        inputs = (*channels[1:], in_channels)  # a level receives what the finer one encodes
        network = UNet(
            levels=[
                Level(
                    ResidualBlock(inputs[i], channels[i], style),
                    self.space.projection(channels[i], grid.padding),
                    ResidualDecoder(
                        channels[i - 1],
                        channels[i],
                        style,
                        self.space.embedding(channels[i], grid.padding),
                        self.extra_decoder_blocks,
                    ),
                )
                for i in range(1, self.levels + 1)
            ],
            bottleneck=self.attended(ResidualBlock(inputs[0], channels[0], style), channels[0]),
            head=style.convolution(self.width, out_channels),
        )
        for parts in (network.encoders, network.bottleneck, network.decoders):
            parts.apply(keep_variance).apply(halve_residual).apply(start_as_haar)
        return network


class ResidualDecoder(Decoder):
    r"""Embed the coarse field, join it with the skip, apply residual blocks.

    $$ D(w \mid v) = (R_m \circ \dots \circ R_1 \circ R)\bigl(v \oplus Q K w\bigr),
       \qquad D_\mathrm{pre}(w \mid v) = f_1\bigl(v \oplus Q K w\bigr) $$

    with a 3 x 3 convolution $K$ onto the channels of the finer level, the embedding $Q$, the
    concatenation $\oplus$, a residual block $R = (\mathrm{id} + f_2) \circ f_1$ and `extra_blocks`
    fully residual ones, whose residuals join that of $R$ in $D_\mathrm{res}$.

    Args:
        coarse_channels: Channels of the coarse field.
        channels: Channels of the skip and of the output.
        style: Edges, normalisation and activation.
        embedding: $Q$.
        extra_blocks: Number of fully residual blocks at the end.
    """

    def __init__(
        self,
        coarse_channels: int,
        channels: int,
        style: ConvStyle,
        embedding: Embedding,
        extra_blocks: int = 0,
    ) -> None:
        super().__init__()
        self.reduction = style.convolution(coarse_channels, channels)
        self.embedding = embedding
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
        return self.extra_blocks(self.block(self._joined(coarse, skip)))

    def precondition(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """What the residuals are added to."""
        return self.block.precondition(self._joined(coarse, skip))

    def _joined(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return torch.cat([skip, self.embedding(self.reduction(coarse), skip)], dim=1)
