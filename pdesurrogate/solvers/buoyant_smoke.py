"""Smoke that rises in a closed box, by a scheme that converges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import ClosedBox, Grid
from pdesurrogate.operators import (
    KorenLimiter,
    ThirdOrderUpwind,
    midpoints,
    mirror_about_faces,
    mirror_about_nodes,
    momentum_speeds_x,
    momentum_speeds_y,
    no_slip_ghosts,
    transport,
)
from pdesurrogate.solvers.carrier import FieldCarrier, field_carrier
from pdesurrogate.solvers.closed_box import (
    SMOKE_FIELDS,
    ClosedBoxFlow,
    SmokeState,
    per_trajectory,
    rows_of,
)
from pdesurrogate.solvers.equation import Equation, check_time_step
from pdesurrogate.solvers.sub_steps import MAX_SUBSTEPS, advance_in_sub_steps, count_sub_steps

__all__ = ["BuoyantSmoke", "BuoyantSmokeSolver", "SmokeState"]

_COURANT = 1.8
"""Cell volumes that may flow out of a cell in a sub-step."""

_CELLS_AT_ONCE = 2**16
"""On a CPU, where more than this many cells leave the second-level cache."""


class _Parameters(NamedTuple):
    viscosity: float | Tensor
    diffusivity: float | Tensor
    buoyancy: float | Tensor
    largest_diffusivity: float | Tensor

    def of(self, rows: slice) -> _Parameters:
        return _Parameters(*(rows_of(parameter, rows) for parameter in self))


@dataclass(frozen=True)
class BuoyantSmoke(Equation):
    r"""Incompressible flow in a closed box, driven by the smoke that it carries.

    $$ \partial_t u + u \cdot \nabla u = -\nabla p + \nu \nabla^2 u + b\, s\, e_y, \qquad
       \nabla \cdot u = 0, \qquad \partial_t s + u \cdot \nabla s = \kappa \nabla^2 s $$

    The fluid sticks to the walls and no smoke passes them. Every quantity is dimensionless; y
    points up. With $\kappa = 0$ the smoke's filaments become thinner for ever and no grid resolves
    them for long.

    Args:
        viscosity: $\nu \ge 0$.
        diffusivity: $\kappa \ge 0$ of the smoke.
        buoyancy: Upward acceleration $b$ per unit of smoke.

    Raises:
        ValueError: If a parameter is not finite, or `viscosity` or `diffusivity` is negative.
    """

    grid_type: ClassVar[type[Grid]] = ClosedBox

    viscosity: float = 0.01
    diffusivity: float = 0.0
    buoyancy: float = 0.5

    def __post_init__(self) -> None:
        for name in ("viscosity", "diffusivity"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be finite and not negative, got {getattr(self, name)}"
                )
        if not math.isfinite(self.buoyancy):
            raise ValueError(f"buoyancy must be finite, got {self.buoyancy}")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Smoke and the velocity at cell centres."""
        return SMOKE_FIELDS

    def carrier(
        self, fields: Sequence[Field], *, variants: Sequence[BuoyantSmoke] = ()
    ) -> FieldCarrier | None:
        """Smoke goes with the flow and diffuses; velocity is left to who knows its pressure."""
        equations = tuple(variants) or (self,)
        return field_carrier(fields, diffusivity=tuple(e.diffusivity for e in equations))

    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[BuoyantSmoke] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> BuoyantSmokeSolver:
        """The conservative finite-volume solver.

        Raises:
            ValueError: If `grid` is not a `ClosedBox` or `dt` is not positive.
        """
        check_time_step(dt)
        equations = tuple(variants) or (self,)
        return BuoyantSmokeSolver(equations, grid, dt, dtype=dtype, device=device)


class BuoyantSmokeSolver:
    r"""Finite volumes on a staggered grid, third order in time, sub-steps as the flow asks.

    Advection is in flux form, upwind-biased of third order, for the smoke with Koren's limiter.
    Diffusion is explicit. Every stage of the Runge–Kutta scheme, SSPRK(4,3), ends with the exact
    projection onto velocities without divergence. In space the whole is of second order.

    The mass of smoke changes by rounding only. Its extrema do not grow: proven for sub-steps in
    which no cell loses more than its volume, and seen to hold up to the 1.8 that are used.

    A step of `dt` is made of sub-steps that end exactly there, chosen per trajectory and anew after
    each: from the velocity, from how much buoyancy may add to it, and from the diffusion. Any `dt`
    is thus stable, on any grid.

    Args:
        equations: Parameters, one equation per trajectory of the batch or one for all.
        grid: Closed box, at least 4 cells a side.
        dt: Time step.
        dtype: float32 or float64.
        device: Where to compute.

    References:
        Harlow & Welch (1965), *Phys. Fluids* 8; Spiteri & Ruuth (2002), *SIAM J. Numer. Anal.* 40.
    """

    courant_limit = math.inf

    substep_share = 1.0
    """Sub-steps are this part of what the limits allow."""

    max_substeps = MAX_SUBSTEPS

    def __init__(
        self,
        equations: Sequence[BuoyantSmoke],
        grid: Grid,
        dt: float,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self._flow = ClosedBoxFlow(grid, dtype=dtype, device=device)
        self.grid, self.dt = grid, dt
        self.dtype, self.device = dtype, self._flow.device
        self._parameters = _Parameters(
            *(
                per_trajectory(values, dtype, self.device)
                for values in (
                    [float(e.viscosity) for e in equations],
                    [float(e.diffusivity) for e in equations],
                    [float(e.buoyancy) for e in equations],
                    [float(max(e.viscosity, e.diffusivity)) for e in equations],
                )
            )
        )
        self._smoke_diffuses = any(e.diffusivity > 0 for e in equations)
        self._smoke_flux, self._momentum_flux = KorenLimiter(), ThirdOrderUpwind()

    def initialise(
        self, fields: Mapping[str, Float[Tensor, "batch y x"]], time: float = 0.0
    ) -> SmokeState:
        """The state with these `smoke`, `velocity_x`, `velocity_y`; the equation is autonomous.

        Raises:
            ValueError: If a field is missing.
        """
        return self._flow.initialise(fields)

    def step(self, state: SmokeState) -> SmokeState:
        """Advance by `dt`."""
        batch = len(state.smoke)
        at_once = batch
        if self.device.type == "cpu":
            at_once = max(1, _CELLS_AT_ONCE // math.prod(self.grid.num_points))
        parts = [
            self._advance(
                SmokeState(*(u[first : first + at_once] for u in state)),
                self._parameters.of(slice(first, first + at_once)),
            )
            for first in range(0, batch, at_once)
        ]
        return (
            parts[0] if len(parts) == 1 else SmokeState(*map(torch.cat, zip(*parts, strict=True)))
        )

    def observe(self, state: SmokeState, grid: Grid) -> dict[str, Float[Tensor, "batch m n"]]:
        """Smoke and velocity averaged over the cells of `grid`."""
        return self._flow.observe(state, grid)

    def courant_number(self, state: SmokeState) -> Float[Tensor, " batch"]:
        """Cell volumes that flow out of a cell in `dt`, at most; a step takes sub-steps of less."""
        # A smoke that is not finite makes the number so too.
        return self._outflow_rate(state).flatten() * self.dt + 0 * state.smoke.sum(dim=(-2, -1))

    def _advance(self, state: SmokeState, parameters: _Parameters) -> SmokeState:
        """Advance by `dt` in sub-steps of each trajectory's own length."""
        return advance_in_sub_steps(
            state,
            self.dt,
            lambda now: self._sub_step_rate(now, parameters),
            lambda now, lengths: self._sub_step(now, parameters, lengths),
        )

    def substeps(self, state: SmokeState) -> Int[Tensor, " batch"]:
        """How many sub-steps each trajectory asks for in `dt`, were the flow to stay as it is."""
        return count_sub_steps(self._sub_step_rate(state, self._parameters), self.dt)

    def _outflow_rate(self, state: SmokeState) -> Float[Tensor, "batch 1 1"]:
        """The largest outflow of a cell over its volume: half of what crosses its four faces."""
        hy, hx = self.grid.spacing
        across = midpoints(state.velocity_x.abs(), -1)
        up = midpoints(state.velocity_y.abs(), -2)
        return torch.add(across / hx, up, alpha=1 / hy).amax(dim=(-2, -1), keepdim=True)

    def _sub_step_rate(
        self, state: SmokeState, parameters: _Parameters
    ) -> Float[Tensor, "batch 1 1"]:
        r"""Sub-steps per unit of time that every trajectory asks for.

        With outflow rate `r`, its growth at most `a = max |b s| / h_y`, diffusion rate `d` and
        Courant limit `C`, a sub-step `t` obeys `t (r + a t) / C + t d <= 1`.
        """
        hy, hx = self.grid.spacing
        lift = (parameters.buoyancy * state.smoke).abs().amax(dim=(-2, -1), keepdim=True)
        diffusion = parameters.largest_diffusivity * (hx**-2 + hy**-2)
        half = (self._outflow_rate(state) / _COURANT + diffusion) / 2
        return (half + (half**2 + lift / (hy * _COURANT)).sqrt()) / self.substep_share

    def _sub_step(
        self, state: SmokeState, parameters: _Parameters, lengths: Sequence[float]
    ) -> SmokeState:
        """One step of SSPRK(4,3): four Euler steps of half the length."""
        dt = per_trajectory([length / 2 for length in lengths], self.dtype, self.device)
        stage = state
        for weight in (1.0, 1.0, 1 / 3, 1.0):
            stage = self._stage(state, stage, parameters, dt, weight)
        return stage

    def _stage(
        self,
        start: SmokeState,
        stage: SmokeState,
        parameters: _Parameters,
        dt: float | Tensor,
        weight: float,
    ) -> SmokeState:
        """`(1 - weight) start + weight (stage + dt tendency)`, its velocity projected."""
        smoke, u, v = (
            _blend(first, now, change, dt, weight)
            for first, now, change in zip(
                _inside(start), _inside(stage), self._tendencies(stage, parameters), strict=True
            )
        )
        return SmokeState(smoke, *self._flow.project(u, v))

    def _tendencies(
        self, state: SmokeState, parameters: _Parameters
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of smoke and of the velocities on interior faces, without pressure."""
        smoke, u, v = state
        spacing, flux = self.grid.spacing, self._momentum_flux
        ends = self._smoke_flux.ghost_values
        smoke_change = transport(
            mirror_about_faces(smoke, -1, ends),
            mirror_about_faces(smoke, -2, ends),
            (u, v),
            spacing,
            self._smoke_flux,
            parameters.diffusivity if self._smoke_diffuses else None,
        )
        ends = flux.ghost_values
        u_change = transport(
            mirror_about_nodes(u, -1, ends - 1),
            no_slip_ghosts(u[..., 1:-1], -2, ends),
            momentum_speeds_x(u, v),
            spacing,
            flux,
            parameters.viscosity,
        )
        v_change = transport(
            no_slip_ghosts(v[..., 1:-1, :], -1, ends),
            mirror_about_nodes(v, -2, ends - 1),
            momentum_speeds_y(u, v),
            spacing,
            flux,
            parameters.viscosity,
        )
        return smoke_change, u_change, v_change.add_(parameters.buoyancy * midpoints(smoke, -2))


def _inside(state: SmokeState) -> tuple[Tensor, Tensor, Tensor]:
    """Smoke, and the velocities on interior faces."""
    return state.smoke, state.velocity_x[..., 1:-1], state.velocity_y[..., 1:-1, :]


def _blend(first: Tensor, now: Tensor, change: Tensor, dt: float | Tensor, weight: float) -> Tensor:
    if isinstance(dt, Tensor):
        end = torch.addcmul(now, change, dt)
    else:
        end = torch.add(now, change, alpha=dt)
    return end if weight == 1 else torch.lerp(first, end, weight)
