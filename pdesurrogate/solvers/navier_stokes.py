"""Two-dimensional incompressible Navier–Stokes on a periodic box, in vorticity form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from pdesurrogate.fields import Diagnostic, Field
from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.solvers.equation import Equation, check_time_step
from pdesurrogate.solvers.forcing import Forcing
from pdesurrogate.solvers.navier_stokes_carrier import VorticityCarrier
from pdesurrogate.solvers.navier_stokes_solver import PeriodicNavierStokesSolver

__all__ = ["PeriodicNavierStokes"]

_VELOCITY = ("velocity_x", "velocity_y")


@dataclass(frozen=True)
class PeriodicNavierStokes(Equation):
    r"""Incompressible flow in a doubly periodic box, with a passive tracer if one is wanted.

    $$ \partial_t \omega + u \cdot \nabla \omega = \nu \nabla^2 \omega - \alpha\, \omega + g,
       \qquad -\nabla^2 \psi = \omega,\quad u = (\partial_y \psi, -\partial_x \psi) $$

    $$ \partial_t c + u \cdot \nabla c = \kappa \nabla^2 c - \Gamma u_y $$

    Every quantity is dimensionless. Energy flows to the large scales, where the drag takes it up;
    enstrophy flows to the small ones, where viscosity does, and so does the tracer's variance.

    Args:
        viscosity: $\nu > 0$, or 0 for the Euler equations (which no grid resolves for long).
        drag: Linear (Ekman, Rayleigh) drag $\alpha \ge 0$.
        forcing: The source $g$; None for free decay.
        tracer_diffusivity: $\kappa \ge 0$ of the tracer $c$; None for no tracer.
        tracer_gradient: $\Gamma$, a uniform gradient along y that the flow stirs: $c$ is the
            tracer's deviation from $\Gamma y$. It keeps up the variance, which otherwise decays.

    Raises:
        ValueError: If `viscosity`, `drag` or `tracer_diffusivity` is negative or not finite, or
            there is a gradient of no tracer.

    References:
        Boffetta & Ecke (2012), *Annu. Rev. Fluid Mech.* 44.
        Holzer & Siggia (1994), *Phys. Fluids* 6 (a tracer stirred along a uniform gradient).
    """

    grid_type: ClassVar[type[Grid]] = PeriodicBox

    viscosity: float = 1e-3
    drag: float = 0.0
    forcing: Forcing | None = None
    tracer_diffusivity: float | None = None
    tracer_gradient: float = 0.0

    def __post_init__(self) -> None:
        for name in ("viscosity", "drag", "tracer_diffusivity"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} must be finite and not negative, got {value}")
        if not math.isfinite(self.tracer_gradient):
            raise ValueError(f"tracer_gradient must be finite, got {self.tracer_gradient}")
        if self.tracer_gradient and self.tracer_diffusivity is None:
            raise ValueError(
                "tracer_gradient is given, so tracer_diffusivity must be given as well"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """Vorticity and tracer, which the solver steps, and the velocity that follows."""
        tracer = Field("tracer", "1", "passive tracer", transported_by=_VELOCITY)
        return (
            Field("vorticity", "1", "vorticity", transported_by=_VELOCITY),
            *(() if self.tracer_diffusivity is None else (tracer,)),
            Field("velocity_x", "1", "velocity along x", is_prognostic=False, vector_part="x"),
            Field("velocity_y", "1", "velocity along y", is_prognostic=False, vector_part="y"),
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        r"""Energy $\overline{|u|^2} / 2$ and enstrophy $\overline{\omega^2} / 2$ per area."""
        return (
            Diagnostic("energy", "1", "mean kinetic energy, half the mean square of the velocity"),
            Diagnostic("enstrophy", "1", "mean enstrophy, half the mean square of the vorticity"),
        )

    def carrier(
        self, fields: Sequence[Field], *, variants: Sequence[PeriodicNavierStokes] = ()
    ) -> VorticityCarrier | None:
        """See `VorticityCarrier`; None unless the fields tell the velocity."""
        names = tuple(field.name for field in fields)
        if "vorticity" not in names and not {"velocity_x", "velocity_y"} <= set(names):
            return None
        equations = tuple(variants) or (self,)
        return VorticityCarrier(
            names,
            viscosity=tuple(e.viscosity for e in equations),
            drag=tuple(e.drag for e in equations),
            diffusivity=tuple(e.tracer_diffusivity or 0.0 for e in equations),
            gradient=tuple(e.tracer_gradient for e in equations),
        )

    def check_resolved(self, grid: Grid) -> None:
        """Refuse a grid whose solver would not feel the whole force.

        Raises:
            ValueError: Names the force's wavenumber and the highest that the solver holds.
        """
        if self.forcing is None:
            return
        wanted = self.forcing.highest_wavenumbers(grid.domain_extent)
        for highest, num_points in zip(wanted, grid.num_points, strict=True):
            held = (num_points - 1) // 3
            if highest > held:
                raise ValueError(
                    f"the forcing's wavenumber {highest} is not resolved by "
                    f"{grid.num_points[0]} x {grid.num_points[1]} points, which hold up to {held} "
                    "after dealiasing; raise reference_resolution"
                )

    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[PeriodicNavierStokes] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> PeriodicNavierStokesSolver:
        """The pseudo-spectral solver with ETDRK4 in time.

        Raises:
            ValueError: If `grid` is not a `PeriodicBox`, `dt` is not positive, or only some of the
                variants have a tracer or a force.
        """
        if not isinstance(grid, PeriodicBox):
            raise ValueError(f"PeriodicNavierStokes needs a PeriodicBox, got {type(grid).__name__}")
        check_time_step(dt)
        equations = tuple(variants) or (self,)
        return PeriodicNavierStokesSolver(equations, grid, dt, dtype=dtype, device=device)
