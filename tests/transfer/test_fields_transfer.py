"""Several fields at once: scalars as scalars, winds as vectors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pdesurrogate.fields import Field, vectors
from pdesurrogate.grids import ClosedBox, GaussianSphere, PeriodicBox
from pdesurrogate.metrics import mean_square
from pdesurrogate.operators.spherical_harmonics import spherical_harmonics
from pdesurrogate.transfer import (
    prolong,
    prolong_fields,
    resample_wind,
    restrict,
    restrict_fields,
)

FINE, COARSE = GaussianSphere((32, 64)), GaussianSphere((16, 32))
FIELDS = (
    Field("velocity_x", "1", "u", vector_part="x"),
    Field("height", "1", "h"),
    Field("velocity_y", "1", "v", vector_part="y"),
)


def wind(truncation: int, grid: GaussianSphere = FINE) -> Tensor:
    """A random wind, across the poles too, of every degree up to the truncation."""
    generator = torch.Generator().manual_seed(0)
    shape = (2, truncation + 1, truncation + 1)
    coefficients = torch.randn(shape, generator=generator, dtype=torch.complex128).tril()
    coefficients[..., 0] = coefficients[..., 0].real.to(torch.complex128)
    coefficients[:, 0] = 0
    harmonics = spherical_harmonics(grid, truncation, torch.float64)
    return torch.stack(harmonics.velocity(*coefficients))


def mean_square_of(vector: Tensor, grid: GaussianSphere) -> Tensor:
    return mean_square(vector, grid).sum()


def test_a_wind_that_the_coarse_grid_resolves_comes_back_unharmed() -> None:
    resolved = wind(15)
    there = resample_wind(resolved, FINE, COARSE)
    torch.testing.assert_close(there, wind(15, COARSE), atol=1e-10, rtol=0)
    torch.testing.assert_close(resample_wind(there, COARSE, FINE), resolved, atol=1e-10, rtol=0)
    # Part by part it would not: the parts jump at the poles.
    apart = prolong(restrict(resolved, FINE, COARSE), COARSE, FINE)
    assert (apart - resolved).abs().max() > 0.01 * resolved.abs().max()


def test_what_is_left_out_of_a_wind_is_orthogonal_to_it() -> None:
    whole = wind(31)
    kept = resample_wind(resample_wind(whole, FINE, COARSE), COARSE, FINE)
    rest = mean_square_of(whole - kept, FINE)
    assert rest > 0.1
    torch.testing.assert_close(
        mean_square_of(kept, FINE) + rest, mean_square_of(whole, FINE), rtol=1e-10, atol=0
    )


@pytest.mark.parametrize(
    ("move", "scalar"), [(restrict_fields, restrict), (prolong_fields, prolong)]
)
def test_winds_go_together_and_everything_else_by_itself(move, scalar) -> None:
    source, target = (FINE, COARSE) if scalar is restrict else (COARSE, FINE)
    u = torch.randn(2, 3, 4, *source.num_points, dtype=torch.float64)
    moved = move(u, FIELDS, source, target)
    torch.testing.assert_close(moved[:, :, 1], scalar(u[:, :, 1], source, target))
    torch.testing.assert_close(moved[:, :, 3], scalar(u[:, :, 3], source, target))
    expected = resample_wind(u[:, :, [0, 2]], source, target)
    torch.testing.assert_close(moved[:, :, [0, 2]], expected)
    torch.testing.assert_close(
        move(u, FIELDS[::-1], source, target)[:, :, [2, 0]],
        resample_wind(u[:, :, [2, 0]], source, target),
    )


def test_half_a_wind_is_a_scalar() -> None:
    u = torch.randn(1, *FINE.num_points, dtype=torch.float64)
    torch.testing.assert_close(
        restrict_fields(u, FIELDS[:1], FINE, COARSE), restrict(u, FINE, COARSE)
    )


@pytest.mark.parametrize("kind", [PeriodicBox, ClosedBox])
def test_on_a_box_all_fields_are_scalars(kind) -> None:
    fine, coarse = kind((8, 8)), kind((4, 4))
    u = torch.randn(3, 8, 8)
    torch.testing.assert_close(restrict_fields(u, FIELDS, fine, coarse), restrict(u, fine, coarse))


def test_the_parts_of_a_vector_are_told_by_their_names() -> None:
    assert vectors(FIELDS) == [[0, 2]]
    two = (*FIELDS, Field("current_x", "1", "c", vector_part="x"))
    assert vectors(two) == [[0, 2], [3]]
