"""An initial state put together from independent parts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions.initial_condition import InitialCondition

__all__ = ["CombinedInitialCondition"]


@dataclass(frozen=True)
class CombinedInitialCondition(InitialCondition):
    """Independent random functions side by side, such as a vorticity and a tracer.

    Every part draws from a random stream of its own, so that changing one leaves the others as
    they were.

    Args:
        parts: What gives the fields, each field by one part.

    Raises:
        ValueError: If there are no parts.
    """

    parts: list[InitialCondition] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a combined initial condition needs at least one part")

    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw every part; see `InitialCondition.sample`.

        Raises:
            ValueError: If two parts give the same field.
        """
        fields: dict[str, Tensor] = {}
        for stream, part in zip(rng.spawn(len(self.parts)), self.parts, strict=True):
            drawn = part.sample(stream, grid)
            twice = sorted(fields.keys() & drawn.keys())
            if twice:
                raise ValueError(f"two parts of the initial condition give the field {twice[0]!r}")
            fields |= drawn
        return fields
