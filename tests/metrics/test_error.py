from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.initial_conditions import BalancedVortices
from pdesurrogate.metrics import error, mean_square
from pdesurrogate.metrics.error import (
    in_band_error,
    nrmse,
    out_of_band_error,
    r_mse,
    total_error,
    vrmse,
)
from pdesurrogate.transfer import prolong, prolong_fields, restrict, restrict_fields

FINE = PeriodicBox((16, 24), (1.0, 1.5))
COARSE = PeriodicBox((8, 12), (1.0, 1.5))
TINY = PeriodicBox((2, 2))


def random_fields(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, *FINE.num_points, generator=generator, dtype=torch.float64)


def wave(mode: int) -> Tensor:
    """`cos` along y with `mode` periods: mean square 1/2."""
    phase = 2 * math.pi * mode * torch.as_tensor(FINE.y) / FINE.domain_extent[0]
    return torch.cos(phase)[:, None].expand(FINE.num_points)


def call(name: str, prediction: Tensor, truth: Tensor) -> Tensor:
    grids = (FINE, COARSE) if "band" in name or name == "total_error" else (FINE,)
    return getattr(error, name)(prediction, truth, *grids)


@pytest.mark.parametrize("name", error.__all__)
def test_is_zero_on_equality_and_positive_otherwise(name: str) -> None:
    truth = random_fields(0)
    zero = call(name, truth, truth)
    assert zero.shape == (2, 3)
    assert (zero == 0).all()
    assert (call(name, random_fields(1), truth) > 0.1).all()


@pytest.mark.parametrize("name", error.__all__)
def test_a_vanishing_truth_is_predicted_exactly_or_not_at_all(name: str) -> None:
    nothing = torch.zeros(FINE.num_points)
    assert call(name, nothing, nothing) == 0
    assert call(name, random_fields(0)[0, 0].float(), nothing) == torch.inf


@pytest.mark.parametrize("name", error.__all__)
def test_does_not_depend_on_the_unit(name: str) -> None:
    prediction, truth = random_fields(1), random_fields(0)
    torch.testing.assert_close(
        call(name, 1e3 * prediction, 1e3 * truth), call(name, prediction, truth)
    )


def test_by_hand() -> None:
    truth = torch.tensor([[1.0, 3.0], [1.0, 3.0]])
    prediction = torch.tensor([[1.0, 3.0], [1.0, 5.0]])
    # squared error 4 in one of four cells, mean square (1 + 9) / 2, variance 1
    assert r_mse(prediction, truth, TINY).item() == pytest.approx(1 / 5)
    assert nrmse(prediction, truth, TINY).item() == pytest.approx(math.sqrt(1 / 5))
    assert vrmse(prediction, truth, TINY).item() == pytest.approx(1.0)


def test_predicting_the_mean_has_vrmse_one() -> None:
    truth = 5 + random_fields(0)
    mean = truth.mean(dim=(-2, -1), keepdim=True).expand_as(truth)
    torch.testing.assert_close(vrmse(mean, truth, FINE), torch.ones(2, 3, dtype=torch.float64))


def test_bands_by_hand() -> None:
    truth = 2 * wave(1)
    prediction = truth + 0.6 * wave(2) + 0.8 * wave(5)  # 8 points resolve modes below 4
    assert in_band_error(prediction, truth, FINE, COARSE).item() == pytest.approx(0.3)
    assert out_of_band_error(prediction, truth, FINE, COARSE).item() == pytest.approx(0.4)
    assert total_error(prediction, truth, FINE, COARSE).item() == pytest.approx(0.5)


def test_bands_add_up_to_the_whole() -> None:
    prediction, truth = random_fields(1), random_fields(0)
    inside = in_band_error(prediction, truth, FINE, COARSE)
    outside = out_of_band_error(prediction, truth, FINE, COARSE)
    torch.testing.assert_close(
        inside**2 + outside**2, total_error(prediction, truth, FINE, COARSE) ** 2
    )
    torch.testing.assert_close(inside**2 + outside**2, nrmse(prediction, truth, FINE) ** 2)


def test_the_training_grid_resolves_everything_on_itself() -> None:
    prediction, truth = random_fields(1), random_fields(0)
    torch.testing.assert_close(
        in_band_error(prediction, truth, FINE, FINE), nrmse(prediction, truth, FINE)
    )
    assert (out_of_band_error(prediction, truth, FINE, FINE) == 0).all()


def test_truncated_truth_has_only_the_floor() -> None:
    truth = 3 * wave(1) + 4 * wave(5)
    truncated = prolong(restrict(truth, FINE, COARSE), COARSE, FINE)
    assert in_band_error(truncated, truth, FINE, COARSE).item() == pytest.approx(0, abs=1e-12)
    assert out_of_band_error(truncated, truth, FINE, COARSE).item() == pytest.approx(0.8)


def test_on_a_sphere_areas_count() -> None:
    """Wrong by 1 in the northern hemisphere's upper half: half of the hemisphere's area."""
    globe = GaussianSphere((64, 128))
    truth = torch.ones(globe.num_points, dtype=torch.float64)
    north = torch.as_tensor(globe.y > 30.0, dtype=torch.float64)[:, None]
    error = nrmse(truth + north, truth, globe).item()
    assert error == pytest.approx(math.sqrt(0.25), abs=0.01)  # a third of the rows lie there


def test_on_a_sphere_bands_add_up_to_the_whole() -> None:
    fine, coarse = GaussianSphere((16, 32)), GaussianSphere((8, 16))
    prediction, truth = torch.randn(2, 3, *fine.num_points, dtype=torch.float64)
    torch.testing.assert_close(
        total_error(prediction, truth, fine, coarse), nrmse(prediction, truth, fine)
    )


GLOBE, RUNG = GaussianSphere((64, 128)), GaussianSphere((32, 64))
WIND = (
    Field("velocity_y", "1", "v", vector_part="y"),
    Field("height", "1", "h"),
    Field("velocity_x", "1", "u", vector_part="x"),
)


def weather(seed: int) -> Tensor:
    """A wind of degrees to both sides of the 31st, and its height."""
    start = BalancedVortices(max_degree=60, peak_degree=10.0)
    drawn = start.sample(np.random.default_rng(seed), GLOBE)
    return torch.stack([drawn["velocity_y"], drawn["surface"], drawn["velocity_x"]])


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_a_perfect_projected_wind_has_only_the_floor(dtype: torch.dtype, rounding: float) -> None:
    truth = weather(0).to(dtype)
    band = restrict_fields(truth, WIND, GLOBE, RUNG)
    projected = prolong_fields(band, WIND, RUNG, GLOBE)
    inside = in_band_error(projected, truth, GLOBE, RUNG, WIND)
    assert inside.shape == (3,)
    assert (inside < rounding).all()
    outside = out_of_band_error(projected, truth, GLOBE, RUNG, WIND)
    assert (outside[[0, 2]] > 0.05).all()
    torch.testing.assert_close(outside, nrmse(projected, truth, GLOBE), rtol=10 * rounding, atol=0)
    # Taken for scalars the parts of the same wind have an error near the poles.
    assert (in_band_error(projected, truth, GLOBE, RUNG)[[0, 2]] > 0.01).all()


def test_a_winds_bands_add_up_over_both_parts_together() -> None:
    truth, prediction = weather(0), weather(1)
    total = total_error(prediction, truth, GLOBE, RUNG, WIND)
    size, whole = mean_square(truth, GLOBE), mean_square(prediction - truth, GLOBE)
    parts = [0, 2]
    torch.testing.assert_close((size * total**2)[parts].sum(), whole[parts].sum())
    torch.testing.assert_close((size * total**2)[1], whole[1])
    assert not torch.allclose((size * total**2)[parts], whole[parts], rtol=1e-4)


def test_on_a_plane_the_parts_of_a_vector_are_scalars() -> None:
    prediction, truth = random_fields(1), random_fields(0)
    for metric in (in_band_error, out_of_band_error, total_error):
        told = metric(prediction, truth, FINE, COARSE, WIND)
        assert torch.equal(told, metric(prediction, truth, FINE, COARSE))
