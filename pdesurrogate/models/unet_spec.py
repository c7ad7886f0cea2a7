"""What the named U-Nets let their user choose in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from pdesurrogate.models.blocks import Norm
from pdesurrogate.models.options import require_at_least, require_choice
from pdesurrogate.models.spec import ModelSpec

__all__ = ["UNetSpec"]


@dataclass(frozen=True)
class UNetSpec(ModelSpec):
    """Size and normalisation of a U-Net.

    The paper's networks have width 64, four levels and `group` normalisation. Normalisation is off
    by default because its statistics run over the grid: the detail that only a finer grid shows
    changes them, and through them the response to everything else, so that what was learned on one
    grid no longer transfers to another.

    Args:
        width: Channels at the finest level; doubled at each coarser one.
        levels: How often the grid is halved; sides must be divisible by `2**levels`.
        norm: `none`, or `group` for GroupNorm with one group after each convolution of a block.

    Raises:
        ValueError: If a number is below 1 or `norm` is unknown.
    """

    width: int = 32
    levels: int = 3
    norm: Norm = "none"

    def __post_init__(self) -> None:
        require_at_least(self, width=1, levels=1)
        require_choice(self, norm=get_args(Norm))

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of `V_0, ..., V_n`, coarse to fine."""
        return tuple(self.width * 2 ** (self.levels - i) for i in range(self.levels + 1))
