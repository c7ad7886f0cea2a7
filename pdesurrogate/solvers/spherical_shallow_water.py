"""Shallow water on a rotating sphere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch

from pdesurrogate.fields import Diagnostic, Field
from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.operators.spherical_harmonics import quadratic_truncation
from pdesurrogate.solvers.equation import Equation, UnstableStepError, check_time_step
from pdesurrogate.solvers.orography import Orography
from pdesurrogate.solvers.shallow_water_carrier import SphereCarrier
from pdesurrogate.solvers.spherical_shallow_water_solver import SphericalShallowWaterSolver
from pdesurrogate.solvers.time_stepping import advised_step

__all__ = ["SphericalShallowWater"]

_WIND = ("velocity_x", "velocity_y")


@dataclass(frozen=True)
class SphericalShallowWater(Equation):
    r"""A thin layer of fluid on a rotating sphere, in vorticity and divergence.

    $$ \partial_t \zeta = -\nabla \cdot \big((\zeta + f)\, u\big) - \nu_l \zeta $$
    $$ \partial_t \delta = k \cdot \nabla \times \big((\zeta + f)\, u\big)
       - \nabla^2 \left(\tfrac12 |u|^2 + g (h + b)\right) - \nu_l \delta $$
    $$ \partial_t h = -\nabla \cdot (h u) - \nu_l (h + b), \qquad f = 2 \Omega \sin\varphi $$

    with the depth `h` of the fluid over the ground `b`. The hyperdiffusion acts on the harmonics of
    degree `l` at the rate $\nu_l = \tau^{-1} (l (l+1) / L (L+1))^p$ and leaves the mean alone. With
    a degree `L` of its own it is a property of the fluid, the same on every grid: the term
    $(-1)^{p+1} \kappa \nabla^{2p}$ with $\kappa = \tau^{-1} (a^2 / L (L+1))^p$, and solutions on
    ever finer grids converge. Without one, `L` is the truncation of the solver's grid: then another
    grid damps other scales, and is another fluid.

    The default is the Earth's size, rotation and gravity.

    Args:
        gravity: `g`, in metres per second squared.
        mean_depth: `H`, in metres, the depth for which gravity waves are integrated exactly. It
            changes no solution, but long steps are unstable where it is far from the mean of
            `height`; a solver refuses to start there.
        rotation_rate: $\Omega$, in radians per second.
        radius: `a` of the sphere, in metres.
        hyperdiffusion_order: `p`, a power of the Laplacian, at least 1.
        hyperdiffusion_time: $\tau$, in seconds, in which harmonics of degree `L` decay by a factor
            of `e`; infinite for none.
        hyperdiffusion_degree: `L`; None for the highest that the solver's grid holds.
        orography: The ground `b`; None where it is flat.
        diffuses_height: Whether the height of the surface is damped as the wind is. Where it is
            not, it still is beyond the degree `L`.

    Raises:
        ValueError: If a parameter is out of its range.

    References:
        Williamson et al. (1992), *J. Comput. Phys.* 102.
    """

    grid_type: ClassVar[type[Grid]] = GaussianSphere
    time_units: ClassVar[str] = "s"
    length_units: ClassVar[str] = "m"
    parameter_units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "gravity": "m s-2",
            "mean_depth": "m",
            "rotation_rate": "s-1",
            "radius": "m",
            "hyperdiffusion_order": "1",
            "hyperdiffusion_time": "s",
            "hyperdiffusion_degree": "1",
            "orography.peak": "m",
            "orography.latitude": "degrees",
            "orography.longitude": "degrees",
            "orography.angular_radius": "degrees",
            "orography.truncation": "1",
            "orography.scale": "1",
        }
    )

    gravity: float = 9.80616
    mean_depth: float = 10000.0
    rotation_rate: float = 7.292e-5
    radius: float = 6.37122e6
    hyperdiffusion_order: int = 4
    hyperdiffusion_time: float = 8640.0
    hyperdiffusion_degree: int | None = None
    orography: Orography | None = None
    diffuses_height: bool = True

    def __post_init__(self) -> None:
        for name in ("gravity", "mean_depth", "radius"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be finite and positive, got {value}")
        if not math.isfinite(self.rotation_rate):
            raise ValueError(f"rotation_rate must be finite, got {self.rotation_rate}")
        if self.hyperdiffusion_order < 1:
            raise ValueError(
                f"hyperdiffusion_order must be at least 1, got {self.hyperdiffusion_order}"
            )
        if not self.hyperdiffusion_time > 0:
            raise ValueError(
                f"hyperdiffusion_time must be positive, got {self.hyperdiffusion_time}"
            )
        if self.hyperdiffusion_degree is not None and self.hyperdiffusion_degree < 1:
            raise ValueError(
                "hyperdiffusion_degree must be at least 1, or None for the truncation, got "
                f"{self.hyperdiffusion_degree}"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """Depth and wind, from which the solver starts, and what follows."""
        ground = Field(
            "orography",
            "m",
            "height of the ground",
            is_prognostic=False,
            is_static=True,
            standard_name="surface_altitude",
        )
        return (
            Field("height", "m", "depth of the fluid", is_signed=False),
            Field(
                "velocity_x",
                "m s-1",
                "eastward wind",
                vector_part="x",
                standard_name="eastward_wind",
            ),
            Field(
                "velocity_y",
                "m s-1",
                "northward wind",
                vector_part="y",
                standard_name="northward_wind",
            ),
            Field(
                "vorticity",
                "s-1",
                "relative vorticity",
                is_prognostic=False,
                transported_by=_WIND,
                standard_name="atmosphere_upward_relative_vorticity",
            ),
            Field(
                "divergence",
                "s-1",
                "divergence of the wind",
                is_prognostic=False,
                standard_name="divergence_of_wind",
            ),
            *(() if self.orography is None else (ground,)),
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Means over the sphere; formulas at `SphericalShallowWaterSolver.diagnose`."""
        return (
            Diagnostic("mass", "m", "mean depth of the fluid"),
            Diagnostic("energy", "m3 s-2", "mean kinetic and potential energy, over density"),
            Diagnostic("potential_enstrophy", "m-1 s-2", "mean potential enstrophy"),
            Diagnostic("angular_momentum", "m3 s-1", "mean angular momentum, over density"),
        )

    def carrier(
        self, fields: Sequence[Field], *, variants: Sequence[SphericalShallowWater] = ()
    ) -> SphereCarrier | None:
        """See `PotentialVorticityCarrier`; None unless depth and wind are among the fields.

        The hyperdiffusion of a step is left out where its degree is that of a solver's grid.
        """
        names = tuple(field.name for field in fields)
        if not {"height", *_WIND} <= set(names):
            return None
        equations = tuple(variants) or (self,)
        degree = self.hyperdiffusion_degree
        return SphereCarrier(
            names,
            gravity=tuple(e.gravity for e in equations),
            rotation_rate=tuple(e.rotation_rate for e in equations),
            radius=self.radius,
            damping=0.0 if degree is None else 1 / self.hyperdiffusion_time,
            damped_degree=degree or 1,
            order=self.hyperdiffusion_order,
        )

    def check_stable(self, grid: Grid, dt: float) -> None:
        """Refuse a step that turns inertial oscillations too far.

        Raises:
            UnstableStepError: Names the largest step that the rotation allows.
        """
        # 2 Omega dt on the imaginary axis, where a fourth-order Runge-Kutta scheme holds to 2.83.
        largest = 2.8 / max(2 * abs(self.rotation_rate), 1e-300)
        if dt > largest:
            raise UnstableStepError(
                f"a time step of {dt:g} s is unstable at the rotation rate {self.rotation_rate:g} "
                f"per second; at most {largest:.4g} s are stable",
                largest,
            )

    def advised_step(self, grid: Grid, dt: float) -> float:
        """See `Equation.advised_step`: of the gravity wave of the highest degree."""
        if not isinstance(grid, GaussianSphere):
            return dt
        highest = quadratic_truncation(grid)
        damped = self.hyperdiffusion_degree or highest
        slope = math.sqrt(highest * (highest + 1)) / self.radius
        scale = highest * (highest + 1) / (damped * (damped + 1))
        return advised_step(
            math.sqrt(self.gravity * self.mean_depth) * slope,
            scale**self.hyperdiffusion_order / self.hyperdiffusion_time,
            dt,
        )

    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[SphericalShallowWater] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> SphericalShallowWaterSolver:
        """The solver by spherical harmonics with ETDRK4 in time.

        Raises:
            ValueError: If `grid` is not a `GaussianSphere`, `dt` is not positive, or only some of
                the variants have an orography.
        """
        if not isinstance(grid, GaussianSphere):
            raise ValueError(
                f"SphericalShallowWater needs a GaussianSphere, got {type(grid).__name__}"
            )
        check_time_step(dt)
        equations = tuple(variants) or (self,)
        if len({e.orography is None for e in equations}) > 1:
            raise ValueError("the trajectories of a batch must all have an orography, or none")
        return SphericalShallowWaterSolver(equations, grid, dt, dtype=dtype, device=device)
