"""Pseudo-spectral solver of shallow water on a rotating plane, in its linear waves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.operators.spectral import FourierBasis
from pdesurrogate.solvers.coriolis import Coriolis
from pdesurrogate.solvers.equation import check_batch
from pdesurrogate.solvers.time_stepping import etdrk4
from pdesurrogate.transfer import resample

__all__ = ["RotatingShallowWaterParameters", "RotatingShallowWaterSolver"]

_PROGNOSTIC = ("height", "velocity_x", "velocity_y")


@runtime_checkable
class RotatingShallowWaterParameters(Protocol):
    """What the solver asks of an equation; see `RotatingShallowWater`."""

    @property
    def gravity(self) -> float:
        """Acceleration."""
        ...

    @property
    def mean_depth(self) -> float:
        """Of which the waves are exact."""
        ...

    @property
    def coriolis(self) -> Coriolis:
        """As a function of y."""
        ...

    @property
    def hyperviscosity(self) -> float:
        """Coefficient."""
        ...

    @property
    def hyperviscosity_order(self) -> int:
        """Power of the Laplacian."""
        ...


class RotatingShallowWaterSolver:
    r"""Pseudo-spectral in space with the 2/3 rule, exponential Runge–Kutta in time.

    With $h = H + h'$, $c = \sqrt{g H}$ and $\eta = \sqrt{g / H}\, h'$ the equations linearised
    about rest have, for every wavenumber `k`, a skew-Hermitian matrix in the velocity along `k`,
    that across it, and $\eta$. Its eigenvalues are $0, \pm i \sqrt{f^2 + c^2 k^2}$; the state holds
    the coefficients of the orthonormal eigenvectors: the geostrophic flow and the two
    gravity-inertia waves. Both, and the hyperviscosity, are then exact under `etdrk4` and set no
    limit on the step. The flow is explicit, and what the waves feel of another depth than `H` and
    of a rotation that varies.

    The explicit part is formed as

    $$ F = P(h u), \qquad \partial_t u = -P\!\left(\frac{\zeta + f}{h}\, \hat z \times F\right)
       - \nabla P\left(\tfrac12 |u|^2 + g h\right), \qquad \partial_t h = -\nabla \cdot F $$

    with the truncation `P` to $|k_x| < N_x/3$, $|k_y| < N_y/3$. Mass is conserved to rounding. The
    energy is conserved by everything but the time step and the hyperviscosity, resolved or not:
    `F` is at right angles to the vortex force at every point, and its divergence to the gradient.
    That takes eleven transforms; with $(\zeta + f)\, \hat z \times u$, nine. The products
    $h u$ and $|u|^2$ are free of aliasing; the vortex force is a quotient and cannot be, but where
    the truncated part of $h u$ is small it is the product $(\zeta + f)\, u$.

    A flow that carries waves along makes `etdrk4` amplify those that turn by more than about 1.5
    radians in a step: by up to 2 % a step at a Courant number of 0.5, 9 % at 0.8, 16 % at 1 (Buvoli
    & Minion 2022 explain it). What turns so fast is of small scale, and a hyperviscosity that ends
    the cascade of enstrophy takes it up many times over. Without any, choose the step so that
    $\sqrt{f^2 + c^2 k^2}\, \Delta t < 1.5$ for the largest wavenumber; then growth stays below
    0.03 %. `RotatingShallowWater.advised_step` allows 2.5. The geostrophic part is stable in any
    case.

    Args:
        equations: Parameters, one equation per trajectory of the batch or one for all.
        grid: Periodic box; at least 4 points a side.
        dt: Time step, in seconds.
        dtype: float32 or float64.
        device: Where to compute.

    References:
        Salmon (2004), *J. Atmos. Sci.* 61 (the bracket behind the conservation of energy).
        Buvoli & Minion (2022), *J. Comput. Appl. Math.* 409 (exponential schemes and waves).
    """

    courant_limit = 1.35
    """Beyond it the flow is unstable: the stability interval 2.83 of a fourth-order Runge–Kutta
    scheme over the largest scaled wavenumber 2π/3. Below it waves may still grow that turn by more
    than 1.5 radians in a step; see the class."""

    def __init__(
        self,
        equations: Sequence[RotatingShallowWaterParameters],
        grid: PeriodicBox,
        dt: float,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self.equations = tuple(equations)
        self.grid: Grid = grid
        self.dt = dt
        self.dtype, self.device = dtype, torch.device(device)
        ny, nx = grid.num_points
        self.basis = FourierBasis(((ny - 1) // 3, (nx - 1) // 3))
        ky, kx = self.basis.angular_wavenumbers(grid.domain_extent)
        of_rows = [(e.gravity, e.mean_depth, e.coriolis.mean) for e in self.equations]
        gravity, depth, mean_f = torch.tensor(of_rows, dtype=torch.float64).T[..., None, None]
        self._gravity, self._depth, self._mean_f = (
            q.to(self.device, dtype) for q in (gravity, depth, mean_f)
        )
        varying_f = torch.stack([e.coriolis.on(grid) for e in self.equations]) - mean_f
        self._varying_f = varying_f.to(self.device, dtype)
        self.linear = _as_coefficients_lie(self._rates(ky, kx, gravity * depth, mean_f))
        self.linear = self.linear.to(self.device)
        self._set_symbols(ky, kx, gravity, depth, mean_f)
        self._step = etdrk4(self, dt, self._complex)

    @property
    def _complex(self) -> torch.dtype:
        return torch.complex64 if self.dtype == torch.float32 else torch.complex128

    def _rates(
        self, ky: Tensor, kx: Tensor, wave_speed2: Tensor, f: Tensor
    ) -> Complex[Tensor, "rows 3 ky kx"]:
        """The diagonal of the linear part."""
        k2 = ky**2 + kx**2
        decay = torch.stack([e.hyperviscosity * k2**e.hyperviscosity_order for e in self.equations])
        frequency = (f**2 + wave_speed2 * k2).sqrt()
        turning = torch.stack([0 * frequency, frequency, -frequency], dim=1)
        return torch.complex(-decay[:, None].expand_as(turning), turning)

    def _set_symbols(
        self, ky: Tensor, kx: Tensor, gravity: Tensor, depth: Tensor, f: Tensor
    ) -> None:
        """The matrices between the waves and everything else, per wavenumber."""
        modes = _eigenvectors(ky, kx, (gravity * depth).sqrt(), f)
        zero, one = torch.zeros_like(kx), torch.ones_like(kx)
        per_anomaly = (gravity / depth).sqrt() * one
        scale = torch.stack([one.expand_as(per_anomaly)] * 2 + [per_anomaly], dim=1)[:, :, None]
        to_fields = modes / scale
        to_waves = modes.conj().transpose(1, 2) * scale.transpose(1, 2)
        curl, divergence = _row(-1j * ky, 1j * kx, zero), _row(1j * kx, 1j * ky, zero)
        self._to_fields = self._symbol(to_fields)
        self._to_vorticity = self._symbol(_product(curl, to_fields))
        self._to_divergence = self._symbol(_product(divergence, to_fields))
        self._to_waves = self._symbol(to_waves)
        # Of (ζ + f) F / h, whose parts push against each other's axes, and of |u|².
        push = torch.stack([-to_waves[:, :, 1], to_waves[:, :, 0]], dim=2)
        gradient = _row(-0.5j * kx, -0.5j * ky, zero).transpose(1, 2)
        forces = torch.cat([push, _product(to_waves, gradient)], dim=2)
        inflow = _product(to_waves[:, :, 2:], -divergence[:, :, :2])
        num_points = self.grid.num_points[0] * self.grid.num_points[1]
        self._from_forces = self._symbol(forces / num_points)
        self._from_flux = self._symbol(inflow)
        self._to_advection = torch.cat([self._to_fields, self._to_vorticity], dim=1)

    def _symbol(self, values: Tensor) -> Tensor:
        return _as_coefficients_lie(values.to(self._complex)).to(self.device)

    def nonlinear(
        self, state: Complex[Tensor, "batch 3 ky kx"], time: Float[Tensor, "*any"]
    ) -> Complex[Tensor, "batch 3 ky kx"]:
        """All but the linear waves of a layer of depth `H` and of the mean rotation."""
        shape = self.grid.num_points
        on_grid = self.basis.synthesise(_apply(self._to_advection, state), shape)
        velocity, (anomaly, vorticity) = on_grid[:, :2], on_grid[:, 2:].unbind(1)
        excess = velocity * anomaly[:, None]
        excess_hat = self.basis.analyse(excess)
        held = self.basis.synthesise(excess_hat, shape)
        # (ζ + f) F / h less the mean of f times u, without subtracting one from the other.
        per_depth = 1 / (self._depth + anomaly)
        potential = ((vorticity + self._varying_f) * per_depth)[:, None]
        turned = potential * torch.addcmul(held, self._depth[:, None], velocity)
        turned = torch.addcmul(turned, (self._mean_f * per_depth)[:, None], held - excess)
        u, v = velocity.unbind(1)
        speed2 = torch.addcmul(u * u, v, v)
        forces_hat = self.basis.sums(torch.cat([turned, speed2[:, None]], dim=1))
        return _apply(self._from_forces, forces_hat) + _apply(self._from_flux, excess_hat)

    def step(self, state: Complex[Tensor, "batch 3 ky kx"]) -> Complex[Tensor, "batch 3 ky kx"]:
        """The state `dt` later."""
        return self._step(state, torch.zeros(1, dtype=torch.float64))

    def initialise(
        self, fields: Mapping[str, Float[Tensor, "batch y x"]], time: float = 0.0
    ) -> Complex[Tensor, "batch 3 ky kx"]:
        """The state with the given `height`, `velocity_x`, `velocity_y`, from any grid on the box.

        Raises:
            ValueError: If a field is missing, or the batch is not that of the solver's equations.
        """
        missing = [name for name in _PROGNOSTIC if name not in fields]
        if missing:
            raise ValueError(f"the solver starts from `{missing[0]}`, got only {sorted(fields)}")
        height, u, v = (fields[name].to(self.device) for name in _PROGNOSTIC)
        check_batch(self.equations, len(height))
        stacked = torch.stack([u, v, height - self._depth], dim=1).to(self.dtype)
        spectra = self.basis.analyse(resample(stacked, self.grid.num_points))
        return _as_coefficients_lie(_apply(self._to_waves, spectra))

    def observe(
        self, state: Complex[Tensor, "batch 3 ky kx"], grid: Grid
    ) -> dict[str, Float[Tensor, "batch m n"]]:
        """Every field on `grid`, truncated to the modes that it resolves."""
        every = torch.cat([self._to_advection, self._to_divergence], dim=1)
        on_grid = self.basis.synthesise(_apply(every, state), grid.num_points)
        u, v, anomaly, vorticity, divergence = on_grid.unbind(1)
        return {
            "height": self._depth + anomaly,
            "velocity_x": u,
            "velocity_y": v,
            "vorticity": vorticity,
            "divergence": divergence,
        }

    def diagnose(
        self, state: Complex[Tensor, "batch 3 ky kx"]
    ) -> dict[str, Float[Tensor, " batch"]]:
        """Mass, energy and potential enstrophy; see `RotatingShallowWater.diagnostics`.

        In double precision, on the solver's own grid, where mass and energy have no aliasing.
        """
        on_grid = self.basis.synthesise(_apply(self._to_advection, state), self.grid.num_points)
        u, v, anomaly, vorticity = on_grid.double().unbind(1)
        depth = self._depth + anomaly
        absolute = vorticity + (self._varying_f + self._mean_f)
        energy = 0.5 * (depth * (u**2 + v**2) + self._gravity * anomaly**2)
        return {
            "mass": depth.mean(dim=(-2, -1)),
            "energy": energy.mean(dim=(-2, -1)),
            "potential_enstrophy": 0.5 * (absolute**2 / depth).mean(dim=(-2, -1)),
        }

    def courant_number(self, state: Complex[Tensor, "batch 3 ky kx"]) -> Float[Tensor, " batch"]:
        r"""$\max\,(|u| / \Delta x + |v| / \Delta y + 2\, |\sqrt{g h} - \sqrt{g H}|\,
        (\Delta x^{-2} + \Delta y^{-2})^{1/2})\, \Delta t$; infinite where the ground is dry.

        The last speed is that of gravity waves beyond what is integrated exactly. It counts twice,
        because it couples the two waves, whose phases drift apart at twice the rate.
        """
        on_grid = self.basis.synthesise(_apply(self._to_fields, state), self.grid.num_points)
        u, v, anomaly = on_grid.unbind(1)
        dy, dx = self.grid.spacing
        depth = self._depth + anomaly
        waves = (self._gravity * depth.clamp(min=0)).sqrt()
        excess = (
            2 * (waves - (self._gravity * self._depth).sqrt()).abs() * math.hypot(1 / dx, 1 / dy)
        )
        rate = u.abs() / dx + v.abs() / dy + excess
        return torch.where(depth <= 0, math.inf, rate).amax(dim=(-2, -1)) * self.dt


def _eigenvectors(
    ky: Tensor, kx: Tensor, speed: Tensor, f: Tensor
) -> Complex[Tensor, "rows 3 3 ky kx"]:
    """Columns: geostrophic flow and both waves; rows: velocity along x and y, and η."""
    k = (ky**2 + kx**2).sqrt()
    # The mean has no direction of its own; without rotation, nor has it a frequency.
    along_x, along_y = torch.where(k > 0, kx / k, 1.0), torch.where(k > 0, ky / k, 0.0)
    frequency = (f**2 + (speed * k) ** 2).sqrt()
    at_rest = frequency == 0
    rotation = torch.where(at_rest, 1.0, f / frequency)
    gravity = torch.where(at_rest, 0.0, speed * k / frequency)
    root = math.sqrt(0.5) * torch.ones_like(frequency)
    columns = []
    for along, across, height in (
        (0 * root, 1j * gravity, rotation),
        (root, 1j * root * rotation, -root * gravity),
        (root, -1j * root * rotation, root * gravity),
    ):
        u, v = along_x * along - along_y * across, along_x * across + along_y * along
        columns.append(torch.stack([u, v, height + 0j], dim=1))
    return torch.stack(columns, dim=2)


def _row(*entries: Tensor) -> Tensor:
    """A matrix of one row per wavenumber, the same for every equation."""
    return torch.stack([entry + 0j for entry in entries])[None, None]


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Matrices multiplied at every wavenumber."""
    return torch.einsum("rij...,rjk...->rik...", *_same_rows(a, b))


def _same_rows(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    rows = max(len(a), len(b))
    return a.expand(rows, *a.shape[1:]), b.expand(rows, *b.shape[1:])


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """A matrix per wavenumber times a vector per wavenumber, column by column."""
    result = matrix[:, :, 0] * vector[:, None, 0]
    for column in range(1, matrix.shape[2]):
        result = torch.addcmul(result, matrix[:, :, column], vector[:, None, column])
    return result


def _as_coefficients_lie(values: Tensor) -> Tensor:
    """The same values, in memory with ky running fastest as coefficients out of a transform."""
    return values.mT.contiguous().mT
