"""Shallow water on a rotating, doubly periodic plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from pdesurrogate.fields import Diagnostic, Field
from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.solvers.coriolis import Coriolis, UniformRotation
from pdesurrogate.solvers.equation import Equation, UnstableStepError, check_time_step
from pdesurrogate.solvers.rotating_shallow_water_solver import RotatingShallowWaterSolver
from pdesurrogate.solvers.shallow_water_carrier import PlaneCarrier
from pdesurrogate.solvers.time_stepping import advised_step

__all__ = ["RotatingShallowWater"]

_VELOCITY = ("velocity_x", "velocity_y")


@dataclass(frozen=True)
class RotatingShallowWater(Equation):
    r"""A thin layer of fluid over flat ground on a rotating, doubly periodic plane.

    $$ \partial_t u = -(\zeta + f)\, \hat z \times u - \nabla \left(\tfrac12 |u|^2 + g h\right)
       - D u, \qquad \partial_t h = -\nabla \cdot (h u) - D h, \qquad D = \nu (-\nabla^2)^p $$

    with the depth $h > 0$ and the vorticity $\zeta = \partial_x v - \partial_y u$. For smooth flow:
    nothing here holds a bore. The hyperviscosity acts on momentum and depth alike, so that it takes
    no flow out of geostrophic balance; it leaves every mean alone, mass and momentum among them.
    $\nu$ is a property of the fluid: every grid damps a wavelength at the same rate.

    Gravity-inertia waves have the frequency $\sqrt{f^2 + g H k^2}$; the deformation radius is
    $\sqrt{g H} / f$.

    Args:
        gravity: `g`, in metres per second squared; reduced, for a layer under lighter fluid.
        mean_depth: `H`, in metres, the depth for which gravity waves are integrated exactly. It
            changes no solution, but it should be near the mean of `height`: steps have to be the
            shorter the farther it is off.
        coriolis: `f`.
        hyperviscosity: $\nu \ge 0$, in metres to the power of `2p` per second.
        hyperviscosity_order: `p`, a power of the Laplacian, at least 1; 1 is a viscosity.

    Raises:
        ValueError: If a parameter is out of its range.

    References:
        Vallis (2017), *Atmospheric and Oceanic Fluid Dynamics*, ch. 3.
        Polvani et al. (1994), *Chaos* 4 (turbulence in this system).
    """

    grid_type: ClassVar[type[Grid]] = PeriodicBox
    time_units: ClassVar[str] = "s"
    length_units: ClassVar[str] = "m"

    gravity: float = 9.81
    mean_depth: float = 250.0
    coriolis: Coriolis = field(default_factory=UniformRotation)
    hyperviscosity: float = 0.0
    hyperviscosity_order: int = 2

    def __post_init__(self) -> None:
        for name in ("gravity", "mean_depth"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be finite and positive, got {value}")
        if not 0 <= self.hyperviscosity < math.inf:
            raise ValueError(
                f"hyperviscosity must be finite and not negative, got {self.hyperviscosity}"
            )
        if self.hyperviscosity_order < 1:
            raise ValueError(
                f"hyperviscosity_order must be at least 1, got {self.hyperviscosity_order}"
            )

    @property
    def parameter_units(self) -> Mapping[str, str]:
        """See `Equation.parameter_units`; that of the hyperviscosity depends on its order."""
        return {
            "gravity": "m s-2",
            "mean_depth": "m",
            "coriolis.parameter": "s-1",
            "hyperviscosity": f"m{2 * self.hyperviscosity_order} s-1",
            "hyperviscosity_order": "1",
        }

    @property
    def fields(self) -> tuple[Field, ...]:
        """Depth and velocity, from which the solver starts, and what follows."""
        return (
            Field("height", "m", "depth of the fluid", is_signed=False),
            Field("velocity_x", "m s-1", "velocity along x", vector_part="x"),
            Field("velocity_y", "m s-1", "velocity along y", vector_part="y"),
            Field(
                "vorticity",
                "s-1",
                "relative vorticity",
                is_prognostic=False,
                transported_by=_VELOCITY,
            ),
            Field("divergence", "s-1", "divergence of the velocity", is_prognostic=False),
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        r"""Means over the box of `h`, $\tfrac12 h |u|^2 + \tfrac12 g (h - H)^2$ and
        $\tfrac12 (\zeta + f)^2 / h$."""
        return (
            Diagnostic("mass", "m", "mean depth of the fluid"),
            Diagnostic("energy", "m3 s-2", "mean kinetic and available potential energy"),
            Diagnostic("potential_enstrophy", "m-1 s-2", "mean potential enstrophy"),
        )

    def carrier(
        self, fields: Sequence[Field], *, variants: Sequence[RotatingShallowWater] = ()
    ) -> PlaneCarrier | None:
        """See `PotentialVorticityCarrier`; None unless depth and velocity are among the fields."""
        names = tuple(field.name for field in fields)
        if not {"height", *_VELOCITY} <= set(names):
            return None
        equations = tuple(variants) or (self,)
        return PlaneCarrier(
            names,
            gravity=tuple(e.gravity for e in equations),
            rotation=tuple(e.coriolis for e in equations),
            hyperviscosity=tuple(e.hyperviscosity for e in equations),
            order=self.hyperviscosity_order,
        )

    def check_stable(self, grid: Grid, dt: float) -> None:
        """Refuse a step that turns inertial oscillations too far where they are explicit.

        Raises:
            UnstableStepError: Names the largest step that the rotation allows.
        """
        # Uniform rotation is exact. The rest of f is on the imaginary axis, where a fourth-order
        # Runge-Kutta scheme holds to 2.83.
        largest = 2.8 / max(abs(self.coriolis.parameter - self.coriolis.mean), 1e-300)
        if dt > largest:
            raise UnstableStepError(
                f"a time step of {dt:g} s is unstable at the Coriolis parameter "
                f"{self.coriolis.parameter:g} per second; at most {largest:.4g} s are stable",
                largest,
            )

    def advised_step(self, grid: Grid, dt: float) -> float:
        """See `Equation.advised_step`: of the wave with the largest wavenumbers along y and x."""
        pairs = zip(grid.num_points, grid.domain_extent, strict=True)
        k2 = sum((2 * math.pi * ((points - 1) // 3) / length) ** 2 for points, length in pairs)
        frequency = math.sqrt(self.coriolis.mean**2 + self.gravity * self.mean_depth * k2)
        return advised_step(frequency, self.hyperviscosity * k2**self.hyperviscosity_order, dt)

    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[RotatingShallowWater] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> RotatingShallowWaterSolver:
        """The pseudo-spectral solver with ETDRK4 in time.

        Raises:
            ValueError: If `grid` is not a `PeriodicBox` or `dt` is not positive.
        """
        if not isinstance(grid, PeriodicBox):
            raise ValueError(f"RotatingShallowWater needs a PeriodicBox, got {type(grid).__name__}")
        check_time_step(dt)
        equations = tuple(variants) or (self,)
        return RotatingShallowWaterSolver(equations, grid, dt, dtype=dtype, device=device)
