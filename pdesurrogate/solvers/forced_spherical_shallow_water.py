"""Shallow water on a rotating sphere with a source of mass that changes in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.fields import Diagnostic, Field
from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.solvers.equation import Equation
from pdesurrogate.solvers.mass_source import MassSource, SeasonalDay
from pdesurrogate.solvers.spherical_shallow_water import SphericalShallowWater
from pdesurrogate.solvers.spherical_shallow_water_solver import SphericalShallowWaterSolver
from pdesurrogate.solvers.time_stepping import etdrk4

__all__ = [
    "ForcedSphereState",
    "ForcedSphericalShallowWater",
    "ForcedSphericalShallowWaterSolver",
]


@dataclass(frozen=True)
class ForcedSphericalShallowWater(Equation):
    r"""`SphericalShallowWater` whose depth is fed and drained.

    $$ \partial_t h = -\nabla \cdot (h u) - \nu_l (h + b) + F(\lambda, \varphi, t) $$

    Args:
        flow: All but the source.
        source: `F`.
    """

    grid_type: ClassVar[type[Grid]] = GaussianSphere
    time_units: ClassVar[str] = SphericalShallowWater.time_units
    length_units: ClassVar[str] = SphericalShallowWater.length_units
    parameter_units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {f"flow.{path}": units for path, units in SphericalShallowWater.parameter_units.items()}
        | {
            "source.amplitude": "m s-1",
            "source.day": "s",
            "source.year": "s",
            "source.declination": "radian",
            "source.width": "radian",
            "source.start": "s",
        }
    )

    flow: SphericalShallowWater = field(default_factory=SphericalShallowWater)
    source: MassSource = field(default_factory=SeasonalDay)

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the flow."""
        return self.flow.fields

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Those of the flow; none is conserved where the source is not zero."""
        return self.flow.diagnostics

    def check_stable(self, grid: Grid, dt: float) -> None:
        """See `SphericalShallowWater.check_stable`; the source sets no limit."""
        self.flow.check_stable(grid, dt)

    def advised_step(self, grid: Grid, dt: float) -> float:
        """See `SphericalShallowWater.advised_step`."""
        return self.flow.advised_step(grid, dt)

    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[ForcedSphericalShallowWater] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> ForcedSphericalShallowWaterSolver:
        """The solver by spherical harmonics with ETDRK4 in time.

        Raises:
            ValueError: As `SphericalShallowWater.discretise`.
        """
        equations = tuple(variants) or (self,)
        flows = [equation.flow for equation in variants]
        free = self.flow.discretise(grid, dt, variants=flows, dtype=dtype, device=device)
        return ForcedSphericalShallowWaterSolver(free, [e.source for e in equations])


class ForcedSphereState(NamedTuple):
    """What a forced sphere remembers.

    Args:
        waves: The state of `SphericalShallowWaterSolver`.
        time: Time since the beginning of every trajectory, float64, `(batch,)`.
    """

    waves: Tensor
    time: Tensor


class ForcedSphericalShallowWaterSolver:
    """`SphericalShallowWaterSolver` with a source, evaluated at the times of ETDRK4's stages.

    The source is truncated to the solver's harmonics. It is explicit, of fourth order in time, and
    sets no limit on the step.

    Args:
        free: The solver without source.
        sources: One per trajectory of the batch, or one for all.
    """

    def __init__(self, free: SphericalShallowWaterSolver, sources: Sequence[MassSource]) -> None:
        self.free, self.sources = free, tuple(sources)
        self.grid, self.dt = free.grid, free.dt
        self.courant_limit, self.linear = free.courant_limit, free.linear
        self._latitude = torch.tensor(free.grid.y).deg2rad()[:, None].to(free.device)
        self._longitude = torch.tensor(free.grid.x).deg2rad()[None, :].to(free.device)
        dtype = torch.complex64 if free.dtype == torch.float32 else torch.complex128
        self._step = etdrk4(self, self.dt, dtype)
        self._latest = (torch.empty(0), torch.empty(0))

    def nonlinear(
        self, state: Complex[Tensor, "batch 3 degree order"], time: Float[Tensor, " batch"]
    ) -> Complex[Tensor, "batch 3 degree order"]:
        """What the free solver's is, and the source in the depth: in both gravity waves alike."""
        # A step asks twice for its middle, by one and the same tensor.
        if time is not self._latest[0]:
            source = self.source_coefficients(time)
            fed = torch.stack([torch.zeros_like(source), source, source], dim=1)
            self._latest = (time, fed)
        return self.free.nonlinear(state, time) + self._latest[1]

    def source_coefficients(
        self, time: Float[Tensor, " batch"]
    ) -> Complex[Tensor, "rows degree order"]:
        """Harmonics of the source of every trajectory, in metres per second.

        All trajectories share their time; where they share the source too, it is worked out once.
        """
        now = time[:1, None, None]
        rates = [s.rate(self._latitude, self._longitude, now) for s in self.sources]
        on_grid = torch.cat(rates).expand(-1, *self.grid.num_points)
        return self.free.harmonics.analyse(on_grid.to(self.free.dtype))

    def step(self, state: ForcedSphereState) -> ForcedSphereState:
        """The state `dt` later."""
        return ForcedSphereState(self._step(state.waves, state.time), state.time + self.dt)

    def initialise(
        self, fields: Mapping[str, Float[Tensor, "batch y x"]], time: float = 0.0
    ) -> ForcedSphereState:
        """See `SphericalShallowWaterSolver.initialise`.

        Args:
            fields: As there.
            time: Since the trajectory's beginning, in seconds.
        """
        waves = self.free.initialise(fields)
        times = torch.full((len(waves),), time, dtype=torch.float64, device=self.free.device)
        return ForcedSphereState(waves, times)

    def observe(self, state: ForcedSphereState, grid: Grid) -> dict[str, Float[Tensor, "b m n"]]:
        """See `SphericalShallowWaterSolver.observe`."""
        return self.free.observe(state.waves, grid)

    def courant_number(self, state: ForcedSphereState) -> Float[Tensor, " batch"]:
        """See `SphericalShallowWaterSolver.courant_number`."""
        return self.free.courant_number(state.waves)

    def diagnose(self, state: ForcedSphereState) -> dict[str, Float[Tensor, " batch"]]:
        """See `SphericalShallowWaterSolver.diagnose`."""
        return self.free.diagnose(state.waves)
