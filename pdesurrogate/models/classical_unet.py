"""The U-Net as it was first drawn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import ConvStyle, PlainBlock
from pdesurrogate.models.initialisation import keep_variance
from pdesurrogate.models.spaces import MaximumProjection
from pdesurrogate.models.unet import Decoder, Level, UNet, check_grid_size
from pdesurrogate.models.unet_spec import UNetSpec

__all__ = ["ClassicalUNet"]


@dataclass(frozen=True)
class ClassicalUNet(UNetSpec):
    """Learned encoders, maximum pooling, transposed convolutions, concatenation, plain blocks.

    Ronneberger's network with GELU, padding that follows the grid instead of cropping, and a final
    3 x 3 convolution. The first encoder operator lifts the input; its maximum pooling is not a
    projection onto a linear space, which sets it apart from the other U-Nets here. Its transposed
    convolution treats the four points of a cell differently, so a constant need not stay one.

    Weights start with variance `2 / n` for `n` inputs to a value. Without normalisation, and with
    no residual path to carry it, the signal would else fade away on its way to the coarse levels.

    Args:
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often the grid is halved; sides must be divisible by `2**levels`.
        norm: `none` by default, see `UNetSpec`.
        activation: See `UNetSpec`.
        attention: See `UNetSpec`.
        film: See `UNetSpec`.

    References:
        Ronneberger et al. (2015), *U-Net: Convolutional Networks for Biomedical Image
        Segmentation*.
        He et al. (2015), *Delving Deep into Rectifiers*, §2.2.
    """

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If a side of the grid is not divisible by `2**levels`.
        """
        check_grid_size([MaximumProjection()] * self.levels, grid.num_points)
        style, channels = self.style(grid), self.channels
        inputs = (*channels[1:], in_channels)  # a level receives what the finer one encodes
        network = UNet(
            levels=[
                Level(
                    PlainBlock(inputs[i], channels[i], style),
                    MaximumProjection(),
                    _ConcatenatingDecoder(channels[i - 1], channels[i], style),
                )
                for i in range(1, self.levels + 1)
            ],
            bottleneck=self.attended(PlainBlock(inputs[0], channels[0], style), channels[0]),
            head=style.convolution(self.width, out_channels),
        )
        return network.apply(keep_variance)


class _ConcatenatingDecoder(Decoder):
    """Upsample by a transposed convolution, join with the skip, apply a plain block."""

    def __init__(self, coarse_channels: int, channels: int, style: ConvStyle) -> None:
        super().__init__()
        self.upsampling = nn.ConvTranspose2d(coarse_channels, channels, kernel_size=2, stride=2)
        self.block = PlainBlock(2 * channels, channels, style)

    def forward(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        return self.block(torch.cat([skip, self.upsampling(coarse)], dim=1))
