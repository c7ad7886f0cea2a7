"""The Multi-ResNet: a U-Net that learns nothing on the way down."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import ChannelTiling, ResidualBlock
from pdesurrogate.models.residual_unet import ResidualDecoder, ResidualSpec
from pdesurrogate.models.spaces import Embedding
from pdesurrogate.models.unet import Decoder, UNet
from pdesurrogate.models.wavelets import DetailedEmbedding

__all__ = ["MultiResNet"]


@dataclass(frozen=True)
class MultiResNet(ResidualSpec):
    r"""The identity as encoder, the Haar wavelet as projection, residual decoders.

    $$ E_i = \mathrm{id}, \qquad P_i = P_\mathrm{Haar}, \qquad U_0 = T_0, \qquad
       D_i(w \mid v) = D(w \mid T_i v) $$

    where $T_i$ tiles the channels up to the width of level $i$ and $D$ is the decoder of
    `ResidualUNet`: the coarser levels see the lifted input itself, averaged over cells. An element
    of every $V_i$ has `width` channels, and `unet.level(i)` takes so many. Parameters sit in the
    lift (one residual block), the decoders and the head. What the encoder saves can be put back
    into the decoder: three extra blocks a level bring the parameters within a thousandth of
    `ResidualUNet`'s.

    No tiled field is ever made: a decoder adds up the weights of equal channels instead. So does
    the coarsest one for $T_0$, unless `attention` comes between, and $U_0$ is then the identity.

    Where a projection mixes channels, as learned ones do, tiling before it and after it are not the
    same; nor are they for decoders that are given `details`. Then, as in the publication,
    $E_n = \mathrm{id}$, $E_i = T_i$ and $D_i = D$, and elements of $V_i$ have the width of level
    $i + 1$ before and of level $i$ after their encoder.

    Its options are those of `UNetSpec` and `ResidualSpec`, and

    Args:
        details: Whether the decoders are given the wavelet details that the projections drop:
            $Q$ becomes a `DetailedEmbedding`, which at first changes nothing. For the spaces of a
            wavelet, `Haar` and `Wavelet`; adds $9 c^2$ parameters at a level of $c$ channels.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §4.
    """

    details: bool = False

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If the space cannot coarsen the grid as often as there are levels, or has no
                details to give.
        """
        self.check_grid(grid, self.space)
        style, coarsest = self.style(grid), self.channels[0]
        folds_skips = self._tiling_can_be_folded
        folds_bottleneck = folds_skips and self.attention is None

        def encoder(_given: int, channels: int) -> nn.Module:
            is_finest = channels == self.width
            return nn.Identity() if is_finest or folds_skips else ChannelTiling(channels)

        def decoder(coarse: int, channels: int) -> Decoder:
            return ResidualDecoder(
                coarse,
                channels,
                style,
                self._embedding(channels, grid),
                self.extra_decoder_blocks,
                coarse_tiled_from=self.width if folds_bottleneck and coarse == coarsest else None,
                skip_tiled_from=self.width if folds_skips and channels > self.width else None,
            )

        tiling = nn.Identity() if folds_bottleneck else ChannelTiling(coarsest)
        return UNet(
            lift=ResidualBlock(in_channels, self.width, style),
            levels=self.levels_on(grid, self.space, self.width, encoder, decoder),
            bottleneck=self.attended(tiling, coarsest),
            head=style.convolution(self.width, out_channels),
        )

    @property
    def _tiling_can_be_folded(self) -> bool:
        """Whether projecting an untiled field says all that projecting the tiled one does."""
        return self.space.acts_on_each_channel and not self.details

    def _embedding(self, channels: int, grid: Grid) -> Embedding:
        if self.details:
            return DetailedEmbedding(channels, self.space.wavelet(grid.padding))
        return self.space.embedding(channels, grid.padding)
