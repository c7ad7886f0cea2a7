"""A U-Net of ConvNeXt blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import BoundaryConv2d, ConvStyle, Norm, added_residuals
from pdesurrogate.models.film import Modulated
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.spaces import Embedding, Space, Strided
from pdesurrogate.models.unet import Decoder, UNet
from pdesurrogate.models.unet_spec import UNetSpec

__all__ = ["ConvNeXtBlock", "ConvNeXtDecoder", "ConvNeXtUNet"]


@dataclass(frozen=True)
class ConvNeXtUNet(UNetSpec):
    r"""ConvNeXt blocks on both sides of learned nested spaces: the strong baseline of The Well.

    $$ E_i = B^m \circ C_i, \qquad U_0 = B^m \circ C_0, \qquad
       D_i(w \mid v) = B^m \circ C'_i\bigl(v \oplus Q\,C''_i w\bigr) $$

    with blocks $B$ of a 7 x 7 depthwise kernel and a pointwise perceptron, pointwise changes of
    channels $C$, and by default strided convolutions as projections and embeddings $Q$. A strided
    convolution followed by $C$ is the one that changes the channels in the publications. Lift and
    head are 3 x 3 convolutions.

    Normalisation is over the channels at each point, which has no statistic over the grid.

    Its options are those of `UNetSpec`, with `layer` as the default of `norm`, and

    Args:
        blocks: Blocks of each encoder, of the bottleneck and of each decoder.
        space: The nested spaces; names a class of `pdesurrogate.models`.

    References:
        Liu et al. (2022), *A ConvNet for the 2020s*.
        Ohana et al. (2024), *The Well: a Large-Scale Collection of Diverse Physics Simulations for
        Machine Learning*, §4.
    """

    norm: Norm = "layer"
    blocks: int = 2
    space: Space = field(default_factory=Strided)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, blocks=1)

    @property
    def learning_rate(self) -> float:
        """Half that of the other U-Nets; not searched."""
        return 1e-3

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If the space cannot coarsen the grid as often as there are levels, or if
                there are to be parameters, with which `build_conditioned` builds.
        """
        self.check_grid(grid, self.space)
        style, channels = self.style(grid), self.channels

        def encoder(given: int, channels: int) -> nn.Module:
            return self._stage(given, channels, style)

        def decoder(coarse: int, channels: int) -> Decoder:
            embedding = self.space.embedding(channels, grid.padding)
            return ConvNeXtDecoder(coarse, channels, style, embedding, self.blocks)

        return UNet(
            lift=style.convolution(in_channels, self.width),
            levels=self.levels_on(grid, self.space, self.width, encoder, decoder),
            bottleneck=self.attended(encoder(channels[1], channels[0]), channels[0]),
            head=style.convolution(self.width, out_channels),
        )

    def _stage(self, in_channels: int, out_channels: int, style: ConvStyle) -> nn.Sequential:
        """Blocks, after a pointwise change of channels where there is one."""
        change = [nn.Conv2d(in_channels, out_channels, 1)] if in_channels != out_channels else []
        return nn.Sequential(*change, *_blocks(self.blocks, out_channels, style))


def _blocks(number: int, channels: int, style: ConvStyle) -> list[nn.Module]:
    return [ConvNeXtBlock(channels, style) for _ in range(number)]


class ConvNeXtBlock(Modulated):
    r"""A residual step: look around in each channel, then mix the channels at each point.

    $$ v + \lambda \odot C_2\,\sigma\bigl(C_1\,N\,K v\bigr) $$

    with a 7 x 7 depthwise kernel $K$, the normalisation $N$, pointwise maps $C_1$ to four times as
    many channels and $C_2$ back, and one learned $\lambda$ a channel, at first 0.1: these networks
    are not as deep as those that must begin at $10^{-6}$.

    Args:
        channels: Channels of the input and of the output.
        style: Edges, normalisation and activation.

    References:
        Liu et al. (2022), *A ConvNet for the 2020s*, §2.
        Touvron et al. (2021), *Going Deeper with Image Transformers*, §2 (how $\lambda$ starts).
    """

    def __init__(self, channels: int, style: ConvStyle) -> None:
        super().__init__()
        self.look_around = BoundaryConv2d(
            channels, channels, style.edges, kernel_size=7, groups=channels
        )
        self.norm = style.normalisation(channels)
        self.expand = nn.Conv2d(channels, 4 * channels, 1)
        self.contract = nn.Conv2d(4 * channels, channels, 1)
        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), 0.1))
        self._style = style

    @property
    def normalised_channels(self) -> int:
        """Channels of the output."""
        return self.look_around.out_channels

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        """Add the residual to `v`."""
        return v + self.residual(v)

    def residual(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        """What is added to `v`."""
        seen = self.expand(self.norm(self.look_around(v)))
        return self.layer_scale * self.contract(self._style.nonlinearity(seen))


class ConvNeXtDecoder(Decoder):
    r"""Embed the coarse field, merge it with the skip point by point, apply ConvNeXt blocks.

    $$ D(w \mid v) = B^m D_\mathrm{pre}(w \mid v), \qquad
       D_\mathrm{pre}(w \mid v) = C'\bigl(v \oplus Q\,C'' w\bigr) $$

    Args:
        coarse_channels: Channels of the coarse field.
        channels: Channels of the skip and of the output.
        style: Edges, normalisation and activation.
        embedding: $Q$.
        blocks: Number of blocks, whose residuals make up $D_\mathrm{res}$.
    """

    def __init__(
        self,
        coarse_channels: int,
        channels: int,
        style: ConvStyle,
        embedding: Embedding,
        blocks: int,
    ) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(coarse_channels, channels, 1)
        self.embedding = embedding
        self.merge = nn.Conv2d(2 * channels, channels, 1)
        self.blocks = nn.Sequential(*_blocks(blocks, channels, style))

    def forward(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """Decode `coarse`, preconditioned on `skip`."""
        return self.blocks(self.precondition(coarse, skip))

    def precondition(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """What the residuals are added to."""
        embedded = self.embedding(self.reduction(coarse), skip)
        return self.merge(torch.cat([skip, embedded], dim=1))

    def residual(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """The residuals of all blocks, added up without what they are added to."""
        return added_residuals(self.precondition(coarse, skip), self.blocks)
