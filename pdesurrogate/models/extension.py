"""Finer levels for a network that was trained on a coarse grid."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.models.blocks import ConvStyle, ResidualBlock
from pdesurrogate.models.spaces import Embedding, Space
from pdesurrogate.models.unet import Decoder, Level

__all__ = ["FineDecoder", "fine_level"]


def fine_level(
    in_channels: int, out_channels: int, style: ConvStyle, space: Space, width: int = 32
) -> Level:
    r"""A level to extend a trained network by: it starts as the exact embedding.

    $$ U(v) = Q\,U_\mathrm{old}(P v) + G(v \oplus Q\,U_\mathrm{old}(P v)), \qquad G = 0
       \text{ at first} $$

    Args:
        in_channels: Of the old network's input, and of the new one's.
        out_channels: Of the old network's output, and of the new one's.
        style: Edges, normalisation and activation.
        space: The nested spaces.
        width: Channels of the residual $G$, two residual blocks and a convolution.
    """
    return Level(
        nn.Identity(),
        space.projection(in_channels, style.edges),
        FineDecoder(
            in_channels, out_channels, style, space.embedding(out_channels, style.edges), width
        ),
    )


class FineDecoder(Decoder):
    r"""Adds a residual, at first zero, to the embedded answer of a coarser network.

    $$ D(w \mid v) = Q w + G(v \oplus Q w) $$

    Args:
        in_channels: Channels of `v`.
        out_channels: Channels of `w` and of the output.
        style: Edges, normalisation and activation.
        embedding: $Q$.
        width: Channels of the residual $G$.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        style: ConvStyle,
        embedding: Embedding,
        width: int,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.blocks = nn.Sequential(
            ResidualBlock(in_channels + out_channels, width, style),
            ResidualBlock(width, width, style),
        )
        self.read_off = style.convolution(width, out_channels)
        for parameter in self.read_off.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """Embed, and add what only the fine grid knows."""
        embedded = self.precondition(coarse, skip)
        return embedded + self._added(embedded, skip)

    def precondition(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """The embedded coarse answer."""
        return self.embedding(coarse, skip)

    def residual(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """What only the fine grid knows."""
        return self._added(self.precondition(coarse, skip), skip)

    def _added(self, embedded: Tensor, skip: Tensor) -> Tensor:
        return self.read_off(self.blocks(torch.cat([skip, embedded], dim=1)))
