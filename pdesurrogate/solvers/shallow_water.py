"""Shallow water over a bed, between walls, in an open box or on a periodic one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch

from pdesurrogate.fields import Diagnostic, Field
from pdesurrogate.grids import ClosedBox, Grid, OpenBox, PeriodicBox
from pdesurrogate.solvers.bathymetry import Bathymetry
from pdesurrogate.solvers.equation import Equation, check_time_step
from pdesurrogate.solvers.shallow_water_solver import ShallowWaterSolver

__all__ = ["OpenShallowWater", "PeriodicShallowWater", "ShallowWater"]

_CELLS_PER_WIDTH = 1.5
"""Cells per width of the bed's narrowest feature."""


@dataclass(frozen=True)
class ShallowWater(Equation):
    r"""Water in a closed basin, shallow compared with its waves, with shocks and dry land.

    $$ \partial_t h + \nabla \cdot (h u) = 0, \qquad
       \partial_t (h u) + \nabla \cdot \left(h u \otimes u + \tfrac12 g h^2 I\right)
       = -g h \nabla b $$

    $h \ge 0$ is the depth of the water over the bed `b`, `u` its mean velocity. Walls reflect. No
    friction and no rotation: bores are the only thing that takes energy out.

    Args:
        gravity: `g > 0`, 9.81 m s⁻² on earth; 1 where quantities are dimensionless.
        bathymetry: The bed; None for a flat one at height zero.
        dry_depth: Depth in m below which velocities are damped towards zero, so that a film of
            water does not set the time step. Small compared with the depths of interest.

    Raises:
        ValueError: If `gravity` or `dry_depth` is not positive and finite.
    """

    grid_type: ClassVar[type[Grid]] = ClosedBox
    time_units: ClassVar[str] = "s"
    length_units: ClassVar[str] = "m"
    parameter_units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"gravity": "m s-2", "dry_depth": "m", "bathymetry.count": "1", "bathymetry.seed": "1"}
    )

    gravity: float = 9.81
    bathymetry: Bathymetry | None = None
    dry_depth: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("gravity", "dry_depth"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Depth and velocity; the bed if there is one."""
        water = (
            Field("height", "m", "depth of the water", is_signed=False),
            Field("velocity_x", "m s-1", "velocity along x", vector_part="x"),
            Field("velocity_y", "m s-1", "velocity along y", vector_part="y"),
        )
        if self.bathymetry is None:
            return water
        bed = Field("bathymetry", "m", "elevation of the bed", is_prognostic=False, is_static=True)
        return (*water, bed)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        r"""Mass and energy per area and density.

        $$ \overline{h}, \qquad
           \overline{\tfrac12 h |u|^2 + \tfrac12 g \big((h + b)^2 - b^2\big)} $$
        """
        return (
            Diagnostic("mass", "m", "mean depth, the mass per area and density"),
            Diagnostic(
                "energy",
                "m3 s-2",
                "mean kinetic and potential energy per area and density, of the bed's height zero",
            ),
        )

    def check_resolved(self, grid: Grid) -> None:
        """Refuse cells that are too coarse for the bed.

        Raises:
            ValueError: If the bed's narrowest feature is less than 1.5 cells wide.
        """
        if self.bathymetry is None:
            return
        cells = self.bathymetry.narrowest_width / max(grid.spacing)
        if cells < _CELLS_PER_WIDTH:
            raise ValueError(
                f"the bed's narrowest hill is {cells:.1f} cells wide on {grid.num_points[0]} x "
                f"{grid.num_points[1]} cells; raise reference_resolution until it is at least "
                f"{_CELLS_PER_WIDTH}"
            )

    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[ShallowWater] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> ShallowWaterSolver:
        """The finite-volume solver.

        Raises:
            ValueError: If `grid` is of another kind or has fewer than 2 cells a side, or `dt` is
                not positive.
        """
        if not isinstance(grid, self.grid_type):
            raise ValueError(
                f"{type(self).__name__} needs a {self.grid_type.__name__}, got "
                f"{type(grid).__name__}"
            )
        check_time_step(dt)
        equations = tuple(variants) or (self,)
        return ShallowWaterSolver(
            grid,
            dt,
            gravity=[float(e.gravity) for e in equations],
            dry_depth=[float(e.dry_depth) for e in equations],
            beds=[e.bathymetry for e in equations],
            dtype=dtype,
            device=device,
        )


@dataclass(frozen=True)
class OpenShallowWater(ShallowWater):
    """The same with open sides: beyond them everything is as in the cell before.

    Waves that arrive head-on leave almost without an echo, oblique ones with a weak one.
    """

    grid_type: ClassVar[type[Grid]] = OpenBox


@dataclass(frozen=True)
class PeriodicShallowWater(ShallowWater):
    """The same on a periodic box, whose bed has to be periodic too.

    Cells are centred at the nodes. A coarser rung is the truncated Fourier series, as everywhere on
    this grid: meant for smooth flow, as it overshoots at bores and shores.
    """

    grid_type: ClassVar[type[Grid]] = PeriodicBox
