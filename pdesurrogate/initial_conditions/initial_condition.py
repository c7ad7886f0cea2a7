"""What a random initial state is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid

__all__ = ["InitialCondition"]


@dataclass(frozen=True)
class InitialCondition(ABC):
    """A random function; the same generator gives the same function, whatever it is observed on."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, grid: Grid) -> dict[str, Float[Tensor, "y x"]]:
        """Draw a function and look at it on `grid`, truncated to what the grid resolves.

        Args:
            rng: Source of randomness; how much is drawn from it does not depend on `grid`.
            grid: Where to evaluate.

        Returns:
            The prognostic fields by name, float64.
        """
