"""What the named U-Nets let their user choose in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.attention import BottleneckAttention
from pdesurrogate.models.blocks import Activation, ConvStyle, Norm
from pdesurrogate.models.film import FiLM
from pdesurrogate.models.options import require_at_least, require_choice
from pdesurrogate.models.spaces import Space
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.unet import Decoder, Level, check_grid_size

__all__ = ["UNetSpec"]


@dataclass(frozen=True)
class UNetSpec(ModelSpec):
    """What the convolutions of a U-Net have in common.

    The paper's networks have width 64, four levels and `group` normalisation. Normalisation is off
    by default because its statistics run over the grid: the detail that only a finer grid shows
    changes them, and through them the response to everything else, so that what was learned on one
    grid no longer transfers to another. `layer` has no statistics over the grid, those of `band`
    do not see such detail.

    Args:
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often the grid is coarsened.
        norm: What follows each convolution of a block: `none`; `group`, GroupNorm with one group;
            `layer`, `pdesurrogate.models.normalisation.ChannelNorm`; or `band`,
            `pdesurrogate.models.normalisation.BandNorm`.
        activation: `gelu`, `relu`, `silu` or `tanh`.
        attention: Self-attention after the bottleneck, if any: `BottleneckAttention`.
        film: How the trajectory's parameters modulate the blocks, `FiLM`, instead of being input
            channels; none by default.

    Raises:
        ValueError: If a number is below 1, a choice is unknown, or a `space` is no `Space`.
    """

    width: int = 32
    levels: int = 3
    norm: Norm = "none"
    activation: Activation = "gelu"
    attention: BottleneckAttention | None = None
    film: FiLM | None = None

    def __post_init__(self) -> None:
        require_at_least(self, width=1, levels=1)
        require_choice(self, norm=get_args(Norm), activation=get_args(Activation))
        space = getattr(self, "space", None)  # not all have one
        if space is not None and not isinstance(space, Space):
            raise ValueError(
                f"{type(self).__name__}.space must be a Space such as Haar(), got {space!r}"
            )

    @property
    def learning_rate(self) -> float:
        """2e-3 up to the default width, and lower in proportion to wider ones: 1e-3 at 64."""
        return 2e-3 * min(1.0, 32 / self.width)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of `V_0, ..., V_n`, coarse to fine."""
        return tuple(self.width * 2 ** (self.levels - i) for i in range(self.levels + 1))

    def style(self, grid: Grid) -> ConvStyle:
        """What all convolutions have in common on such a grid.

        Raises:
            ValueError: If there are to be parameters, with which `build_conditioned` builds.
        """
        if self.film is not None:
            raise ValueError(
                f"{type(self).__name__}.film modulates by parameters: build the network with "
                "build_conditioned, which is told where they are"
            )
        return ConvStyle(grid.padding, self.norm, self.activation)

    def check_grid(self, grid: Grid, space: Space) -> None:
        """Refuse a grid before a network is built for it; leaves torch's generator as it is.

        Args:
            grid: The grid.
            space: The nested spaces.

        Raises:
            ValueError: If the space cannot coarsen the grid as often as there are levels; names the
                nearest grids that work.
        """
        with torch.random.fork_rng([]):  # learned projections draw weights
            projection = space.projection(1, grid.padding)
        check_grid_size([projection] * self.levels, grid.num_points)

    def levels_on(
        self,
        grid: Grid,
        space: Space,
        in_channels: int,
        encoder: Callable[[int, int], nn.Module],
        decoder: Callable[[int, int], Decoder],
    ) -> list[Level]:
        """Levels 1 to `levels`, coarse to fine, as wide as `channels` says.

        Args:
            grid: How fields continue beyond the edges.
            space: The nested spaces, whose projections the levels have.
            in_channels: What the finest encoder is given; the others are given what the next finer
                one encodes.
            encoder: Makes $E_i$ of its channels in and out.
            decoder: Makes $D_i$ of the channels of the coarser level and of its own.
        """
        channels = self.channels
        inputs = (*channels[1:], in_channels)
        return [
            Level(
                encoder(inputs[i], channels[i]),
                space.projection(channels[i], grid.padding),
                decoder(channels[i - 1], channels[i]),
            )
            for i in range(1, self.levels + 1)
        ]

    def attended(self, bottleneck: nn.Module, channels: int) -> nn.Module:
        """The bottleneck with the attention after it that was chosen.

        Args:
            bottleneck: $U_0$ without it.
            channels: Of its output.
        """
        if self.attention is None:
            return bottleneck
        return nn.Sequential(bottleneck, self.attention.layer(channels))

    @property
    def least_parameters(self) -> int:
        """One to modulate by, if `film` is chosen."""
        return 0 if self.film is None else 1

    def build_conditioned(
        self, in_channels: int, out_channels: int, grid: Grid, parameters: tuple[int, ...]
    ) -> nn.Module:
        """The network; with `film` it takes the parameters out of its input.

        Raises:
            ValueError: If `film` is chosen and there are no parameters, or as for `build`.
        """
        if self.film is None:
            return self.build(in_channels, out_channels, grid)
        unaware = replace(self, film=None)
        network = unaware.build(in_channels - len(parameters), out_channels, grid)
        return self.film.modulate(network, parameters)
