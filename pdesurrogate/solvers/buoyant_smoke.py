"""Smoke that rises in a closed box, by a scheme that converges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
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
from pdesurrogate.solvers.closed_box import (
    SMOKE_FIELDS,
    ClosedBoxFlow,
    SmokeState,
    per_trajectory,
)
from pdesurrogate.solvers.equation import Equation

__all__ = ["BuoyantSmoke", "BuoyantSmokeSolver", "SmokeState"]

_COURANT = 1.2
"""Share of a cell's volume that may flow out of it in a sub-step. Third-order upwind advection with
this Runge–Kutta scheme is stable up to 1.6."""


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
        if not dt > 0:
            raise ValueError(f"the time step must be positive, got {dt}")
        equations = tuple(variants) or (self,)
        return BuoyantSmokeSolver(equations, grid, dt, dtype=dtype, device=device)


class BuoyantSmokeSolver:
    r"""Finite volumes on a staggered grid, third order in time, sub-steps as the flow asks.

    Advection is in flux form, upwind-biased of third order, for the smoke with Koren's limiter.
    Diffusion is explicit. Every stage of the Runge–Kutta scheme (SSPRK3) ends with the exact
    projection onto velocities without divergence. In space the whole is of second order.

    The mass of smoke changes by rounding only. Its extrema do not grow: proven for sub-steps in
    which no cell loses more than half of its volume, and seen to hold up to the 1.2 that are used.

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
        Shu & Osher (1988), *J. Comput. Phys.* 77; Harlow & Welch (1965), *Phys. Fluids* 8.
    """

    courant_limit = math.inf

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
        self._viscosity, diffusivity, self._buoyancy = (
            per_trajectory(equations, name, dtype, self.device)
            for name in ("viscosity", "diffusivity", "buoyancy")
        )
        self._diffusivity = None if diffusivity == 0.0 else diffusivity
        hy, hx = grid.spacing
        self._diffusion_rates = [
            2 * max(e.viscosity, e.diffusivity) * (hx**-2 + hy**-2) for e in equations
        ]
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
        remaining = [self.dt] * len(state.smoke)
        while any(remaining):
            sub_steps = [
                left / max(1, math.ceil(left * rate)) if left else 0.0
                for left, rate in zip(remaining, self._sub_step_rates(state), strict=True)
            ]
            state = self._advance(state, sub_steps)
            remaining = [
                left - taken if left - taken > 1e-9 * self.dt else 0.0
                for left, taken in zip(remaining, sub_steps, strict=True)
            ]
        return state

    def observe(self, state: SmokeState, grid: Grid) -> dict[str, Float[Tensor, "batch m n"]]:
        """Smoke and velocity averaged over the cells of `grid`."""
        return self._flow.observe(state, grid)

    def courant_number(self, state: SmokeState) -> Float[Tensor, " batch"]:
        """Cell volumes that flow out of a cell in `dt`, at most; a step takes sub-steps of less."""
        # A smoke that is not finite makes the number so too.
        return self._outflow_rates(state) * self.dt + 0 * state.smoke.sum(dim=(-2, -1))

    def _outflow_rates(self, state: SmokeState) -> Float[Tensor, " batch"]:
        """The largest outflow of a cell over its volume: half of what crosses its four faces."""
        hy, hx = self.grid.spacing
        across = midpoints(state.velocity_x.abs(), -1)
        up = midpoints(state.velocity_y.abs(), -2)
        return torch.add(across / hx, up, alpha=1 / hy).amax(dim=(-2, -1))

    def _sub_step_rates(self, state: SmokeState) -> list[float]:
        r"""Sub-steps per unit of time that every trajectory asks for.

        With outflow rate `r`, growth of it at most `a = |b| max |s| / h`, diffusion rate `d` and
        Courant limit `C`, the sub-step `t` obeys `t (r + a t) / C + t d <= 1`.
        """
        with torch.no_grad():
            outflow = self._outflow_rates(state)
            lift = (self._buoyancy * state.smoke).abs().amax(dim=(-2, -1))
            both = torch.stack([outflow, lift / self.grid.spacing[0]]).tolist()
        rates = []
        diffusion = self._diffusion_rates
        for i, (r, a) in enumerate(zip(*both, strict=True)):
            half = (r / _COURANT + diffusion[i % len(diffusion)]) / 2
            rate = half + math.sqrt(half**2 + a / _COURANT)
            # What is not finite gains nothing from shorter steps.
            rates.append(rate if math.isfinite(rate) else 0.0)
        return rates

    def _advance(self, state: SmokeState, sub_steps: Sequence[float]) -> SmokeState:
        """One SSPRK3 step of each trajectory's own length; none where that is zero."""
        dt: float | Tensor = sub_steps[0]
        if len(set(sub_steps)) > 1:
            dt = torch.tensor(sub_steps, dtype=self.dtype, device=self.device)[:, None, None]
        stage = state
        for weight in (1.0, 1 / 4, 2 / 3):
            stage = self._stage(state, stage, dt, weight)
        if all(sub_steps) or not isinstance(dt, Tensor):
            return stage
        return SmokeState(*map(lambda new, old: torch.where(dt > 0, new, old), stage, state))

    def _stage(
        self, start: SmokeState, stage: SmokeState, dt: float | Tensor, weight: float
    ) -> SmokeState:
        """`(1 - weight) start + weight (stage + dt tendency)`, projected."""
        smoke, u, v = stage
        smoke_change, u_change, v_change = self._tendencies(stage)
        inner = (..., slice(1, -1)), (..., slice(1, -1), slice(None))
        new_smoke = _blend(start.smoke, smoke, smoke_change, dt, weight)
        new_u = _blend(start.velocity_x[inner[0]], u[inner[0]], u_change, dt, weight)
        new_v = _blend(start.velocity_y[inner[1]], v[inner[1]], v_change, dt, weight)
        return SmokeState(new_smoke, *self._flow.project(new_u, new_v))

    def _tendencies(self, state: SmokeState) -> tuple[Tensor, Tensor, Tensor]:
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
            self._diffusivity,
        )
        ends = flux.ghost_values
        u_change = transport(
            mirror_about_nodes(u, -1, ends - 1),
            no_slip_ghosts(u[..., 1:-1], -2, ends),
            momentum_speeds_x(u, v),
            spacing,
            flux,
            self._viscosity,
        )
        v_change = transport(
            no_slip_ghosts(v[..., 1:-1, :], -1, ends),
            mirror_about_nodes(v, -2, ends - 1),
            momentum_speeds_y(u, v),
            spacing,
            flux,
            self._viscosity,
        )
        return smoke_change, u_change, v_change + self._buoyancy * midpoints(smoke, -2)


def _blend(
    start: Tensor, stage: Tensor, tendency: Tensor, dt: float | Tensor, weight: float
) -> Tensor:
    end = torch.addcmul(stage, tendency, dt) if isinstance(dt, Tensor) else stage + dt * tendency
    return end if weight == 1 else torch.lerp(start, end, weight)
