"""A kind of grid that nothing in the package is registered for."""

from __future__ import annotations

import numpy as np

from pdesurrogate.grids import Grid


class UnknownGrid(Grid):
    """Points at `i`, and beyond the edges nothing that anybody knows."""

    padding = ("replicate", "replicate")
    sampling = "anywhere"

    def _points(self, axis: int) -> np.ndarray:
        return np.arange(self.num_points[axis])
