"""The Multi-ResNet: a U-Net that learns nothing on the way down."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.bases import HaarProjection
from pdesurrogate.models.blocks import ChannelTiling, ConvStyle, ResidualBlock
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.residual_unet import ResidualDecoder
from pdesurrogate.models.unet import UNet, check_grid_size
from pdesurrogate.models.unet_spec import UNetSpec

__all__ = ["MultiResNet"]


@dataclass(frozen=True)
class MultiResNet(UNetSpec):
    r"""The identity as encoder, the Haar wavelet as projection, residual decoders.

    $$ E_n = \mathrm{id}, \qquad E_i = T_i, \qquad U_0 = T_0, \qquad P_i = P_\mathrm{Haar} $$

    where $T_i$ tiles the channels up to the width of level $i$: the coarser levels see the lifted
    input itself, averaged over cells. Parameters sit in the lift (one residual block), the decoders
    (those of `ResidualUNet`) and the head. What the encoder saves can be put back into the decoder:
    three extra blocks a level bring the parameters within a thousandth of `ResidualUNet`'s.

    Args:
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often the grid is halved; sides must be divisible by `2**levels`.
        norm: `none` by default, see `UNetSpec`; or `group`.
        extra_decoder_blocks: Fully residual blocks added to the decoder of each level.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §4.
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
        return UNet(
            lift=ResidualBlock(in_channels, self.width, style),
            encoders=[*(ChannelTiling(channels[i]) for i in levels[:-1]), nn.Identity()],
            projections=[HaarProjection() for _ in levels],
            bottleneck=ChannelTiling(channels[0]),
            decoders=[
                ResidualDecoder(channels[i - 1], channels[i], style, self.extra_decoder_blocks)
                for i in levels
            ],
            head=style.convolution(self.width, out_channels),
        )
