"""Carrying detail, against flows whose paths and decay are known."""

from __future__ import annotations

import math

import torch

from pdesurrogate.fields import Field
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.operators import places
from pdesurrogate.solvers import PeriodicNavierStokes
from pdesurrogate.solvers.carrier import field_carrier
from pdesurrogate.surrogate import DetailTransport, TransportOptions

DOUBLE = torch.float64


def test_detail_decays_for_as_long_as_the_step_is() -> None:
    """A wave that the coarse grid does not hold, in a fluid at rest."""
    equation = PeriodicNavierStokes(viscosity=0.0, tracer_diffusivity=0.02)
    coarse, fine = PeriodicBox((8, 8)), PeriodicBox((32, 32))
    x = places(fine, DOUBLE)[1]
    wave = torch.cos(9 * x)
    u = torch.stack([torch.zeros_like(wave), wave])[None]
    fields = equation.fields[:2]
    transport = DetailTransport(coarse, fine, fields, 0.5, equation.carrier(fields))
    nothing = torch.zeros(1, 2, 8, 8, dtype=DOUBLE)
    carried = transport.carried(u, nothing, nothing)
    torch.testing.assert_close(carried[0, 1], wave * math.exp(-0.5 * 0.02 * 81))


def paths(num_passes: int) -> tuple[torch.Tensor, torch.Tensor]:
    r"""The displacement along y in $u = 1, v = \sin(2 (x - t))$, and the exact one.

    Every particle keeps its own `v` while it goes along, and so does the flow carry `v`. To take it
    as linear in time between both ends of the step mixes two phases.
    """
    wind = ("velocity_x", "velocity_y")
    fields = (
        Field("velocity_x", "1", "u", vector_part="x", transported_by=wind),
        Field("velocity_y", "1", "v", vector_part="y", transported_by=wind),
    )
    grid, step = PeriodicBox((48, 48)), 0.6
    x = places(grid, DOUBLE)[1]

    def state(time: float) -> torch.Tensor:
        return torch.stack([torch.ones_like(x), torch.sin(2 * (x - time))])[None]

    options = TransportOptions(num_substeps=16, num_passes=num_passes)
    transport = DetailTransport(grid, grid, fields, step, field_carrier(fields), options)
    found = transport.flow_map(state(0.0), state(step)).displacement
    torch.testing.assert_close(found[0, 1], torch.full_like(x, -step))
    return found[0, 0], -step * torch.sin(2 * (x - step))


def test_the_velocity_halfway_is_where_the_flow_carries_it() -> None:
    errors = [float((found - exact).abs().max()) for found, exact in map(paths, (0, 1))]
    assert errors[0] > 0.02  # or there would be nothing to mend
    assert errors[1] < 0.1 * errors[0], errors
