"""A U-Net on a triangle: the same composition on the spaces that self-similar subdivision nests.

A field on the $4^k$ triangles of depth `k` is one row of numbers in the order of
`pdesurrogate.operators.triangle`: a tensor `(batch, channel, 1, triangle)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.models.blocks import ConvStyle, ResidualBlock
from pdesurrogate.models.initialisation import halve_residual, keep_variance
from pdesurrogate.models.residual_unet import ResidualDecoder
from pdesurrogate.models.spaces import Embedding, Projection
from pdesurrogate.models.unet import Level, UNet
from pdesurrogate.models.walls import Dirichlet, Wall
from pdesurrogate.operators.tables import made_once
from pdesurrogate.operators.triangle import WALL, triangle_depth, triangle_neighbours

__all__ = [
    "TriangleConv",
    "TriangleEmbedding",
    "TriangleProjection",
    "TriangleStyle",
    "triangle_unet",
]


def triangle_unet(
    in_channels: int, out_channels: int, *, width: int, levels: int, style: TriangleStyle
) -> UNet:
    r"""The residual U-Net on a triangle.

    $V_i$ are the functions that are constant on the triangles of a depth, $P_i$ the mean over four
    children: the Haar wavelet's projection on a triangle. It runs on all depths from `levels` on,
    and commutes with the six symmetries of the triangle.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often four triangles become one.
        style: What lies beyond the edges, normalisation and activation.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §3.
    """
    channels = [width * 2 ** (levels - i) for i in range(levels + 1)]
    inputs = (*channels[1:], in_channels)  # a level receives what the finer one encodes
    unet = UNet(
        levels=[
            Level(
                ResidualBlock(inputs[i], channels[i], style),
                TriangleProjection(),
                ResidualDecoder(channels[i - 1], channels[i], style, TriangleEmbedding()),
            )
            for i in range(1, levels + 1)
        ],
        bottleneck=ResidualBlock(inputs[0], channels[0], style),
        head=style.convolution(width, out_channels),
    )
    return unet.apply(keep_variance).apply(halve_residual)


class TriangleProjection(Projection):
    r"""Project onto the functions that are constant on triangles twice as large.

    $$ (P v)_t = \tfrac14 \sum_{j=0}^{3} v_{4t+j} $$
    """

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c m n"]:
        """The mean over four children."""
        return v.unflatten(-1, (-1, 4)).mean(-1)

    def coarsened(self, num_points: tuple[int, int]) -> tuple[int, int]:
        """One row of a quarter as many triangles.

        Raises:
            ValueError: If there is not one row of 4, 16, 64, ... triangles.
        """
        rows, triangles = num_points
        if rows != 1 or triangle_depth(triangles) == 0:
            raise ValueError(
                f"needs 1 x 4, 1 x 16, 1 x 64, ... triangles, got {rows} x {triangles}"
            )
        return 1, triangles // 4


class TriangleEmbedding(Embedding):
    """Read a function on triangles as one on their children."""

    def forward(
        self, coarse: Float[Tensor, "batch c m n"], fine: Float[Tensor, "batch c_fine y x"]
    ) -> Float[Tensor, "batch c y x"]:
        """Repeat each value for four children."""
        return coarse.repeat_interleave(4, dim=-1)


@dataclass(frozen=True)
class TriangleStyle(ConvStyle):
    """What all convolutions of a network on a triangle have in common.

    Args:
        edges: Not looked at: a triangle has three edges, which are all alike.
        norm: Layer after each convolution of a block; not `band`, whose waves are those of a box.
        activation: Nonlinearity after it.
        wall: Continues fields beyond the edges by its `ghost_sign` times the value before it. Even
            continuation (`Neumann`) hides where the edges are.
    """

    wall: Wall = field(default_factory=Dirichlet)

    def __post_init__(self) -> None:
        if self.norm == "band":
            raise ValueError(
                "TriangleStyle.norm cannot be 'band', whose waves are those of a rectangle"
            )

    def convolution(self, in_channels: int, out_channels: int) -> nn.Module:
        """A convolution over each triangle and its neighbours."""
        return TriangleConv(in_channels, out_channels, self.wall)


class TriangleConv(nn.Conv2d):
    r"""A learned stencil over a triangle and the mean of its three neighbours.

    $$ (K v)_t = A v_t + \tfrac13 B \sum_{j=0}^{2} v_{t_j} + b $$

    All neighbours count alike, so that it commutes with the six symmetries of the triangle.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        wall: Continues the field beyond the edges.
    """

    def __init__(self, in_channels: int, out_channels: int, wall: Wall) -> None:
        super().__init__(2 * in_channels, out_channels, kernel_size=1)
        self._wall = wall

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """Apply the stencil.

        Raises:
            ValueError: If the number of triangles is no power of 4.
        """
        where, is_wall = _neighbours(v.shape[-1], v.device)
        around = v[..., where]
        around = torch.where(is_wall, self._wall.ghost_sign * around, around).mean(-1)
        return super().forward(torch.cat([v, around], dim=1))


@made_once(maxsize=32)
def _neighbours(num_triangles: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices of the neighbours, a triangle's own beyond an edge, and whether they are beyond."""
    table = torch.from_numpy(triangle_neighbours(triangle_depth(num_triangles))).to(device)
    is_wall = table == WALL
    own = torch.arange(num_triangles, device=device)[:, None]
    return torch.where(is_wall, own, table), is_wall
