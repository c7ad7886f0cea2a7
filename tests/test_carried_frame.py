"""What transport makes of a frame: exact where the answer is known, and what a network adds."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.operators import places
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import (
    BuoyantSmoke,
    Carrier,
    Equation,
    FieldCarrier,
    PeriodicNavierStokes,
    SphericalShallowWater,
)
from pdesurrogate.surrogate import (
    CarriedFrame,
    Surrogate,
    SurrogateInfo,
    TransportOptions,
    shares_of,
)
from pdesurrogate.transfer import interpolate, restrict_fields
from tests.test_surrogate import INFO

VORTICITY = Field("vorticity", "s-1", "vorticity")
GRID = PeriodicBox((32, 32))
FLOW = PeriodicNavierStokes(viscosity=0.05, drag=0.1)


def carrier_of(equation: Equation, count: int | None = None) -> Carrier:
    carrier = equation.carrier(equation.fields[:count])
    assert carrier is not None
    return carrier


def info(carried: CarriedFrame | None, time_step: float = 0.7) -> SurrogateInfo:
    statistics = FieldStatistics(("vorticity",), (1.0,), (2.0,), (0.5,))
    return replace(
        INFO,
        fields=(VORTICITY,),
        statistics=statistics,
        history=1,
        time_step=time_step,
        grid=GRID.to_dict(),
        carried=carried,
    )


def network(weights: list[float]) -> nn.Module:
    module = nn.Conv2d(len(weights), 1, 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weights)[None, :, None, None])
    return module


def vortices(grid: Grid = GRID) -> Tensor:
    """Two Taylor-Green vortices of different strength: they stay where they are."""
    y, x = places(grid)
    return torch.stack([2 * x.sin() * y.sin(), x.sin() * y.sin()])[:, None]


@pytest.mark.parametrize("num_points", [32, 64, 16])
def test_a_network_that_says_nothing_predicts_exact_transport(num_points: int) -> None:
    surrogate = Surrogate(network([0.0, 0.0]), info(CarriedFrame(carrier_of(FLOW, 1), (1.0,))))
    given = vortices(PeriodicBox((num_points, num_points)))
    expected = given * math.exp(-0.7 * (0.05 * 2 + 0.1))
    found = surrogate.step(given[:, None])[:, -1]
    assert (found - expected).abs().max() < (5e-4 if num_points == 32 else 1e-2)


def test_what_the_network_is_shown_and_how_it_is_added() -> None:
    carried = CarriedFrame(carrier_of(FLOW, 1), (0.75,))
    given = vortices()
    moved = carried.transport(GRID, GRID, (VORTICITY,), 0.7).foreseen_change(given)
    assert moved.abs().max() > 0.1
    surrogate = Surrogate(network([3.0, 0.25]), info(carried))
    # Channels: (u - 1) / 2, then the carried change over 0.5.
    answer = 3.0 * (given - 1) / 2 + 0.25 * moved / 0.5
    torch.testing.assert_close(
        surrogate.step(given[:, None])[:, -1], given + 0.75 * moved + 0.5 * answer
    )


def test_the_target_is_what_a_step_would_have_to_answer() -> None:
    carried = CarriedFrame(carrier_of(FLOW, 1), (0.9,))
    surrogate = Surrogate(network([0.3, -0.2]), info(carried))
    window = torch.randn(2, 1, 1, 32, 32)
    moved = carried.transport(GRID, GRID, (VORTICITY,), 0.7).foreseen_change(window[:, 0])
    answer = surrogate.module(torch.cat([(window[:, 0] - 1) / 2, moved / 0.5], dim=1))
    target = surrogate.network_target(window, surrogate.step(window))
    torch.testing.assert_close(target, answer, atol=1e-4, rtol=1e-4)


def test_a_step_may_be_told_the_change_and_only_if_it_asks_for_it() -> None:
    surrogate = Surrogate(network([0.0, 2.0]), info(CarriedFrame(carrier_of(FLOW, 1), (1.0,))))
    window, moved = torch.randn(1, 1, 1, 8, 8), torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(surrogate.step(window, moved)[:, 0], window[:, 0] + 3 * moved)
    with pytest.raises(ValueError, match="is not shown transport"):
        Surrogate(network([1.0]), info(None)).step(window, moved)


def test_a_uniform_wind_shifts_what_it_carries() -> None:
    """By a whole number of points: the lookup is exact, whatever the field."""
    fields = (
        Field("dye", "1", "dye", transported_by=("wind_x", "wind_y")),
        Field("wind_x", "m s-1", "wind"),
        Field("wind_y", "m s-1", "wind"),
    )
    spacing = GRID.domain_extent[1] / 32
    carried = CarriedFrame(FieldCarrier(fields, (1, 2)), (1.0, 0.0, 0.0))
    dye = nn.functional.interpolate(torch.randn(1, 1, 4, 4), (32, 32), mode="bicubic")
    dye = torch.fft.irfft2(
        torch.fft.rfft2(dye)[..., :8] * (torch.arange(32) < 8)[:, None], (32, 32)
    )
    winds = torch.tensor([3 * spacing, -2 * spacing])[None, :, None, None].expand(1, 2, 32, 32)
    given = torch.cat([dye, winds], dim=1)
    shortest = 1e-3 * (-1.0) ** torch.arange(32)  # a wave that no grid carries on
    given[:, 1:] += shortest
    change = carried.transport(GRID, GRID, fields, 1.0).foreseen_change(given)
    expected = dye.roll((-2, 3), (-2, -1))
    torch.testing.assert_close(given[:, :1] + change[:, :1], expected, rtol=0, atol=1e-4)
    assert change[:, 1:].abs().max() < 1e-6


def test_the_velocity_goes_on_as_it_changes() -> None:
    """A shear carries the vorticity of a wave: with its change the step is better than without."""
    fine = PeriodicBox((64, 64))
    y, x = places(fine)
    given = ((3 * y).cos() + 0.5 * (x + y).cos() + 0.5 * (2 * x).sin())[None, None]
    equation = PeriodicNavierStokes(viscosity=1e-3)
    solver = equation.discretise(fine, 0.01)
    state = repeat(solver.step, 40)(solver.initialise({"vorticity": given[:, 0]}))
    truth = solver.observe(state, fine)["vorticity"][:, None]
    errors = []
    for num_passes in (0, 1):
        options = TransportOptions(num_passes=num_passes)
        carried = CarriedFrame(carrier_of(equation, 1), (1.0,), options)
        change = carried.transport(fine, fine, (VORTICITY,), 0.4).foreseen_change(given)
        found = given + change
        errors.append(float((found - truth).norm() / (given - truth).norm()))
    assert errors[1] < 0.12 * errors[0]
    assert errors[1] < 0.012


def test_shares_are_the_regression_and_rounding_counts_as_nothing() -> None:
    true = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2).repeat(2, 3, 1, 1)
    carried = true.clone()
    carried[:, 0] = 2 * true[:, 0]
    carried[:, 1] = 1e-5 * true[:, 1]
    carried[:, 2] = 0
    assert shares_of(carried, true, PeriodicBox((2, 2))) == pytest.approx((0.5, 0.0, 0.0))


def test_shares_on_a_sphere_count_areas() -> None:
    grid = GaussianSphere((8, 16))
    carried = torch.ones(1, 1, 8, 16)
    true = torch.zeros(1, 1, 8, 16)
    true[..., 2:6, :] = 1.0
    (share,) = shares_of(carried, true, grid)
    assert share == pytest.approx(grid.quadrature_weights[2:6].sum(), rel=1e-5)
    assert share > 0.6  # of half of the rows


@pytest.mark.parametrize("num_points", [(32, 32), (64, 64), (48, 48), (16, 16), (32, 16), (33, 40)])
def test_boxes_need_not_refine_the_training_grid(num_points: tuple[int, int]) -> None:
    trained = ClosedBox((32, 32), (32.0, 32.0))
    grid = replace(trained, num_points=num_points)
    equation = BuoyantSmoke()
    carried = CarriedFrame(carrier_of(equation), (1.0,) * 3)
    u = torch.rand(1, 3, *num_points)
    change = carried.transport(trained, grid, equation.fields[:3], 0.5).foreseen_change(u)
    assert change.isfinite().all()
    assert change[:, 0].abs().max() > 1e-3
    assert change[:, 1:].abs().max() < 1e-5


def test_it_computes_in_float32_whatever_is_around_it() -> None:
    equation = SphericalShallowWater()
    grid = GaussianSphere((16, 32))
    carried = CarriedFrame(carrier_of(equation, 3), (1.0,) * 3)
    transport = carried.transport(grid, grid, equation.fields[:3], 3600.0)
    u = torch.rand(1, 3, 16, 32) * torch.tensor([300.0, 20, 20])[:, None, None]
    u[:, 0] += 1e4
    start = interpolate(u, grid, transport.lookup_grid, transport.fields)
    moved = transport._moved(start, start, transport._foreseen_flow(u)) - start
    expected = restrict_fields(moved, transport.fields, transport.lookup_grid, grid)
    with torch.autocast("cpu", torch.bfloat16):
        found = transport.foreseen_change(u)
        of_band = transport.foreseen_change_of_band(u)
    assert torch.equal(found, expected)
    assert torch.equal(of_band, transport.restrict(expected))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    transport.foreseen_change(u)
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision(before)


def test_an_info_without_an_entry_has_none_and_contradictions_are_refused() -> None:
    carried = CarriedFrame(carrier_of(FLOW, 1), (1.0,))
    told = info(carried)
    plain = told.to_dict()
    assert SurrogateInfo.from_dict(json.loads(json.dumps(plain))) == told
    del plain["carried"]
    assert SurrogateInfo.from_dict(plain).carried is None
    assert (told.in_channels, info(None).in_channels) == (2, 1)
    with pytest.raises(ValueError, match="bundle is 2"):
        replace(told, bundle=2)
    with pytest.raises(ValueError, match="predicts_change is false"):
        replace(told, predicts_change=False)
    for shares, message in (
        ((1.0, 1.0), r"carried\.shares has 2 numbers for 1 fields"),
        ((float("nan"),), r"carried\.shares must hold finite numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            info(CarriedFrame(carried.carrier, shares))


def test_gradients_reach_the_given_frame_through_the_flow() -> None:
    surrogate = Surrogate(network([0.0, 0.0]), info(CarriedFrame(carrier_of(FLOW, 1), (1.0,))))
    given = (vortices()[:1, None] + 0.1 * torch.randn(1, 1, 1, 32, 32)).requires_grad_()
    surrogate.step(given)[0, 0, 0, 5, 5].backward()
    gradient = given.grad
    assert gradient is not None
    direction = torch.randn_like(given)
    h = 1e-2
    with torch.no_grad():
        ends = [surrogate.step(given + s * h * direction)[0, 0, 0, 5, 5] for s in (1, -1)]
    difference = float(ends[0] - ends[1]) / (2 * h)
    assert float((gradient * direction).sum()) == pytest.approx(difference, rel=2e-2)
