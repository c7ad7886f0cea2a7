import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch import Tensor

from pdesurrogate.models import Clamped, Dirichlet, Neumann, Wall
from pdesurrogate.models.splines import SplineProduct, SplineSpace

WALLS = ("replicate", "replicate")
SIGN = {Neumann: 1, Dirichlet: -1, Clamped: 0}

every_wall = pytest.mark.parametrize("wall", [Neumann(), Dirichlet(), Clamped()])


def coefficients(ny: int = 8, nx: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, ny, nx, generator=generator, dtype=torch.float64)


def as_function(c: Tensor, wall: Wall | None) -> BSpline:
    """SciPy's spline along the last axis of the unit interval, continued by hand."""
    if wall is None:
        extended = torch.cat([c[..., -1:], c, c[..., :1]], dim=-1)
    else:
        sign = SIGN[type(wall)]
        extended = torch.cat([sign * c[..., :1], c, sign * c[..., -1:]], dim=-1)
    n = c.shape[-1]
    return BSpline(np.arange(-2, n + 3) / n, np.moveaxis(extended.numpy(), -1, 0), 2)


def centres(n: int) -> np.ndarray:
    return (np.arange(n) + 0.5) / n


def along_x(values: np.ndarray) -> np.ndarray:
    return np.moveaxis(values, 0, -1)


@pytest.mark.parametrize("wall", [Neumann(), Dirichlet(), Clamped(), None])
def test_values_and_slopes_are_those_of_the_spline(wall: Wall | None) -> None:
    edges = WALLS if wall is not None else ("circular", "circular")
    space = SplineSpace(wall or Neumann(), edges)
    c = space.confine(coefficients())
    # Constant along y, so that only x matters; clamped walls forbid it, hence the rows within.
    c = c[..., 4:5, :].expand_as(c)
    function = as_function(c, wall)
    rows = slice(1, -1) if wall is None or isinstance(wall, Neumann) else slice(2, -2)
    np.testing.assert_allclose(
        space.values(c)[..., rows, :], along_x(function(centres(12)))[..., rows, :], atol=1e-14
    )
    slope = along_x(function.derivative()(centres(12))) / 12
    np.testing.assert_allclose(space.slopes(c, -1)[..., rows, :], slope[..., rows, :], atol=1e-14)


@every_wall
def test_axes_are_treated_alike(wall: Wall) -> None:
    space = SplineSpace(wall, WALLS)
    c = space.confine(coefficients())
    torch.testing.assert_close(space.values(c).mT, space.values(c.mT.contiguous()))
    torch.testing.assert_close(space.slopes(c, -2).mT, space.slopes(c.mT.contiguous(), -1))
    torch.testing.assert_close(space.refined(c).mT, space.refined(c.mT.contiguous()))


@every_wall
def test_the_condition_holds_at_the_wall(wall: Wall) -> None:
    c = SplineSpace(wall, WALLS).confine(coefficients())
    function = as_function(c, wall)
    at_walls = np.array([0.0, 1.0])
    if not isinstance(wall, Neumann):
        assert np.abs(function(at_walls)).max() < 1e-14
    if not isinstance(wall, Dirichlet):
        assert np.abs(function.derivative()(at_walls)).max() < 1e-12
    assert np.abs(function(centres(12))).max() > 0.1


@pytest.mark.parametrize("wall", [Neumann(), Dirichlet(), Clamped(), None])
def test_refined_coefficients_are_of_the_same_function(wall: Wall | None) -> None:
    space = SplineSpace(wall or Neumann(), WALLS if wall else ("circular", "circular"))
    c = space.confine(coefficients())
    assert space.refined(c).shape[-2:] == (16, 24)
    flat = c[..., 4:5, :].expand_as(c)  # constant along y, so that only x matters
    refined = space.refined(flat)[..., 8, :]
    points = np.linspace(0, 1, 57)
    np.testing.assert_allclose(
        as_function(refined, wall)(points), as_function(flat[..., 4, :], wall)(points), atol=1e-14
    )


@every_wall
def test_spaces_are_nested(wall: Wall) -> None:
    space = SplineSpace(wall, WALLS)
    fine = space.refined(space.confine(coefficients()))
    assert torch.equal(space.confine(fine), fine)


@every_wall
def test_confining_is_a_projection(wall: Wall) -> None:
    space = SplineSpace(wall, WALLS)
    once = space.confine(coefficients())
    assert torch.equal(space.confine(once), once)
    assert torch.equal(once[..., 1:-1, 1:-1], coefficients()[..., 1:-1, 1:-1])


def test_periodic_axes_know_no_walls() -> None:
    space = SplineSpace(Clamped(), ("circular", "circular"))
    c = coefficients()
    assert torch.equal(space.confine(c), c)
    torch.testing.assert_close(
        space.values(c).roll((1, 2), (-2, -1)), space.values(c.roll((1, 2), (-2, -1)))
    )


def test_groups_keep_their_own_walls() -> None:
    clamped, free = SplineSpace(Clamped(), WALLS), SplineSpace(Neumann(), WALLS)
    both, c = SplineProduct(((1, clamped), (2, free))), coefficients()
    assert both.channels == 3
    assert torch.equal(both.confine(c), torch.cat([clamped.confine(c[:, :1]), c[:, 1:]], dim=1))
    refined = torch.cat([clamped.refined(c[:, :1]), free.refined(c[:, 1:])], dim=1)
    assert torch.equal(both.refined(c), refined)
