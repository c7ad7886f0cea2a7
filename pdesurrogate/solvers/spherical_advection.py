"""A tracer in a steady wind on a sphere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch

from pdesurrogate.fields import Diagnostic, Field
from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.solvers.carrier import FieldCarrier, field_carrier
from pdesurrogate.solvers.equation import Equation, check_time_step
from pdesurrogate.solvers.spherical_advection_solver import SphericalAdvectionSolver

__all__ = ["SphericalAdvection"]

_WIND = ("velocity_x", "velocity_y")


@dataclass(frozen=True)
class SphericalAdvection(Equation):
    r"""A tracer that a solid rotation carries around the sphere: Williamson's first case.

    $$ \partial_t h + \nabla \cdot (h u) = 0, \qquad
       u = U (\cos\varphi \cos\alpha + \sin\varphi \cos\lambda \sin\alpha), \quad
       v = -U \sin\lambda \sin\alpha $$

    The exact solution is the initial state, turned about the flow's axis by the angle $U t / a$;
    the default returns after twelve days. The tracer is called `height` as in the literature, where
    it is the depth of a fluid that does not act on the wind.

    Args:
        speed: `U` at the flow's equator, in metres per second.
        tilt: $\alpha$ between the flow's axis and the sphere's, in degrees; at 90 the flow crosses
            both poles.
        radius: `a` of the sphere, in metres.

    Raises:
        ValueError: If a parameter is out of its range.

    References:
        Williamson et al. (1992), *J. Comput. Phys.* 102, §3.1.
    """

    grid_type: ClassVar[type[Grid]] = GaussianSphere
    time_units: ClassVar[str] = "s"
    length_units: ClassVar[str] = "m"
    parameter_units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"speed": "m s-1", "tilt": "degrees", "radius": "m"}
    )

    speed: float = 2 * math.pi * 6.37122e6 / (12 * 86400)
    tilt: float = 90.0
    radius: float = 6.37122e6

    def __post_init__(self) -> None:
        for name in ("speed", "tilt"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)}")
        if not 0 < self.radius < math.inf:
            raise ValueError(f"radius must be finite and positive, got {self.radius}")

    @property
    def fields(self) -> tuple[Field, ...]:
        """The tracer and the wind, which is the same in every frame."""
        east = Field(
            "velocity_x",
            "m s-1",
            "eastward wind",
            is_prognostic=False,
            is_static=True,
            vector_part="x",
            standard_name="eastward_wind",
        )
        north = Field(
            "velocity_y",
            "m s-1",
            "northward wind",
            is_prognostic=False,
            is_static=True,
            vector_part="y",
            standard_name="northward_wind",
        )
        return (Field("height", "m", "depth of the tracer", transported_by=_WIND), east, north)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Means over the sphere of the tracer and its square, both conserved."""
        return (
            Diagnostic("mass", "m", "mean depth of the tracer"),
            Diagnostic("variance", "m2", "mean square of the tracer's depth"),
        )

    def carrier(
        self, fields: Sequence[Field], *, variants: Sequence[SphericalAdvection] = ()
    ) -> FieldCarrier | None:
        """By the wind, if it is among the fields."""
        return field_carrier(fields, self.radius)

    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[SphericalAdvection] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> SphericalAdvectionSolver:
        """The solver by spherical harmonics with a Runge–Kutta scheme in time.

        Raises:
            ValueError: If `grid` is not a `GaussianSphere` or `dt` is not positive.
        """
        if not isinstance(grid, GaussianSphere):
            raise ValueError(
                f"SphericalAdvection needs a GaussianSphere, got {type(grid).__name__}"
            )
        check_time_step(dt)
        equations = tuple(variants) or (self,)
        return SphericalAdvectionSolver(equations, grid, dt, dtype=dtype, device=device)
