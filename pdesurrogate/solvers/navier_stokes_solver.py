"""Pseudo-spectral solver of the periodic Navier–Stokes equations and of a tracer in the flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.operators.spectral import FourierBasis
from pdesurrogate.solvers.equation import check_batch
from pdesurrogate.solvers.forcing import Forcing
from pdesurrogate.solvers.source import spectral_source
from pdesurrogate.solvers.time_stepping import etdrk4
from pdesurrogate.transfer import resample

__all__ = ["FlowParameters", "FlowState", "PeriodicNavierStokesSolver"]


class FlowState(NamedTuple):
    """What the solver steps.

    Args:
        spectrum: Fourier coefficients of the vorticity and, behind it, of the tracer if there is
            one: complex, `(batch, scalar, ky, kx)`.
        time: Time since the beginning of every trajectory, float64, `(batch,)`. It stays on the
            host, where unsteady forces look up what they need without waiting for the device.
    """

    spectrum: Tensor
    time: Tensor


@runtime_checkable
class FlowParameters(Protocol):
    """What the solver asks of an equation; see `PeriodicNavierStokes`."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Fields in the order in which they are observed."""
        ...

    @property
    def viscosity(self) -> float:
        """Of the flow."""
        ...

    @property
    def drag(self) -> float:
        """Of the flow."""
        ...

    @property
    def forcing(self) -> Forcing | None:
        """Of the flow."""
        ...

    @property
    def tracer_diffusivity(self) -> float | None:
        """None for no tracer."""
        ...

    @property
    def tracer_gradient(self) -> float:
        """Uniform gradient along y."""
        ...


class PeriodicNavierStokesSolver:
    r"""Pseudo-spectral in space with the 2/3 rule, exponential Runge–Kutta in time.

    The state holds the Fourier coefficients with $|k_x| < N_x/3$ and $|k_y| < N_y/3$. Products are
    formed on the whole grid, free of aliasing. The advection of vorticity is evaluated in the form

    $$ -u \cdot \nabla \omega = -(\partial_{xx} - \partial_{yy})(u_x u_y)
       - \partial_{xy}(u_y^2 - u_x^2), $$

    which needs four transforms instead of five (Basdevant 1983, *J. Comput. Phys.* 50), that of the
    tracer as $-\nabla \cdot (u c)$, with three more.

    Args:
        equations: Parameters of the flow, one equation per trajectory of the batch or one for all.
        grid: Periodic box; at least 4 points a side.
        dt: Time step.
        dtype: float32 or float64.
        device: Where to compute.

    Raises:
        ValueError: If only some of the equations have a tracer or a force.
    """

    courant_limit = 1.35
    """Beyond it the explicit advection of a fourth-order Runge–Kutta scheme with the 2/3 rule is
    unstable: its stability interval 2.83 over the largest scaled wavenumber 2π/3."""

    def __init__(
        self,
        equations: Sequence[FlowParameters],
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
        k2 = ky**2 + kx**2
        inverse_k2 = torch.where(k2 > 0, 1 / k2.clamp(min=1e-300), 0.0)
        self._to_velocity = self._symbol(torch.stack([1j * ky * inverse_k2, -1j * kx * inverse_k2]))
        flux = [torch.stack([kx**2 - ky**2, ky * kx]), torch.stack([-1j * kx, -1j * ky])]
        self._flux = self._symbol(torch.stack(flux[: 1 + self._has_tracer]) / (ny * nx))
        self.linear = _as_coefficients_lie(self._decay_rates(k2)).to(self.device)
        self._gradient = self._tracer_gradient()
        self._source = spectral_source(
            [e.forcing for e in equations], grid, self.basis, self._complex, self.device
        )
        self._step = etdrk4(self, dt, self._complex)

    @property
    def _complex(self) -> torch.dtype:
        return torch.complex64 if self.dtype == torch.float32 else torch.complex128

    @property
    def _has_tracer(self) -> bool:
        return self.equations[0].tracer_diffusivity is not None

    def _symbol(self, values: Tensor) -> Tensor:
        return _as_coefficients_lie(values.to(self._complex)).to(self.device)

    def _decay_rates(self, k2: Tensor) -> Float[Tensor, "rows scalar ky kx"]:
        """The diagonal of the linear part, per equation and scalar."""
        if any((e.tracer_diffusivity is None) == self._has_tracer for e in self.equations):
            raise ValueError("the trajectories of a batch must all have a tracer, or none")
        rates = []
        for e in self.equations:
            rates.append([-e.viscosity * k2 - e.drag])
            if e.tracer_diffusivity is not None:
                rates[-1].append(-e.tracer_diffusivity * k2)
        return torch.stack([torch.stack(of_row) for of_row in rates])

    def _tracer_gradient(self) -> Tensor | None:
        gradients = [e.tracer_gradient for e in self.equations]
        if not any(gradients):
            return None
        return torch.tensor(gradients, dtype=self.dtype, device=self.device)[:, None, None]

    def nonlinear(
        self, state: Complex[Tensor, "batch scalar ky kx"], time: Float[Tensor, " batch"]
    ) -> Complex[Tensor, "batch scalar ky kx"]:
        """Advection and forcing, dealiased."""
        spectra = velocity_hat = self._to_velocity * state[:, :1]
        if self._has_tracer:
            spectra = torch.cat([velocity_hat, state[:, 1:]], dim=1)
        on_grid = self.basis.synthesise(spectra, self.grid.num_points)
        # What u_y carries of either velocity, and the velocity of the tracer.
        fluxes = on_grid[:, None, :2] * on_grid[:, 1:, None]
        u = on_grid[:, 0]
        fluxes[:, 0, 1].addcmul_(u, u, value=-1)
        along_x, along_y = self.basis.sums(fluxes).unbind(2)
        tendency = torch.addcmul(self._flux[:, 0] * along_x, self._flux[:, 1], along_y)
        if self._source is not None:
            tendency[:, 0].add_(self._source(time))
        if self._gradient is not None:
            tendency[:, 1].sub_(self._gradient * velocity_hat[:, 1])
        return tendency

    def step(self, state: FlowState) -> FlowState:
        """The state `dt` later."""
        return FlowState(self._step(*state), state.time + self.dt)

    def initialise(
        self, fields: Mapping[str, Float[Tensor, "batch y x"]], time: float = 0.0
    ) -> FlowState:
        """The state with the given `vorticity` (and `tracer`), from any grid on the same box.

        Raises:
            ValueError: If a field is missing, or the batch is not that of the solver's equations.
        """
        names = [field.name for field in self.equations[0].fields if field.is_prognostic]
        missing = [name for name in names if name not in fields]
        if missing:
            raise ValueError(f"the solver starts from `{missing[0]}`, got only {sorted(fields)}")
        batch = len(fields[names[0]])
        check_batch(self.equations, batch)
        spectra = [
            self.basis.analyse(
                resample(fields[name].to(self.device, self.dtype), self.grid.num_points)
            )
            for name in names
        ]
        return FlowState(
            _as_coefficients_lie(torch.stack(spectra, dim=1)),
            torch.full((batch,), time, dtype=torch.float64),
        )

    def observe(self, state: FlowState, grid: Grid) -> dict[str, Float[Tensor, "batch m n"]]:
        """Every field on `grid`, truncated to the modes that it resolves."""
        every = torch.cat([state.spectrum, self._to_velocity * state.spectrum[:, :1]], dim=1)
        observed = self.basis.synthesise(every, grid.num_points).unbind(1)
        names = [field.name for field in self.equations[0].fields]
        return dict(zip(names, observed, strict=True))

    def diagnose(self, state: FlowState) -> dict[str, Float[Tensor, " batch"]]:
        """Energy and enstrophy; the mean of a product over the grid is exact."""
        vorticity = state.spectrum[:, :1]
        both = torch.cat([vorticity, self._to_velocity * vorticity], dim=1)
        on_grid = self.basis.synthesise(both, self.grid.num_points).double()
        squares = 0.5 * on_grid.square().mean(dim=(-2, -1))
        return {"energy": squares[:, 1:].sum(dim=1), "enstrophy": squares[:, 0]}

    def courant_number(self, state: FlowState) -> Float[Tensor, " batch"]:
        r"""$\max (|u_x| / \Delta x + |u_y| / \Delta y)\, \Delta t$."""
        velocity = self.basis.synthesise(
            self._to_velocity * state.spectrum[:, :1], self.grid.num_points
        )
        u, v = velocity.abs().unbind(1)
        dy, dx = self.grid.spacing
        return (u / dx + v / dy).amax(dim=(-2, -1)) * self.dt


def _as_coefficients_lie(values: Tensor) -> Tensor:
    """The same values, in memory with ky running fastest as coefficients out of a transform."""
    return values.mT.contiguous().mT
