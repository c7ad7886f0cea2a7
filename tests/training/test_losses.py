from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.metrics import mean_square, nrmse
from pdesurrogate.metrics.spectrum import power_spectrum, white_spectrum
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics
from pdesurrogate.training import (
    H1,
    BandWeighted,
    Conservation,
    Divergence,
    FrameLoss,
    LossSetting,
    MeanSquare,
    RelativeL2,
    WeightedSum,
    losses,
)
from pdesurrogate.training.losses.mean_square import area_scale

FIELDS = (
    Field("smoke", "1", "smoke"),
    Field("velocity_x", "1", "velocity along x", vector_part="x"),
    Field("velocity_y", "1", "velocity along y", vector_part="y"),
)
DEVIATION = torch.tensor([2.0, 3.0, 3.0], dtype=torch.float64)[:, None, None]
BOX = PeriodicBox((12, 16), (3.0, 5.0))
SPHERE = GaussianSphere((12, 24))
GRIDS = [BOX, PeriodicBox((9, 16)), ClosedBox((12, 9), (3.0, 2.0)), Channel((8, 16)), SPHERE]
EXPORTED = [
    kind
    for name in losses.__all__
    if isinstance(kind := getattr(losses, name), type)
    and issubclass(kind, FrameLoss)
    and kind is not FrameLoss
]
CHOSEN: list[FrameLoss] = [
    *(kind() for kind in EXPORTED),
    BandWeighted(power=-0.5),
    Conservation("mean_square"),
    Conservation("mean_square", ("velocity_y",)),
    WeightedSum((MeanSquare(), Divergence()), (1.0, 0.1)),
]
CASES = [
    pytest.param(loss, grid, id=f"{loss}-{type(grid).__name__}-{grid.num_points}")
    for loss in CHOSEN
    for grid in GRIDS
    if not (isinstance(loss, H1) and isinstance(grid, GaussianSphere))
]


def setting(
    grid: Grid, fields: tuple[Field, ...] = FIELDS, deviation: Tensor = DEVIATION
) -> LossSetting:
    return LossSetting(fields, grid, deviation)


def frames(grid: Grid, batch: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, batch, 2, len(FIELDS), *grid.num_points)
    prediction, truth = torch.randn(shape, generator=generator, dtype=torch.float64)
    return prediction, truth


def one_field(grid: Grid, values: Tensor) -> tuple[LossSetting, Tensor]:
    return setting(grid, FIELDS[:1], DEVIATION[:1]), values[None, None, None]


def waves(grid: Grid, ky: int, kx: int) -> Tensor:
    """A cosine of whole numbers of waves per side."""
    y, x = (
        torch.tensor(2 * math.pi * points / extent)
        for points, extent in zip((grid.y, grid.x), grid.domain_extent, strict=True)
    )
    return torch.cos(ky * y[:, None] + kx * x)


# What every loss promises


@pytest.mark.parametrize(("loss", "grid"), CASES)
def test_a_loss_is_zero_on_equality_and_positive_otherwise(loss: FrameLoss, grid: Grid) -> None:
    prediction, truth = frames(grid)
    compare = loss.on(setting(grid))
    assert compare(truth, truth).item() == 0
    assert compare(prediction, truth).item() > 0
    assert compare(prediction, truth).shape == ()


@pytest.mark.parametrize(("loss", "grid"), CASES)
def test_the_gradient_of_a_loss_is_finite_at_no_error(loss: FrameLoss, grid: Grid) -> None:
    prediction, truth = frames(grid)
    prediction[0] = truth[0]
    prediction.requires_grad_()
    compare = loss.on(setting(grid))
    compare(prediction, truth).backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    assert prediction.grad[1:].abs().max() > 0
    assert prediction.grad[0].abs().max() < 1e-12
    exact = truth.clone().requires_grad_()
    compare(exact, truth).backward()
    assert exact.grad is not None
    assert (exact.grad == 0).all()


@pytest.mark.parametrize(("loss", "grid"), CASES)
def test_a_loss_is_a_mean_over_the_batch(loss: FrameLoss, grid: Grid) -> None:
    prediction, truth = frames(grid)
    compare = loss.on(setting(grid))
    pieces = zip(prediction.split([1, 2]), truth.split([1, 2]), strict=True)
    one, two = (compare(p, y) for p, y in pieces)
    torch.testing.assert_close(compare(prediction, truth), (one + 2 * two) / 3)


@pytest.mark.parametrize(("loss", "grid"), CASES)
def test_the_gradient_of_a_loss_is_its_slope(loss: FrameLoss, grid: Grid) -> None:
    prediction, truth = frames(grid)
    direction = frames(grid, seed=1)[0]
    compare = loss.on(setting(grid))
    prediction.requires_grad_()
    compare(prediction, truth).backward()
    assert prediction.grad is not None
    with torch.no_grad():
        ahead, behind = (compare(prediction + h * direction, truth) for h in (1e-5, -1e-5))
    slope = (prediction.grad * direction).sum()
    torch.testing.assert_close((ahead - behind) / 2e-5, slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("loss", "grid"), CASES)
def test_a_loss_does_not_depend_on_the_unit(loss: FrameLoss, grid: Grid) -> None:
    prediction, truth = frames(grid)
    units = torch.tensor([1e3, 1e-2, 1e-2], dtype=torch.float64)[:, None, None]
    there = loss.on(setting(grid, deviation=DEVIATION * units))
    torch.testing.assert_close(
        there(prediction * units, truth * units), loss.on(setting(grid))(prediction, truth)
    )


@pytest.mark.parametrize(("loss", "grid"), CASES)
def test_a_loss_of_single_precision_is_that_of_double(loss: FrameLoss, grid: Grid) -> None:
    prediction, truth = frames(grid)
    single = loss.on(setting(grid, deviation=DEVIATION.float()))(prediction.float(), truth.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(
        single.double(), loss.on(setting(grid))(prediction, truth), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("loss", CHOSEN, ids=str)
def test_a_loss_on_a_periodic_box_is_blind_to_shifts(loss: FrameLoss) -> None:
    prediction, truth = frames(BOX)
    compare = loss.on(setting(BOX))
    moved = [u.roll((5, 3), dims=(-2, -1)) for u in (prediction, truth)]
    torch.testing.assert_close(compare(*moved), compare(prediction, truth))


@pytest.mark.parametrize("loss", CHOSEN, ids=str)
@pytest.mark.parametrize("times", [1e-3, 1e3])
def test_a_loss_on_a_box_does_not_depend_on_the_unit_of_length(
    loss: FrameLoss, times: float
) -> None:
    prediction, truth = frames(BOX)
    larger = PeriodicBox(BOX.num_points, (3.0 * times, 5.0 * times))
    torch.testing.assert_close(
        loss.on(setting(larger))(prediction, truth), loss.on(setting(BOX))(prediction, truth)
    )


# MeanSquare


def test_the_mean_square_is_in_units_of_each_fields_change() -> None:
    prediction = torch.zeros(1, 1, 2, 1, 2, dtype=torch.float64)
    truth = torch.tensor([[[[[2.0, 2.0]], [[6.0, 12.0]]]]], dtype=torch.float64)
    # (1 + 1 + 4 + 16) / 4
    there = setting(PeriodicBox((4, 4)), FIELDS[:2], DEVIATION[:2])
    assert MeanSquare().on(there)(prediction, truth).item() == pytest.approx(5.5)


def test_on_a_sphere_the_mean_square_is_a_mean_over_the_area() -> None:
    prediction, truth = frames(SPHERE)
    expected = mean_square((prediction - truth) / DEVIATION, SPHERE).mean()
    torch.testing.assert_close(MeanSquare().on(setting(SPHERE))(prediction, truth), expected)
    assert area_scale(DEVIATION, BOX) is DEVIATION


# RelativeL2 and H1


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_relative_error_is_the_nrmse(grid: Grid) -> None:
    prediction, truth = frames(grid)
    truth = 1e4 * truth  # beside which what is added for frames at rest is nothing
    prediction = truth + prediction
    expected = nrmse(prediction, truth, grid).mean()
    loss = RelativeL2().on(setting(grid))(prediction, truth)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("loss", [RelativeL2(), H1()], ids=str)
def test_a_frame_at_rest_counts_as_a_thousandth_of_the_change(loss: FrameLoss) -> None:
    there, truth = one_field(BOX, torch.zeros(12, 16, dtype=torch.float64))
    # An error of one typical change everywhere over a thousandth of it
    assert loss.on(there)(truth + 2.0, truth).item() == pytest.approx(1000)


@pytest.mark.parametrize(("ky", "kx"), [(0, 0), (0, 1), (3, 0), (1, 2)])
def test_the_sobolev_error_of_a_wave_is_told_by_its_slope(ky: int, kx: int) -> None:
    # The slope of a wave by central differences is sin(k h) / h; lengths are in units of 5 / 2 pi.
    hy, hx = 2 * math.pi / 12 * 3 / 5, 2 * math.pi / 16
    slope = (math.sin(ky * 2 * math.pi / 12) / hy) ** 2 + (math.sin(kx * hx) / hx) ** 2
    there, truth = one_field(BOX, 1e5 * waves(BOX, 0, 1))
    error = waves(BOX, ky, kx)
    of_truth = 1e10 * 0.5 * (1 + (math.sin(hx) / hx) ** 2)
    expected = math.sqrt(error.square().mean() * (1 + slope) / of_truth)
    assert H1().on(there)(truth + error, truth).item() == pytest.approx(expected, rel=1e-6)


def test_the_sobolev_error_knows_which_edges_are_walls() -> None:
    # A ramp has the slope 1 on the way from wall to wall, and none across a periodic edge.
    grid = ClosedBox((8, 16), (2 * math.pi, 4 * math.pi))
    there, ramp = one_field(grid, torch.tensor(grid.y)[:, None].expand(8, 16))
    truth = torch.full_like(ramp, 1e6)
    height = ramp.square().mean().item()
    expected = math.sqrt(height + 4.0) / 1e6  # lengths are in units of 2
    assert H1().on(there)(truth + ramp, truth).item() == pytest.approx(expected, rel=1e-6)


def test_the_sobolev_error_is_not_for_spheres() -> None:
    with pytest.raises(ValueError, match=r"H1 .* not for spheres: choose RelativeL2"):
        H1().on(setting(SPHERE))


# BandWeighted


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_by_parseval_power_zero_is_the_mean_square(grid: Grid) -> None:
    prediction, truth = frames(grid)
    torch.testing.assert_close(
        BandWeighted(power=0.0).on(setting(grid))(prediction, truth),
        MeanSquare().on(setting(grid))(prediction, truth),
    )


def test_two_waves_of_one_size_cost_as_their_wavenumbers_say() -> None:
    grid = PeriodicBox((16, 16))
    there, truth = one_field(grid, torch.zeros(16, 16, dtype=torch.float64))
    for power in (1.0, 2.0, -1.0):
        loss = BandWeighted(power).on(there)
        long, short = (loss(waves(grid, 0, k)[None, None, None], truth) for k in (1, 5))
        assert (short / long).item() == pytest.approx(3**power)


@pytest.mark.parametrize("grid", GRIDS[:-1], ids=str)
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_white_error_costs_what_it_costs_in_the_mean_square(grid: Grid, power: float) -> None:
    prediction, truth = frames(grid, batch=400)
    ratio = BandWeighted(power).on(setting(grid))(prediction, truth) / MeanSquare().on(
        setting(grid)
    )(prediction, truth)
    assert ratio.item() == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_white_spectrum_is_that_of_noise(grid: Grid) -> None:
    noise = torch.randn(4000, *grid.num_points, dtype=torch.float64)
    if isinstance(grid, GaussianSphere):
        truncation = linear_truncation(grid)
        harmonics = spherical_harmonics(grid, truncation, torch.float64)
        size = truncation + 1
        real = torch.randn(2, 4000, size, size, dtype=torch.float64).tril()
        real[1, ..., 0] = 0
        real[0, ..., 0] *= math.sqrt(2)
        noise = harmonics.synthesise(torch.complex(*real))
        noise = noise / mean_square(noise, grid).mean().sqrt()
    found = power_spectrum(noise, grid).mean(dim=0)
    expected = white_spectrum(grid)
    assert expected.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=1e-4)


def test_what_no_harmonic_holds_counts_as_the_highest_degree() -> None:
    there, truth = one_field(SPHERE, torch.zeros(*SPHERE.num_points, dtype=torch.float64))
    zonal = torch.cos(torch.arange(24, dtype=torch.float64) * math.pi)  # beyond every order
    error = zonal.expand(*SPHERE.num_points)[None, None, None]
    degrees = np.arange(linear_truncation(SPHERE) + 1.0)
    share = (2 * degrees + 1) / (2 * degrees + 1).sum()
    highest = (degrees[-1] + 1) / (share * (degrees + 1)).sum()
    loss = BandWeighted(1.0).on(there)(error, truth)
    assert loss.item() == pytest.approx(highest / 4)  # in units of the change 2


# Divergence


def stirred(grid: Grid) -> tuple[Tensor, Tensor]:
    """A smooth error of the velocity along x, and of that along y, of one wave per side."""
    shape = (1, 1, 3, *grid.num_points)
    along_x, along_y = torch.zeros(2, *shape, dtype=torch.float64)
    along_x[:, :, 1] = waves(grid, 1, 1)
    along_y[:, :, 2] = waves(grid, 1, 1)
    return along_x, along_y


def test_the_divergence_of_waves_along_and_across() -> None:
    grid = PeriodicBox((16, 16))
    loss = Divergence().on(setting(grid))
    along_x, along_y = stirred(grid)
    nothing = torch.zeros_like(along_x)
    # cos(x + y) in one part has the divergence -sin(x + y), of mean square 1/2; unit 3 / (pi / 8)
    unit = 3 / (math.pi / 8)
    assert loss(along_x, nothing).item() == pytest.approx(0.5 / unit**2)
    assert loss(along_x + along_y, nothing).item() == pytest.approx(4 * 0.5 / unit**2)
    assert loss(along_x - along_y, nothing).item() < 1e-25


def test_where_the_truth_is_incompressible_it_is_the_divergence_of_the_prediction() -> None:
    grid = PeriodicBox((16, 16))
    loss = Divergence().on(setting(grid))
    along_x, along_y = stirred(grid)
    prediction = frames(grid, batch=1)[0][:, :1]
    torch.testing.assert_close(
        loss(prediction, along_x - along_y), loss(prediction, torch.zeros_like(prediction))
    )


def test_between_walls_the_divergence_is_by_central_differences() -> None:
    # Of second order everywhere, so exact for quadratic fields: u = x^2, v = x y have 3 x.
    grid = ClosedBox((6, 8), (3.0, 6.0))
    y, x = torch.tensor(grid.y)[:, None], torch.tensor(grid.x)[None, :]
    error = torch.zeros(1, 1, 3, 6, 8, dtype=torch.float64)
    error[0, 0, 1], error[0, 0, 2] = x**2, x * y
    loss = Divergence().on(setting(grid))(error, torch.zeros_like(error))
    assert loss.item() == pytest.approx((3 * x * 0.75 / 3).square().mean().item())


def test_on_a_sphere_a_rotation_has_no_divergence_and_a_gradient_its_laplacian() -> None:
    harmonics = spherical_harmonics(SPHERE, linear_truncation(SPHERE), torch.float64)
    potential = torch.zeros(12, 12, dtype=torch.complex128)
    potential[3, 1] = 1.0
    north_east = harmonics.gradient(potential)
    error = torch.zeros(1, 1, 3, *SPHERE.num_points, dtype=torch.float64)
    nothing = torch.zeros_like(error)
    loss = Divergence().on(setting(SPHERE))
    error[0, 0, 1], error[0, 0, 2] = north_east
    divergence = -12 * harmonics.synthesise(potential)
    expected = mean_square(divergence * math.radians(15) / 3, SPHERE).item()
    assert loss(error, nothing).item() == pytest.approx(expected)
    error[0, 0, 1], error[0, 0, 2] = -north_east[1], north_east[0]
    assert loss(error, nothing).item() < 1e-20


@pytest.mark.parametrize("number", [(0,), (0, 1), (2,)])
def test_a_divergence_needs_a_velocity(number: tuple[int, ...]) -> None:
    fields = tuple(FIELDS[i] for i in number)
    with pytest.raises(ValueError, match="Divergence needs both parts of a velocity"):
        Divergence().on(setting(BOX, fields, DEVIATION[list(number)]))


# Conservation


def test_the_error_of_means_sees_the_mean_only() -> None:
    there, truth = one_field(BOX, waves(BOX, 1, 0))
    loss = Conservation("mean").on(there)
    assert loss(truth + waves(BOX, 2, 1), truth).item() < 1e-28
    assert loss(truth + 3.0, truth).item() == pytest.approx((3 / 2) ** 2)


def test_on_a_sphere_the_mean_is_over_the_area() -> None:
    north = torch.tensor(SPHERE.sine_of_latitude)[:, None].expand(*SPHERE.num_points)
    there, truth = one_field(SPHERE, torch.ones(*SPHERE.num_points, dtype=torch.float64))
    error = (north**2)[None, None, None]
    loss = Conservation("mean").on(there)(truth + error, truth)
    assert loss.item() == pytest.approx((1 / 3 / 2) ** 2)


def test_the_error_of_mean_squares_against_the_hand() -> None:
    there, truth = one_field(BOX, torch.full((12, 16), 4.0, dtype=torch.float64))
    # In units of the change 2: 3 squared instead of 2 squared, over the root of 4 + 1
    loss = Conservation("mean_square").on(there)(truth + 2.0, truth)
    assert loss.item() == pytest.approx((9 - 4) ** 2 / 5)


def test_a_vector_has_one_mean_square() -> None:
    _, truth = frames(BOX)
    turned = truth[:, :, [0, 2, 1]] * torch.tensor([1, -1, 1])[:, None, None]
    assert Conservation("mean_square").on(setting(BOX))(turned, truth).item() < 1e-28
    part = Conservation("mean_square", ("velocity_x",)).on(setting(BOX))
    assert part(turned, truth).item() > 0


def test_only_the_named_fields_are_to_be_conserved() -> None:
    prediction, truth = frames(BOX)
    loss = Conservation(fields=("velocity_y", "smoke")).on(setting(BOX))
    expected = [Conservation(fields=(name,)).on(setting(BOX)) for name in ("velocity_y", "smoke")]
    mean = (expected[0](prediction, truth) + expected[1](prediction, truth)) / 2
    torch.testing.assert_close(loss(prediction, truth), mean)


# WeightedSum


def test_a_weighted_sum_adds_up_its_terms() -> None:
    prediction, truth = frames(BOX)
    terms = (MeanSquare(), Divergence(), WeightedSum((RelativeL2(),), (2.0,)))
    values = [term.on(setting(BOX))(prediction, truth) for term in (*terms[:2], RelativeL2())]
    loss = WeightedSum(terms, (1.0, 0.5, 0.25)).on(setting(BOX))(prediction, truth)
    torch.testing.assert_close(loss, values[0] + 0.5 * values[1] + 0.5 * values[2])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Conservation(fields=()), "Conservation.fields must name at least one field"),
        (
            lambda: Conservation(fields=("smok",)).on(setting(BOX)),
            "Conservation.fields: unknown field 'smok' (did you mean 'smoke'?)",
        ),
        (lambda: BandWeighted(math.nan), "BandWeighted.power must be finite, got nan"),
        (lambda: WeightedSum((), ()), "WeightedSum.terms must name at least one loss, got []"),
        (
            lambda: WeightedSum((MeanSquare(), H1())),
            "WeightedSum.weights must be as many numbers as there are terms, 2, got [1.0]",
        ),
        (
            lambda: WeightedSum(weights=(0.0,)),
            "WeightedSum.weights must be positive, got [0.0]",
        ),
    ],
)
def test_nonsense_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make()


@pytest.mark.parametrize(("loss", "grid"), CASES)
def test_what_is_not_a_number_is_not_overlooked(loss: FrameLoss, grid: Grid) -> None:
    """Also if all other samples of the batch are fine."""
    truth = torch.randn(3, 2, len(FIELDS), *grid.num_points, dtype=torch.float64)
    prediction = truth + torch.randn_like(truth)
    prediction[1, 0] = torch.nan
    assert not bool(loss.on(setting(grid))(prediction, truth).isfinite())
