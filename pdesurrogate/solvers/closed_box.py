"""What the solvers of flow in a closed box share: the state, its beginning, and the projection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pdesurrogate.fields import Field
from pdesurrogate.grids import ClosedBox, Grid
from pdesurrogate.operators import (
    average_to_centres,
    divergence,
    neumann_poisson,
    pressure_gradient,
)
from pdesurrogate.operators.interpolation import centres_to_faces
from pdesurrogate.transfer import reconstruct_cells, restrict

__all__ = ["SMOKE_FIELDS", "ClosedBoxFlow", "SmokeState", "per_trajectory", "rows_of"]

SMOKE_FIELDS = (
    Field(
        "smoke",
        "1",
        "smoke concentration",
        is_signed=False,
        transported_by=("velocity_x", "velocity_y"),
    ),
    Field("velocity_x", "1", "velocity along x", vector_part="x"),
    Field("velocity_y", "1", "velocity along y", vector_part="y"),
)
"""At cell centres, as the smoke solvers observe them."""


class SmokeState(NamedTuple):
    """Smoke at cell centres, velocities on all faces, those on the walls zero."""

    smoke: Tensor
    velocity_x: Tensor
    velocity_y: Tensor


class ClosedBoxFlow:
    """The staggered grid of a closed box: faces from centres and back, and the projection.

    Args:
        grid: The box.
        dtype: float32 or float64.
        device: Where to compute.

    Raises:
        ValueError: If `grid` is not a `ClosedBox` of at least 4 cells a side.
    """

    def __init__(self, grid: Grid, *, dtype: torch.dtype, device: str | torch.device) -> None:
        if not isinstance(grid, ClosedBox):
            raise ValueError(f"smoke in a box needs a ClosedBox, got {type(grid).__name__}")
        if min(grid.num_points) < 4:
            raise ValueError(f"smoke needs at least 4 cells a side, got {grid.num_points}")
        self.grid: Grid = grid
        self.dtype, self.device = dtype, torch.device(device)
        self._potential = neumann_poisson(grid.num_points, grid.spacing, dtype=dtype, device=device)

    def project(
        self,
        interior_x: Float[Tensor, "batch y x_interior"],
        interior_y: Float[Tensor, "batch y_interior x"],
    ) -> tuple[Float[Tensor, "batch y x_faces"], Float[Tensor, "batch y_faces x"]]:
        """The nearest velocity without divergence and without flow through the walls.

        Args:
            interior_x: Velocity along x on the interior vertical faces.
            interior_y: Velocity along y on the interior horizontal faces.

        Returns:
            Both components on all faces.
        """
        velocity_x, velocity_y = F.pad(interior_x, (1, 1)), F.pad(interior_y, (0, 0, 1, 1))
        spacing = self.grid.spacing
        potential = self._potential(divergence(velocity_x, velocity_y, spacing))
        along_x, along_y = pressure_gradient(potential, spacing)
        velocity_x[..., 1:-1].sub_(along_x)
        velocity_y[..., 1:-1, :].sub_(along_y)
        return velocity_x, velocity_y

    def initialise(self, fields: Mapping[str, Float[Tensor, "batch y x"]]) -> SmokeState:
        """Bring fields at cell centres to the grid, the velocities to its faces, projected.

        What `observe` made of a state gives that state again, to fourth order.

        Raises:
            ValueError: If a field is missing.
        """
        names = [field.name for field in SMOKE_FIELDS]
        missing = [name for name in names if name not in fields]
        if missing:
            raise ValueError(
                f"smoke starts from {', '.join(f'`{n}`' for n in names)}; there is no "
                f"`{missing[0]}`, only {', '.join(fields)}"
            )
        smoke, u, v = (self._not_finer(fields[name]) for name in names)
        if smoke.shape[-2:] != self.grid.num_points:
            smoke = reconstruct_cells(smoke, self.grid.num_points)
        u, v = centres_to_faces(u, v, self.grid.num_points)
        return SmokeState(smoke, *self.project(u[..., 1:-1], v[..., 1:-1, :]))

    def observe(self, state: SmokeState, grid: Grid) -> dict[str, Float[Tensor, "batch m n"]]:
        """Smoke and velocities averaged over the cells of `grid`."""
        values = (state.smoke, *average_to_centres(state.velocity_x, state.velocity_y))
        return {
            field.name: restrict(u, self.grid, grid)
            for field, u in zip(SMOKE_FIELDS, values, strict=True)
        }

    def _not_finer(self, u: Tensor) -> Tensor:
        """Averaged over finer cells; what is coarser is left for others to interpolate."""
        u = u.to(self.device, self.dtype)
        given = self.grid.at_resolution(u.shape[-2])
        return restrict(u, given, self.grid) if given.resolution > self.grid.resolution else u


def per_trajectory(
    values: Sequence[float], dtype: torch.dtype, device: torch.device
) -> float | Tensor:
    """A parameter as one number, or where trajectories differ as a tensor `(batch, 1, 1)`."""
    if len(set(values)) == 1:
        return values[0]
    return torch.tensor(values, dtype=dtype, device=device)[:, None, None]


def rows_of(parameter: float | Tensor, rows: slice) -> float | Tensor:
    """What `per_trajectory` made, for some rows of the batch."""
    return parameter[rows] if isinstance(parameter, Tensor) else parameter
