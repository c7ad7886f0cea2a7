"""The Multi-ResNet: a U-Net that learns nothing on the way down."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import BoundaryConv2d, ChannelTiling, ResidualBlock
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.residual_unet import ResidualDecoder
from pdesurrogate.models.spaces import Embedding, Haar, Space
from pdesurrogate.models.unet import Level, UNet, check_grid_size
from pdesurrogate.models.unet_spec import UNetSpec
from pdesurrogate.models.wavelets import DetailedEmbedding

__all__ = ["MultiResNet"]


@dataclass(frozen=True)
class MultiResNet(UNetSpec):
    r"""The identity as encoder, the Haar wavelet as projection, residual decoders.

    $$ E_n = \mathrm{id}, \qquad E_i = T_i, \qquad U_0 = T_0, \qquad P_i = P_\mathrm{Haar} $$

    where $T_i$ tiles the channels up to the width of level $i$: the coarser levels see the lifted
    input itself, averaged over cells. Parameters sit in the lift (one residual block), the decoders
    (those of `ResidualUNet`) and the head. What the encoder saves can be put back into the decoder:
    three extra blocks a level bring the parameters within a thousandth of `ResidualUNet`'s.

    Where the projection acts on each channel alone the tiling is done by the decoders' weights, of
    which those of equal channels are added up: the same function, with less to compute.

    Args:
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often the grid is coarsened.
        norm: `none` by default, see `UNetSpec`.
        activation: See `UNetSpec`.
        attention: See `UNetSpec`.
        film: See `UNetSpec`.
        extra_decoder_blocks: Fully residual blocks added to the decoder of each level.
        space: The nested spaces; names a class of `pdesurrogate.models`.
        details: Whether the decoders are given the wavelet details that the projections drop:
            $Q$ becomes a `DetailedEmbedding`, which at first changes nothing. For the spaces of a
            wavelet, `Haar` and `Wavelet`; adds $9 c^2$ parameters at a level of $c$ channels.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §4.
    """

    extra_decoder_blocks: int = 0
    space: Space = field(default_factory=Haar)
    details: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, extra_decoder_blocks=0)

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If the space cannot coarsen the grid as often as there are levels, or has no
                details to give.
        """
        check_grid_size([self.space.projection(1, grid.padding)] * self.levels, grid.num_points)
        style, channels, finest = self.style(grid), self.channels, self.levels
        network = UNet(
            lift=ResidualBlock(in_channels, self.width, style),
            levels=[
                Level(
                    nn.Identity() if i == finest else ChannelTiling(channels[i]),
                    self.space.projection(channels[i], grid.padding),
                    ResidualDecoder(
                        channels[i - 1],
                        channels[i],
                        style,
                        self._embedding(channels[i], grid),
                        self.extra_decoder_blocks,
                    ),
                )
                for i in range(1, finest + 1)
            ],
            bottleneck=self.attended(ChannelTiling(channels[0]), channels[0]),
            head=style.convolution(self.width, out_channels),
        )
        if self.space.acts_on_each_channel and not self.details:
            self._fold_tiling(network)
        return network

    def _fold_tiling(self, network: UNet) -> None:
        """Let the coarser levels see the averages untiled, and the weights do the tiling."""
        for i in range(self.levels - 1):
            network.encoders[i] = nn.Identity()
            decoder = network.decoders[i]
            assert isinstance(decoder, ResidualDecoder)
            _untile(decoder.block.conv1, self.channels[i + 1], self.width)
        if self.attention is None:
            network.bottleneck = nn.Identity()
            _untile(network.decoders[0].reduction, self.channels[0], self.width)

    def _embedding(self, channels: int, grid: Grid) -> Embedding:
        if self.details:
            return DetailedEmbedding(channels, self.space.wavelet(grid.padding))
        return self.space.embedding(channels, grid.padding)


def _untile(convolution: object, tiled: int, distinct: int) -> None:
    assert isinstance(convolution, BoundaryConv2d)
    convolution.take_untiled(tiled, distinct)
