"""The U-Net as it was first drawn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import ConvStyle, PlainBlock
from pdesurrogate.models.initialisation import start_blocks
from pdesurrogate.models.spaces import MaxPooling
from pdesurrogate.models.unet import Decoder, UNet
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

    Its options are those of `UNetSpec`; sides of the grid must be divisible by `2**levels`.

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
        space, channels = MaxPooling(), self.channels
        self.check_grid(grid, space)
        style = self.style(grid)

        def encoder(given: int, channels: int) -> nn.Module:
            return PlainBlock(given, channels, style)

        def decoder(coarse: int, channels: int) -> Decoder:
            return _ConcatenatingDecoder(coarse, channels, style)

        network = UNet(
            levels=self.levels_on(grid, space, in_channels, encoder, decoder),
            bottleneck=self.attended(encoder(channels[1], channels[0]), channels[0]),
            head=style.convolution(self.width, out_channels),
        )
        start_blocks(network)
        return network


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
