from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.operators import places
from pdesurrogate.transfer import average_cells, interpolate, prolong, restrict

DOUBLE = torch.float64


def noise(grid: Grid) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 1, *grid.num_points, generator=generator, dtype=DOUBLE)


def test_between_cells_it_is_of_second_order_and_keeps_averages() -> None:
    """Of averages, from averages; mirrored fields are smooth at the walls."""
    fine = ClosedBox((512, 512), (1.0, 1.0))
    y, x = places(fine, DOUBLE)
    exact = (torch.cos(math.pi * y) * torch.cos(2 * math.pi * x))[None, None]
    errors = []
    for n in (16, 32, 64):
        coarse, target = (ClosedBox((m, m), (1.0, 1.0)) for m in (n, 4 * n))
        given = average_cells(exact, coarse.num_points)
        shown = interpolate(given, coarse, target)
        torch.testing.assert_close(restrict(shown, target, coarse), given)
        errors.append(float((shown - average_cells(exact, target.num_points)).abs().max()))
    assert min(math.log2(a / b) for a, b in pairwise(errors)) > 1.9
    assert errors[-1] < 1e-3


@pytest.mark.parametrize("kind", ["periodic", "sphere"])
def test_truncated_series_are_prolonged_as_they_are(kind: str) -> None:
    make = PeriodicBox if kind == "periodic" else GaussianSphere
    coarse, fine = make((8, 16)), make((16, 32))
    u = noise(coarse)
    torch.testing.assert_close(interpolate(u, coarse, fine), prolong(u, coarse, fine))


@pytest.mark.parametrize("make", [PeriodicBox, ClosedBox, GaussianSphere])
def test_to_a_coarser_grid_it_is_restriction(make: type[Grid]) -> None:
    coarse, fine = make((8, 16)), make((16, 32))
    u = noise(fine)
    torch.testing.assert_close(interpolate(u, fine, coarse), restrict(u, fine, coarse))
    assert interpolate(u, fine, fine) is u
