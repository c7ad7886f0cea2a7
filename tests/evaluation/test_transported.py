"""Detail that is carried must end where the flow takes it."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from pdesurrogate.evaluation.protocols import Setting, Transported
from pdesurrogate.evaluation.protocols.shrinking import shrinking_detail
from pdesurrogate.fields import Field
from pdesurrogate.grids import ClosedBox, Grid, PeriodicBox
from pdesurrogate.metrics import in_band_error, out_of_band_error
from pdesurrogate.operators import places
from pdesurrogate.solvers import PeriodicNavierStokes
from pdesurrogate.solvers.carrier import field_carrier
from pdesurrogate.surrogate import TransportOptions
from pdesurrogate.transfer import interpolate, prolong_fields, restrict_fields

DOUBLE = torch.float64
TRACER = PeriodicNavierStokes(viscosity=0.0, tracer_diffusivity=0.0)
NAMES = TRACER.fields[:2]
COARSE = PeriodicBox((16, 16))


def stirred(grid: Grid, time: float) -> Tensor:
    """A tracer in the steady shear flow `u = (sin 2y, 0)`: known for all times.

    It is drawn out to filaments that the coarse grid does not see.
    """
    y, x = places(grid, DOUBLE)
    vorticity = -2 * torch.cos(2 * y)
    tracer = torch.sin(3 * (x - torch.sin(2 * y) * time)) + torch.cos(y)
    return torch.stack([vorticity, tracer])[None]


def setting_on(grid: Grid, dt: float) -> Setting:
    return Setting(COARSE, grid, NAMES, dt, carrier=TRACER.carrier(NAMES))


def carried_error(num_points: int, dt: float, options: TransportOptions) -> float:
    """Out-of-band error of the tracer after one step with a perfect resolved band."""
    grid = PeriodicBox((num_points, num_points))
    setting = setting_on(grid, dt)
    truth = stirred(grid, 1.0 + dt)

    def step(window: Tensor) -> Tensor:
        return restrict_fields(truth, NAMES, grid, COARSE)[:, None]

    protocol = Transported(options=options)
    predicted = protocol.carry(step, setting)(stirred(grid, 1.0)[:, None])[:, -1]
    assert in_band_error(predicted, truth, grid, COARSE).max() < 1e-12
    return float(out_of_band_error(predicted, truth, grid, COARSE)[0, 1])


def test_a_stirred_tracer_converges_with_the_interpolation_order() -> None:
    fine = TransportOptions(map_ratio=8, num_substeps=32, lookup_ratio=1)
    errors = [carried_error(n, 0.1, fine) for n in (64, 128, 256)]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert errors[-1] < 1e-5
    assert min(orders) > 3.5, (errors, orders)


def test_a_finer_look_up_grid_helps() -> None:
    coarse = TransportOptions(num_substeps=1, lookup_ratio=1)
    rough = carried_error(64, 0.4, coarse)
    assert carried_error(64, 0.4, replace(coarse, lookup_ratio=16)) < 0.05 * rough


def test_detail_is_shown_shrunk_and_carried_whole() -> None:
    grid = PeriodicBox((64, 64))
    setting = setting_on(grid, 0.1)
    frames = [stirred(grid, 1.0 + 0.1 * k) for k in range(3)]

    def rollout(trust: tuple[float, ...]) -> list[Tensor]:
        calls = iter(frames[1:])

        def step(window: Tensor) -> Tensor:
            return restrict_fields(next(calls), NAMES, grid, COARSE)[:, None]

        carried = Transported().carry(step, replace(setting, trust=trust))
        window, shown = frames[0][:, None], []
        for _ in frames[1:]:
            window = carried(window)
            shown.append(window[:, -1])
        return shown

    def parts(frame: Tensor) -> tuple[Tensor, Tensor]:
        band = restrict_fields(frame, NAMES, grid, COARSE)
        band = prolong_fields(band, NAMES, COARSE, grid)
        return band, frame - band

    for whole, shrunk, share in zip(rollout(()), rollout((0.5, 0.25)), (0.5, 0.25), strict=True):
        torch.testing.assert_close(parts(shrunk)[0], parts(whole)[0])
        torch.testing.assert_close(parts(shrunk)[1], share * parts(whole)[1])
    assert torch.equal(rollout((0.5,))[1], rollout((0.5, 0.5))[1])


def test_smoke_in_a_box_goes_with_its_wind() -> None:
    """Away from the walls a uniform wind shifts it; what moves is what coarse cells average out."""
    wind = ("velocity_x", "velocity_y")
    fields = (
        Field("smoke", "1", "smoke", transported_by=wind),
        Field("velocity_x", "1", "u", vector_part="x"),
        Field("velocity_y", "1", "v", vector_part="y"),
    )
    coarse, fine = ClosedBox((8, 8), (1.0, 1.0)), ClosedBox((32, 32), (1.0, 1.0))

    def state(shift: float) -> Tensor:
        y, x = places(fine, DOUBLE)
        blob = torch.exp(-60 * ((x - 0.4 - shift) ** 2 + (y - 0.5) ** 2))
        return torch.stack([blob, torch.ones_like(x), torch.zeros_like(x)])[None]

    setting = Setting(coarse, fine, fields, 0.2, carrier=field_carrier(fields))
    truth = state(0.2)

    def step(window: Tensor) -> Tensor:
        return restrict_fields(truth, fields, fine, coarse)[:, None]

    predicted = Transported().carry(step, setting)(state(0.0)[:, None])[:, -1]
    floor = prolong_fields(restrict_fields(truth, fields, fine, coarse), fields, coarse, fine)
    error = out_of_band_error(predicted, truth, fine, coarse)[0, 0]
    assert error < 0.05 * out_of_band_error(floor, truth, fine, coarse)[0, 0]
    assert in_band_error(predicted, truth, fine, coarse).max() < 1e-12


def test_transport_of_nothing_is_refused() -> None:
    setting = setting_on(PeriodicBox((32, 32)), 0.1)
    with pytest.raises(ValueError, match="nothing is known of what carries vorticity, tracer"):
        Transported().carry(lambda window: window, replace(setting, carrier=None))


@pytest.mark.parametrize("option", ["map_ratio", "num_substeps", "num_passes", "lookup_ratio"])
def test_options_have_least_values(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} must be at least"):
        TransportOptions(**{option: -1})


def test_how_the_band_goes_on_inside_a_cell_is_trusted_longer() -> None:
    """As long as the band itself: detail is an octave finer, and loses four powers as much."""
    coarse, fine = ClosedBox((8, 8), (1.0, 1.0)), ClosedBox((16, 16), (1.0, 1.0))
    field = Field("smoke", "1", "smoke")
    generator = torch.Generator().manual_seed(0)
    frame = torch.randn(1, 1, 1, 16, 16, generator=generator, dtype=DOUBLE)
    band = restrict_fields(frame[0], (field,), fine, coarse)
    steps = prolong_fields(band, (field,), coarse, fine)
    smooth = interpolate(band, coarse, fine)
    for share in (0.0, 0.5**4, 1.0):
        setting = Setting(coarse, fine, (field,), 0.1)
        shown = shrinking_detail(lambda window: window, setting, (share,))(frame)[0]
        expected = steps + share**0.25 * (smooth - steps) + share * (frame[0] - smooth)
        torch.testing.assert_close(shown, expected)
        torch.testing.assert_close(restrict_fields(shown, (field,), fine, coarse), band)
