from dataclasses import dataclass

import pytest
from torch import nn

from pdesurrogate.grids import Grid
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.options import require_at_least, require_choice


@dataclass(frozen=True)
class Toy(ModelSpec):
    size: int = 3
    kind: str = "plain"

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return nn.Identity()


def test_numbers_below_their_minimum_are_refused() -> None:
    require_at_least(Toy(), size=3)
    with pytest.raises(ValueError, match=r"Toy\.size must be at least 4, got 3"):
        require_at_least(Toy(), size=4)


def test_unknown_choices_are_refused() -> None:
    require_choice(Toy(), kind=("plain", "fancy"))
    with pytest.raises(ValueError, match=r"Toy\.kind must be one of plain, fancy, got 'odd'"):
        require_choice(Toy(kind="odd"), kind=("plain", "fancy"))
