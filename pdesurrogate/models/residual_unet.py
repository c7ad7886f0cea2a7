"""The residual U-Net: residual blocks on both sides of nested spaces."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import (
    ConvStyle,
    FullyResidualBlock,
    ResidualBlock,
    Tiling,
    added_residuals,
)
from pdesurrogate.models.initialisation import start_blocks
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.spaces import Embedding, Haar, Space
from pdesurrogate.models.unet import Decoder, UNet
from pdesurrogate.models.unet_spec import UNetSpec

__all__ = ["ResidualDecoder", "ResidualSpec", "ResidualUNet"]


@dataclass(frozen=True)
class ResidualSpec(UNetSpec):
    """What U-Nets with residual decoders let their user choose besides the options of every U-Net.

    Args:
        extra_decoder_blocks: Fully residual blocks added to the decoder of each level.
        space: The nested spaces; names a class of `pdesurrogate.models`.

    Raises:
        ValueError: If a number is too small or a choice is unknown.
    """

    extra_decoder_blocks: int = 0
    space: Space = field(default_factory=Haar)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, extra_decoder_blocks=0)


@dataclass(frozen=True)
class ResidualUNet(ResidualSpec):
    r"""Residual blocks as encoders and decoders, by default on the Haar wavelet's nested spaces.

    Each decoder has the form $D(w \mid v) = D_\mathrm{pre}(w, v) + D_\mathrm{res}(w, v)$. The first
    encoder operator lifts the input, the others double the channels; the output is read off by a
    3 x 3 convolution. Weights start so that the signal keeps its variance through the blocks:
    with the framework's default, most trainings without normalisation end where the network
    predicts nothing. Learned spaces and the attention start in their own way.

    Its options are those of `UNetSpec` and `ResidualSpec`.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §3.
    """

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If the space cannot coarsen the grid as often as there are levels.
        """
        self.check_grid(grid, self.space)
        style, channels = self.style(grid), self.channels

        def encoder(given: int, channels: int) -> nn.Module:
            return ResidualBlock(given, channels, style)

        def decoder(coarse: int, channels: int) -> Decoder:
            embedding = self.space.embedding(channels, grid.padding)
            return ResidualDecoder(coarse, channels, style, embedding, self.extra_decoder_blocks)

        network = UNet(
            levels=self.levels_on(grid, self.space, in_channels, encoder, decoder),
            bottleneck=self.attended(encoder(channels[1], channels[0]), channels[0]),
            head=style.convolution(self.width, out_channels),
        )
        for parts in (network.encoders, network.bottleneck, network.decoders):
            start_blocks(parts)
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
        coarse_tiled_from: How many distinct channels the coarse field is given by, if it is given
            without the tiling that widens it; see `Tiling`.
        skip_tiled_from: The same of the skip.
    """

    def __init__(
        self,
        coarse_channels: int,
        channels: int,
        style: ConvStyle,
        embedding: Embedding,
        extra_blocks: int = 0,
        coarse_tiled_from: int | None = None,
        skip_tiled_from: int | None = None,
    ) -> None:
        super().__init__()
        self.reduction = style.convolution_of_tiled(
            coarse_channels, channels, _tiling(coarse_channels, coarse_tiled_from)
        )
        self.embedding = embedding
        self.block = ResidualBlock(
            2 * channels, channels, style, _tiling(channels, skip_tiled_from)
        )
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

    def residual(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """The residuals of all blocks, added up without what they are added to."""
        joined = self._joined(coarse, skip)
        first = self.block.residual(joined)
        reached = self.block.precondition(joined) + first
        return first + added_residuals(reached, self.extra_blocks)

    def _joined(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return torch.cat([skip, self.embedding(self.reduction(coarse), skip)], dim=1)


def _tiling(channels: int, distinct: int | None) -> Tiling | None:
    return None if distinct is None else Tiling(channels, distinct)
