"""Vorticity and tracer of a periodic flow, carried over one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.operators import velocity_from_vorticity, vorticity_from_velocity
from pdesurrogate.operators.damping import damp
from pdesurrogate.operators.flow_map import FlowMap
from pdesurrogate.solvers.carrier import Carrier

__all__ = ["VorticityCarrier"]


@dataclass(frozen=True)
class VorticityCarrier(Carrier):
    r"""Carries vorticity and tracer; what the vorticity tells of the velocity goes with it.

    $$ \omega(x, t + \Delta t) = e^{(\nu \nabla^2 - \alpha) \Delta t}\, \omega(X(x), t), \qquad
       c(x, t + \Delta t) = e^{\kappa \nabla^2 \Delta t} \left[ c(X(x), t)
           + \Gamma\, (X_y(x) - y) \right] $$

    The force is left out: it acts on the scales that every grid here resolves.

    Args:
        names: Of the fields: `vorticity` or both parts of the velocity must be among them.
        viscosity: $\nu$, one number per trajectory or one for all.
        drag: $\alpha$, likewise.
        diffusivity: $\kappa$ of the tracer, likewise.
        gradient: $\Gamma$ of the tracer, likewise.
    """

    names: tuple[str, ...]
    viscosity: tuple[float, ...]
    drag: tuple[float, ...]
    diffusivity: tuple[float, ...] = (0.0,)
    gradient: tuple[float, ...] = (0.0,)

    def velocity(
        self, u: Float[Tensor, "batch channel y x"], grid: Grid
    ) -> Float[Tensor, "batch part=2 y x"]:
        """The velocity itself where it is known, else that of the vorticity, without a mean."""
        if "velocity_x" in self.names and "velocity_y" in self.names:
            return u[:, [self.names.index("velocity_x"), self.names.index("velocity_y")]]
        assert isinstance(grid, PeriodicBox)
        return torch.stack(velocity_from_vorticity(self._vorticity(u, grid), grid), dim=1)

    def carry(
        self,
        u: Float[Tensor, "batch channel y x"],
        end: Float[Tensor, "batch channel y x"],
        flow: FlowMap,
        duration: float,
    ) -> Float[Tensor, "batch channel y x"]:
        """See the class."""
        grid = flow.grid
        assert isinstance(grid, PeriodicBox)
        scalars = [self._vorticity(u, grid)]
        if "tracer" in self.names:
            scalars.append(u[:, self.names.index("tracer")])
        carried = flow.carry(torch.stack(scalars, dim=1)).unbind(1)
        rate = _rate(_column(self.viscosity, u), _column(self.drag, u))
        vorticity = damp(carried[0], grid, rate, duration)
        channels = {"vorticity": vorticity}
        if {"velocity_x", "velocity_y"} & set(self.names):
            parts = velocity_from_vorticity(vorticity, grid)
            for name, part in zip(("velocity_x", "velocity_y"), parts, strict=True):
                channels[name] = part
                if name in self.names:  # of the mean wind the vorticity knows nothing
                    known = end[:, self.names.index(name)]
                    channels[name] = part + known.mean((-2, -1), keepdim=True)
        if "tracer" in self.names:
            lifted = carried[1] + _column(self.gradient, u) * flow.displacement[:, 0]
            diffusivity = _column(self.diffusivity, u)
            channels["tracer"] = damp(lifted, grid, _rate(diffusivity, 0.0), duration)
        return torch.stack([channels[name] for name in self.names], dim=1)

    def _vorticity(self, u: Tensor, grid: PeriodicBox) -> Tensor:
        if "vorticity" in self.names:
            return u[:, self.names.index("vorticity")]
        along_x, along_y = (u[:, self.names.index(f"velocity_{axis}")] for axis in "xy")
        return vorticity_from_velocity(along_x, along_y, grid)


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    """One number per trajectory, or one for all, against `(batch, y, x)`."""
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]


def _rate(diffusivity: Tensor, drag: Tensor | float) -> Callable[[Tensor], Tensor]:
    return lambda k2: diffusivity * k2 + drag
