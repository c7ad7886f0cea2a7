"""A U-Net whose every level answers in a space of functions that obey the problem's conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import Grid, Padding
from pdesurrogate.models.blocks import ResidualBlock
from pdesurrogate.models.initialisation import start_blocks
from pdesurrogate.models.output_spaces import OutputSpace, Scalars
from pdesurrogate.models.residual_unet import ResidualDecoder
from pdesurrogate.models.single_precision import in_single_precision
from pdesurrogate.models.spaces import Haar, HaarEmbedding
from pdesurrogate.models.splines import SplineProduct
from pdesurrogate.models.unet import Decoder, UNet
from pdesurrogate.models.unet_spec import UNetSpec

__all__ = ["AroundBodies", "ConstrainedDecoder", "ConstrainedUNet"]


@dataclass(frozen=True)
class ConstrainedUNet(UNetSpec):
    r"""Boundary conditions and incompressibility by construction, at every level.

    An element of $W_i$ is a function $u_i$ of the output space on the grid of level `i`, given by
    its coefficients, beside the features that `ResidualUNet` has there. The output spaces are
    nested, and each level adds to the function of the coarser one,

    $$ u_i = u_{i-1} + C_i R_i f_i, $$

    where the convolution $R_i$ reads coefficients off the features $f_i$ and $C_i$ confines them to
    the space. No weights can make $u_i$ leave it. `unet.level(i)` gives the coefficients first,
    then the features; `nn.Sequential(unet.level(i), unet.head)` gives the fields.

    Its options are those of `UNetSpec`, where `width` counts the channels of the features and sides
    of the grid must be divisible by `2**levels`, and

    Args:
        output: The space of the output; names a class of `pdesurrogate.models`.
        obstacle_channel: Which channel of the input is the fraction of a cell that lies inside a
            body, counted from the end if negative; None if there are no bodies. The output is then
            exactly zero in all cells inside, see `AroundBodies`.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §3.
    """

    output: OutputSpace = field(default_factory=Scalars)
    obstacle_channel: int | None = None

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        """The network, freshly initialised.

        Raises:
            ValueError: If a side of the grid is not divisible by `2**levels`, the coarsest level
                has fewer cells than its walls need, the output space does not exist on the grid,
                or there is no such `obstacle_channel`.
        """
        self.check_grid(grid, Haar())
        self._check_obstacle_channel(in_channels)
        bodies, splines = self.obstacle_channel, self.output.splines(out_channels, grid)
        self._check_coarsest(splines, grid)
        unet = self._unet(in_channels, splines, grid)
        read_out = self.output.read_out(out_channels, grid)
        if bodies is not None:
            return AroundBodies(unet, read_out, bodies, grid.padding)
        unet.head = read_out
        return unet

    def build_conditioned(
        self, in_channels: int, out_channels: int, grid: Grid, parameters: tuple[int, ...]
    ) -> nn.Module:
        """As for other U-Nets; `obstacle_channel` is that of the whole input, with parameters.

        Raises:
            ValueError: If `obstacle_channel` is a parameter, or as for `build`.
        """
        if self.obstacle_channel is None:
            return super().build_conditioned(in_channels, out_channels, grid, parameters)
        self._check_obstacle_channel(in_channels)
        bodies = self.obstacle_channel % in_channels
        if bodies in parameters:
            raise ValueError(
                f"obstacle_channel must show bodies, but channel {self.obstacle_channel} is a "
                "parameter, which is constant in space"
            )
        # The network inside the modulated one is not given the parameters.
        removed = 0 if self.film is None else sum(channel < bodies for channel in parameters)
        unaware = replace(self, obstacle_channel=bodies - removed)
        return super(ConstrainedUNet, unaware).build_conditioned(
            in_channels, out_channels, grid, parameters
        )

    @property
    def keeps_to_a_space(self) -> bool:
        """That is what it is for."""
        return True

    def check_fields(
        self,
        fields: Sequence[Field],
        statistics: FieldStatistics,
        predicts_change: bool,
        bundle: int = 1,
    ) -> None:
        """Refuse fields whose normalisation would break the output's conditions.

        Raises:
            ValueError: Says which condition on which field, and why.
        """
        self.output.check_fields(fields, statistics, predicts_change, bundle)
        if self.obstacle_channel is not None and not predicts_change:
            raise ValueError(
                "obstacle_channel needs predicts_change: a normalised field is not zero where the "
                "field is"
            )

    def _check_obstacle_channel(self, in_channels: int) -> None:
        bodies = self.obstacle_channel
        if bodies is not None and not -in_channels <= bodies < in_channels:
            raise ValueError(
                f"obstacle_channel must be one of the {in_channels} channels of the input, "
                f"got {bodies}"
            )

    def _check_coarsest(self, splines: SplineProduct, grid: Grid) -> None:
        for _, space in splines.groups:
            for points, edge in zip(grid.num_points, space.edges, strict=True):
                cells = points // 2**self.levels
                if edge != "circular" and cells < space.wall.least_cells:
                    raise ValueError(
                        f"{type(space.wall).__name__} needs at least {space.wall.least_cells} "
                        f"cells between two walls; {self.levels} levels on {points} points leave "
                        f"{cells}: choose fewer levels"
                    )

    def _unet(self, in_channels: int, splines: SplineProduct, grid: Grid) -> UNet:
        style, channels = self.style(grid), self.channels

        def encoder(given: int, channels: int) -> nn.Module:
            return ResidualBlock(given, channels, style)

        def decoder(coarse: int, channels: int) -> Decoder:
            features = ResidualDecoder(coarse, channels, style, HaarEmbedding())
            read_off = style.convolution(channels, splines.channels)
            return ConstrainedDecoder(features, read_off, splines)

        levels = self.levels_on(grid, Haar(), in_channels, encoder, decoder)
        bottleneck = _FirstAnswer(
            self.attended(encoder(channels[1], channels[0]), channels[0]),
            style.convolution(channels[0], splines.channels),
            splines,
        )
        unet = UNet(levels=levels, bottleneck=bottleneck)
        start_blocks(unet)
        return unet


class ConstrainedDecoder(Decoder):
    r"""Add to the coarser level's function what the features of this level say.

    $$ D((u, f) \mid v) = (u + C R f', f'), \qquad f' = D_\mathrm{features}(f \mid v) $$

    The preconditioner is the coarser level's function itself, on more cells.

    Args:
        features: Decodes the features.
        read_off: $R$, from features to coefficients.
        splines: The output space, which embeds $u$ and confines.
    """

    def __init__(self, features: Decoder, read_off: nn.Module, splines: SplineProduct) -> None:
        super().__init__()
        self.features, self.read_off, self._splines = features, read_off, splines

    def forward(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """Coefficients, then features."""
        answer, features = self._apart(coarse)
        features = self.features(features, skip)
        answer = self._splines.refined(answer) + self._splines.confine(
            in_single_precision(self.read_off, features)
        )
        return torch.cat([answer, features], dim=1)

    def precondition(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """The coarser function, beside the preconditioned features."""
        answer, features = self._apart(coarse)
        features = self.features.precondition(features, skip)
        return torch.cat([self._splines.refined(answer), features], dim=1)

    def residual(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """What this level's features add to the function, beside their own residual."""
        _, features = self._apart(coarse)
        decoded = self.features(features, skip)
        added = self._splines.confine(in_single_precision(self.read_off, decoded))
        return torch.cat([added, self.features.residual(features, skip)], dim=1)

    def _apart(self, coarse: Tensor) -> tuple[Tensor, ...]:
        return coarse.tensor_split([self._splines.channels], dim=1)


class _FirstAnswer(nn.Module):
    """The coarsest level: features of its own, and the function that they say."""

    def __init__(self, features: nn.Module, read_off: nn.Module, splines: SplineProduct) -> None:
        super().__init__()
        self.features, self.read_off, self._splines = features, read_off, splines

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        features = self.features(v)
        return torch.cat(
            [self._splines.confine(in_single_precision(self.read_off, features)), features], dim=1
        )


class AroundBodies(nn.Module):
    r"""A network whose output vanishes inside bodies that a channel of its input shows.

    Coefficients are multiplied by the smallest fraction of fluid among the cells that their spline
    reaches. So the output is zero in all of every cell that lies inside a body wholly, its
    edges included, and what is read off a stream function remains divergence-free.

    The fraction of fluid is $(s_\max - s) / (s_\max - s_\min)$ of the channel $s$ in each sample,
    which no normalisation changes. It takes some cell inside the body and some outside to be right;
    where $s$ is constant there is no body.

    The stream function vanishes on every body and on every wall: none of the output flows between
    two of them in the net. Where that is wrong let both components of the velocity be `Scalars`.

    Args:
        unet: Gives coefficients first, without a head.
        head: Reads the fields off the coefficients.
        channel: Of the input: the fraction of a cell that lies inside a body, or an affine
            function of it.
        edges: How fields continue along y and x.
    """

    def __init__(
        self, unet: UNet, head: nn.Module, channel: int, edges: tuple[Padding, Padding]
    ) -> None:
        super().__init__()
        self.unet, self.head = unet, head
        self._channel, self._edges = channel, edges

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """Apply the network, then clear the insides."""
        return self.head(self.unet(v) * self._fluid(v[:, self._channel, None]))

    def _fluid(self, solid: Tensor) -> Tensor:
        """The smallest fraction of fluid among each cell and its eight neighbours."""
        least, most = solid.amin((-2, -1), keepdim=True), solid.amax((-2, -1), keepdim=True)
        is_body = most > least
        fraction = torch.where(is_body, (solid - least) / torch.where(is_body, most - least, 1), 0)
        fraction = F.pad(fraction, (0, 0, 1, 1), mode=self._edges[0])
        fraction = F.pad(fraction, (1, 1, 0, 0), mode=self._edges[1])
        return 1 - F.max_pool2d(fraction, 3, stride=1)
