"""Smoke that rises in a closed box, by the numerics with which PDEArena's data were made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pdesurrogate.fields import Field
from pdesurrogate.grids import ClosedBox, Grid
from pdesurrogate.operators import average_to_centres, midpoints, sample_bilinear
from pdesurrogate.solvers.closed_box import (
    SMOKE_FIELDS,
    ClosedBoxFlow,
    SmokeState,
    per_trajectory,
)
from pdesurrogate.solvers.equation import Equation, UnstableStepError, check_time_step
from pdesurrogate.transfer import restrict

__all__ = ["SemiLagrangianSmoke", "SemiLagrangianSmokeSolver"]

_DIFFUSION_LIMIT = 0.5
r"""Of $\nu\,\Delta t\,(1/h_x^2 + 1/h_y^2)$: 0.25 of $\nu\,\Delta t / h^2$ on square cells."""


@dataclass(frozen=True)
class SemiLagrangianSmoke(Equation):
    r"""The flow of `BuoyantSmoke` without diffusion of smoke, in PDEArena's discretisation.

    $$ \partial_t u + u \cdot \nabla u = -\nabla p + \nu \nabla^2 u + b\, s\, e_y, \qquad
       \nabla \cdot u = 0, \qquad \partial_t s + u \cdot \nabla s = 0 $$

    For data that are to be compared with theirs. The scheme is of first order and very diffusive
    at the time step they use, it does not conserve smoke, and it sets even a uniform cloud in
    motion, because the lift is diffused before the projection: for the equation's solution take
    `BuoyantSmoke`. Every quantity is dimensionless; y points up.

    Besides the velocities at cell centres it observes them as PDEArena's files hold them: entry
    `i` of `face_velocity_x` along x is the velocity on the face at $x = i\,h_x$, half a cell to the
    left of the smoke's entry `i`, likewise `face_velocity_y` along y. That holds on the grid of the
    simulation; on coarser rungs they are averaged like everything else.

    Args:
        viscosity: $\nu \ge 0$.
        buoyancy: Upward acceleration $b$ per unit of smoke.

    Raises:
        ValueError: If a parameter is not finite or `viscosity` is negative.

    References:
        Gupta & Brandstetter (2023), *Towards Multi-spatiotemporal-scale Generalized PDE Modeling*,
        TMLR; Stam (1999), *Stable Fluids*, SIGGRAPH.
    """

    grid_type: ClassVar[type[Grid]] = ClosedBox

    viscosity: float = 0.01
    buoyancy: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.viscosity < math.inf:
            raise ValueError(f"viscosity must be finite and not negative, got {self.viscosity}")
        if not math.isfinite(self.buoyancy):
            raise ValueError(f"buoyancy must be finite, got {self.buoyancy}")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Smoke and velocity at cell centres, then the velocities that PDEArena stores."""
        return (
            *SMOKE_FIELDS,
            *(
                Field(
                    f"face_velocity_{axis}",
                    "1",
                    f"velocity along {axis} on the lower faces",
                    is_prognostic=False,
                    vector_part=axis,
                )
                for axis in ("x", "y")
            ),
        )

    def check_stable(self, grid: Grid, dt: float) -> None:
        """Refuse a step that is too long for the explicit diffusion.

        Raises:
            ValueError: Names the limit and the largest step that keeps it.
        """
        hy, hx = grid.spacing
        number = self.viscosity * dt * (hx**-2 + hy**-2)
        if number > _DIFFUSION_LIMIT:
            largest = dt * _DIFFUSION_LIMIT / number
            raise UnstableStepError(
                f"explicit diffusion with viscosity {self.viscosity:g} and time step {dt:g} is "
                f"unstable on {grid.num_points[0]} x {grid.num_points[1]} cells; the largest "
                f"stable step is {largest:g}",
                largest,
            )

    def discretise(
        self,
        grid: Grid,
        dt: float,
        *,
        variants: Sequence[SemiLagrangianSmoke] = (),
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> SemiLagrangianSmokeSolver:
        """PDEArena's solver.

        Raises:
            ValueError: If `grid` is not a `ClosedBox`, or `dt` is not positive or unstable.
        """
        check_time_step(dt)
        equations = tuple(variants) or (self,)
        solver = SemiLagrangianSmokeSolver(equations, grid, dt, dtype=dtype, device=device)
        for equation in equations:
            equation.check_stable(grid, dt)
        return solver


class SemiLagrangianSmokeSolver:
    r"""One step of `dt`: carry the smoke, carry the velocity, lift, diffuse, project.

    1. $s \leftarrow s(x - \Delta t\, u(x))$ at the cell centres, bilinear; beyond the walls the
       nearest centre's value.
    2. $u_i \leftarrow u_i(x - \Delta t\, u(x))$ on each component's own faces, bilinear in its own
       samples; beyond the walls zero, which is half a cell further out for the component along the
       wall than the wall itself.
    3. $u_y \leftarrow u_y + \Delta t\, b\, s$ with the new smoke, averaged to the faces.
    4. $u \leftarrow u + \nu \Delta t\, \nabla^2 u$, explicit, with the same zeros.
    5. The projection onto velocities without divergence; PDEArena's is by conjugate gradients to a
       tolerance of $10^{-5}$, this one exact.

    There is no Courant limit: a long step is stable and wrong.

    Args:
        equations: Parameters, one equation per trajectory of the batch or one for all.
        grid: Closed box, at least 4 cells a side.
        dt: Time step.
        dtype: float32 or float64.
        device: Where to compute.
    """

    courant_limit = math.inf

    def __init__(
        self,
        equations: Sequence[SemiLagrangianSmoke],
        grid: Grid,
        dt: float,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self._flow = ClosedBoxFlow(grid, dtype=dtype, device=device)
        self.grid, self.dt = grid, dt
        self.dtype, self.device = dtype, self._flow.device
        self._viscosity, self._buoyancy = (
            per_trajectory([float(getattr(e, name)) for e in equations], dtype, self.device)
            for name in ("viscosity", "buoyancy")
        )
        ny, nx = grid.num_points
        rows, columns = (torch.arange(n + 1, dtype=dtype, device=device) for n in (ny, nx))
        # Where the samples are: of the smoke, of the velocities extended by zeros all around.
        self._centres = (rows[:-1, None], columns[None, :-1])
        self._vertical_faces = (rows[1:, None], columns[None, 1:-1])
        self._horizontal_faces = (rows[1:-1, None], columns[None, 1:])

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
        smoke, u, v = state
        inner_u, inner_v = u[..., 1:-1], v[..., 1:-1, :]
        centred = average_to_centres(u, v)
        smoke = self._departed(smoke, self._centres, *centred)
        carried_u = self._departed(
            F.pad(u, (0, 0, 1, 1)),
            self._vertical_faces,
            inner_u,
            midpoints(centred[1], -1),
        )
        carried_v = self._departed(
            F.pad(v, (1, 1)), self._horizontal_faces, midpoints(centred[0], -2), inner_v
        )
        carried_v = carried_v + (self._buoyancy * self.dt) * midpoints(smoke, -2)
        return SmokeState(
            smoke, *self._flow.project(self._diffused(carried_u), self._diffused(carried_v))
        )

    def observe(self, state: SmokeState, grid: Grid) -> dict[str, Float[Tensor, "batch m n"]]:
        """Every field averaged over the cells of `grid`; on the solver's own grid as they are."""
        return {
            **self._flow.observe(state, grid),
            "face_velocity_x": restrict(state.velocity_x[..., :-1], self.grid, grid),
            "face_velocity_y": restrict(state.velocity_y[..., :-1, :], self.grid, grid),
        }

    def courant_number(self, state: SmokeState) -> Float[Tensor, " batch"]:
        """The most cells that the flow crosses along an axis in a step."""
        hy, hx = self.grid.spacing
        across = state.velocity_x.abs().amax(dim=(-2, -1)) / hx
        up = state.velocity_y.abs().amax(dim=(-2, -1)) / hy
        # A smoke that is not finite makes the number so too.
        return self.dt * torch.maximum(across, up) + 0 * state.smoke.sum(dim=(-2, -1))

    def _departed(
        self, u: Tensor, points: tuple[Tensor, Tensor], along_x: Tensor, along_y: Tensor
    ) -> Tensor:
        """Values where the flow at `points` came from."""
        hy, hx = self.grid.spacing
        rows = torch.sub(points[0], along_y, alpha=self.dt / hy)
        columns = torch.sub(points[1], along_x, alpha=self.dt / hx)
        return sample_bilinear(u, rows, columns)

    def _diffused(self, u: Tensor) -> Tensor:
        """One explicit step of diffusion; zeros beyond the samples."""
        hy, hx = self.grid.spacing
        wide = F.pad(u, (1, 1, 1, 1))
        along_x = wide[..., 1:-1, 2:] + wide[..., 1:-1, :-2]
        along_y = wide[..., 2:, 1:-1] + wide[..., :-2, 1:-1]
        laplacian = (along_x * hx**-2).add_(along_y, alpha=hy**-2)
        laplacian = laplacian.sub_(u, alpha=2 * (hx**-2 + hy**-2))
        return u + (self._viscosity * self.dt) * laplacian
