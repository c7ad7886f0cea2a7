"""What the named U-Nets let their user choose in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from pdesurrogate.grids import Grid
from pdesurrogate.models.blocks import Activation, ConvStyle, Norm
from pdesurrogate.models.options import require_at_least, require_choice
from pdesurrogate.models.spec import ModelSpec

__all__ = ["UNetSpec"]


@dataclass(frozen=True)
class UNetSpec(ModelSpec):
    """What the convolutions of a U-Net have in common.

    The paper's networks have width 64, four levels and `group` normalisation. Normalisation is off
    by default because its statistics run over the grid: the detail that only a finer grid shows
    changes them, and through them the response to everything else, so that what was learned on one
    grid no longer transfers to another.

    Args:
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often the grid is coarsened.
        norm: `none`, or `group` for GroupNorm with one group after each convolution of a block.
        activation: `gelu`, `relu`, `silu` or `tanh`.

    Raises:
        ValueError: If a number is below 1 or a choice is unknown.
    """

    width: int = 32
    levels: int = 3
    norm: Norm = "none"
    activation: Activation = "gelu"

    def __post_init__(self) -> None:
        require_at_least(self, width=1, levels=1)
        require_choice(self, norm=get_args(Norm), activation=get_args(Activation))

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of `V_0, ..., V_n`, coarse to fine."""
        return tuple(self.width * 2 ** (self.levels - i) for i in range(self.levels + 1))

    def style(self, grid: Grid) -> ConvStyle:
        """What all convolutions have in common on such a grid."""
        return ConvStyle(grid.padding, self.norm, self.activation)
