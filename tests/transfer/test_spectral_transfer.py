"""Restriction and prolongation are an orthogonal projection and its embedding."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.transfer import prolong, resample, restrict
from tests.unknown_grid import UnknownGrid

FINE = PeriodicBox((48, 64))
COARSE = FINE.at_resolution(12)


def noise(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 48, 64, dtype=torch.float64, generator=generator)


def project(u: torch.Tensor) -> torch.Tensor:
    return prolong(restrict(u, FINE, COARSE), COARSE, FINE)


def test_a_band_limited_field_is_seen_alike_on_every_grid():
    def field(box: PeriodicBox) -> torch.Tensor:
        y, x = torch.as_tensor(box.y)[:, None], torch.as_tensor(box.x)[None, :]
        return torch.sin(3 * x - 2 * y) + torch.cos(5 * y) + 0.3

    torch.testing.assert_close(restrict(field(FINE), FINE, COARSE), field(COARSE))
    torch.testing.assert_close(prolong(field(COARSE), COARSE, FINE), field(FINE))


def test_projection_is_idempotent_and_orthogonal():
    u = noise()
    resolved = project(u)
    torch.testing.assert_close(project(resolved), resolved, rtol=0, atol=1e-13)
    rest = u - resolved
    assert (resolved * rest).mean(dim=(-2, -1)).abs().max() < 1e-14
    squares = [float(q.square().mean()) for q in (resolved, rest, u)]
    assert squares[0] + squares[1] == pytest.approx(squares[2], rel=1e-13)


def test_restriction_is_the_adjoint_of_prolongation():
    u, v = noise(1), torch.randn(2, 12, 16, dtype=torch.float64)
    v = restrict(prolong(v, COARSE, FINE), FINE, COARSE)  # no Nyquist mode
    left = float((restrict(u, FINE, COARSE) * v).mean())
    right = float((u * prolong(v, COARSE, FINE)).mean())
    assert left == pytest.approx(right, rel=1e-12)


def test_restricting_in_steps_is_restricting_at_once():
    middle = FINE.at_resolution(24)
    stepwise = restrict(restrict(noise(), FINE, middle), middle, COARSE)
    torch.testing.assert_close(stepwise, restrict(noise(), FINE, COARSE), rtol=0, atol=1e-14)


def test_what_the_coarse_grid_cannot_hold_is_dropped_not_aliased():
    x = torch.arange(32, dtype=torch.float64) * (2 * math.pi / 32)
    for k in (8, 9, 15):  # at and above the Nyquist mode of 16 points
        assert resample(torch.cos(k * x).expand(32, 32), (16, 16)).abs().max() < 1e-14


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 20), st.integers(4, 20), st.integers(4, 20))
def test_going_up_and_down_loses_nothing_below_nyquist(n, up_y, up_x):
    generator = torch.Generator().manual_seed(n)
    u = resample(torch.randn(n, n, dtype=torch.float64, generator=generator), (3 * n, 3 * n))
    u = resample(u, (n, n))
    fine = (n + up_y, n + up_x)
    torch.testing.assert_close(resample(resample(u, fine), (n, n)), u, rtol=0, atol=1e-12)


def test_transfer_refuses_the_wrong_direction_and_other_domains():
    with pytest.raises(ValueError, match="cannot restrict from 12 to 48 points"):
        restrict(torch.zeros(12, 16), COARSE, FINE)
    with pytest.raises(ValueError, match="cannot prolong from 48 to 12 points"):
        prolong(torch.zeros(48, 64), FINE, COARSE)
    with pytest.raises(ValueError, match="do not cover the same domain"):
        restrict(torch.zeros(48, 64), FINE, PeriodicBox((12, 16), (1.0, 1.0)))
    with pytest.raises(TypeError, match="no transfer between grids is known for UnknownGrid"):
        restrict(torch.zeros(8, 8), UnknownGrid((8, 8)), UnknownGrid((4, 4)))
    with pytest.raises(ValueError, match="at least 2 points a side"):
        resample(torch.zeros(8, 8), (1, 8))
