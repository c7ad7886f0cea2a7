"""Spectral solver of advection by a solid rotation on a sphere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.operators.spherical_harmonics import (
    linear_truncation,
    quadratic_truncation,
    spherical_harmonics,
)
from pdesurrogate.solvers.equation import check_batch
from pdesurrogate.solvers.time_stepping import etdrk4

__all__ = ["AdvectionParameters", "SphericalAdvectionSolver"]


@runtime_checkable
class AdvectionParameters(Protocol):
    """What the solver asks of an equation; see `SphericalAdvection`."""

    @property
    def speed(self) -> float:
        """In metres per second."""
        ...

    @property
    def tilt(self) -> float:
        """In degrees."""
        ...

    @property
    def radius(self) -> float:
        """In metres."""
        ...


class SphericalAdvectionSolver:
    """Spherical harmonics in space, the classical fourth-order Runge–Kutta scheme in time.

    The state holds the tracer's harmonics up to `quadratic_truncation(grid)`. A solid rotation
    mixes harmonics of one degree only, so that truncation commutes with it: in space the truncated
    initial state is advected without error.

    Args:
        equations: Parameters, one equation per trajectory of the batch or one for all.
        grid: Gaussian sphere.
        dt: Time step, in seconds.
        dtype: float32 or float64.
        device: Where to compute.
    """

    courant_limit = 1.35
    """The stability interval 2.83 over the largest scaled wavenumber 2π/3."""

    def __init__(
        self,
        equations: Sequence[AdvectionParameters],
        grid: GaussianSphere,
        dt: float,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self.equations = tuple(equations)
        self.grid, self.dt = grid, dt
        self.dtype, self.device = dtype, torch.device(device)
        self.truncation = quadratic_truncation(grid)
        self.harmonics = spherical_harmonics(grid, self.truncation, dtype, self.device)
        self._complex = torch.complex64 if dtype == torch.float32 else torch.complex128
        self._radius = self._each([e.radius for e in self.equations])
        self._speed = self._each([abs(e.speed) for e in self.equations])
        self._wind = self._wind_on(grid)
        rows = self.truncation + 1
        self.linear = torch.zeros(1, rows, rows, dtype=torch.float64, device=self.device)
        # With nothing to integrate exactly, this scheme is the classical one.
        self._step = etdrk4(self, dt, self._complex)

    def _each(self, values: Sequence[float]) -> Float[Tensor, "rows 1 1"]:
        return torch.tensor(values, device=self.device, dtype=self.dtype)[:, None, None]

    def _wind_on(self, grid: GaussianSphere) -> Float[Tensor, "rows 2 y x"]:
        """Towards east and north."""
        latitude = torch.tensor(grid.y).deg2rad()[:, None]
        longitude = torch.tensor(grid.x).deg2rad()[None, :]
        winds = []
        for equation in self.equations:
            tilted, upright = (f(math.radians(equation.tilt)) for f in (math.sin, math.cos))
            east = latitude.cos() * upright + latitude.sin() * longitude.cos() * tilted
            north = -longitude.sin() * tilted + 0 * latitude
            winds.append(equation.speed * torch.stack([east, north]))
        return torch.stack(winds).to(self.device, self.dtype)

    def nonlinear(
        self, state: Complex[Tensor, "batch degree order"], time: Float[Tensor, "*any"]
    ) -> Complex[Tensor, "batch degree order"]:
        """The convergence of the flux, free of aliasing; it is linear, but not diagonal."""
        flux = self._wind * self.harmonics.synthesise(state)[:, None]
        return -self.harmonics.divergence(flux[:, 0], flux[:, 1]) / self._radius

    def step(self, state: Complex[Tensor, "batch degree order"]) -> Complex[Tensor, "batch l m"]:
        """The state `dt` later."""
        return self._step(state, torch.zeros(1, dtype=torch.float64))

    def initialise(
        self, fields: Mapping[str, Float[Tensor, "batch y x"]], time: float = 0.0
    ) -> Complex[Tensor, "batch degree order"]:
        """The state with the given `height`, from any sphere's grid. Winds are not asked for.

        Raises:
            ValueError: If there is no `height`, or the batch is not that of the equations.
        """
        if "height" not in fields:
            raise ValueError(f"the solver starts from `height`, got only {sorted(fields)}")
        height = fields["height"].to(self.device, self.dtype)
        check_batch(self.equations, len(height))
        grid = GaussianSphere((height.shape[-2], height.shape[-1]))
        held = min(self.truncation, linear_truncation(grid))
        more = (0, self.truncation - held, 0, self.truncation - held)
        analysed = spherical_harmonics(grid, held, self.dtype, self.device).analyse(height)
        return torch.nn.functional.pad(analysed, more)

    def observe(
        self, state: Complex[Tensor, "batch degree order"], grid: Grid
    ) -> dict[str, Float[Tensor, "batch m n"]]:
        """The tracer truncated to what `grid` resolves, and the wind at its points.

        Raises:
            ValueError: If `grid` is not a `GaussianSphere`.
        """
        if not isinstance(grid, GaussianSphere):
            raise ValueError(f"a sphere is not observed on a {type(grid).__name__}")
        held = min(self.truncation, linear_truncation(grid))
        sht = spherical_harmonics(grid, held, self.dtype, self.device)
        wind = self._wind_on(grid).expand(len(state), -1, -1, -1)
        height = sht.synthesise(state[:, : held + 1, : held + 1])
        return {"height": height, "velocity_x": wind[:, 0], "velocity_y": wind[:, 1]}

    def courant_number(
        self, state: Complex[Tensor, "batch degree order"]
    ) -> Float[Tensor, " batch"]:
        r"""$|U| \Delta t / (\pi a / n_\varphi)$."""
        crossed = self._speed * self.dt * self.grid.num_points[0] / (math.pi * self._radius)
        # A state that is not finite makes the number so too.
        return crossed.flatten() + 0 * torch.view_as_real(state).sum(dim=(-3, -2, -1))

    def diagnose(
        self, state: Complex[Tensor, "batch degree order"]
    ) -> dict[str, Float[Tensor, " batch"]]:
        r"""$\overline{h}$ and $\overline{h^2}$ over the sphere, from the harmonics, float64."""
        energy = (state.real.double() ** 2 + state.imag.double() ** 2).sum(dim=-2)
        variance = 2 * energy.sum(dim=-1) - energy[:, 0]
        mean = state[:, 0, 0].real.double() / math.sqrt(4 * math.pi)
        return {"mass": mean, "variance": variance / (4 * math.pi)}
