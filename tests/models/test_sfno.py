from importlib.util import find_spec

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.models import SFNO

SMALL = SFNO(degrees=8, width=8, layers=2)
needs_harmonics = pytest.mark.skipif(
    find_spec("torch_harmonics") is None, reason="needs the extra sphere-models"
)


def build(spec: SFNO = SMALL, num_points: tuple[int, int] = (16, 32)) -> nn.Module:
    torch.manual_seed(0)
    return spec.build(3, 2, GaussianSphere(num_points))


def low_degrees(num_points: tuple[int, int]) -> Tensor:
    """Three polynomials of the position, of degree up to three."""
    grid = GaussianSphere(num_points)
    z = torch.tensor(grid.sine_of_latitude, dtype=torch.float32)[:, None]
    longitude = torch.tensor(grid.x, dtype=torch.float32).deg2rad()
    x, y = (1 - z**2).sqrt() * longitude.cos(), (1 - z**2).sqrt() * longitude.sin()
    return torch.stack([x * y + z, z**2 * x, y * z])[None]


def mean(v: Tensor, num_points: tuple[int, int]) -> Tensor:
    weights = torch.tensor(GaussianSphere(num_points).quadrature_weights, dtype=torch.float32)
    return (v * weights).sum((-2, -1))


@needs_harmonics
def test_every_sphere_goes_with_the_same_weights() -> None:
    network = build()
    coarse = network(low_degrees((16, 32)))
    for num_points in [(32, 64), (48, 64)]:
        fine = network(low_degrees(num_points))
        torch.testing.assert_close(
            mean(fine, num_points), mean(coarse, (16, 32)), atol=1e-4, rtol=0
        )
        moment, expected = mean(fine**2, num_points), mean(coarse**2, (16, 32))
        torch.testing.assert_close(moment, expected, atol=1e-4, rtol=1e-3)


@needs_harmonics
def test_commutes_with_rotations_about_the_axis_and_with_the_mirror_of_the_equator() -> None:
    network, v = build(), torch.randn(1, 3, 16, 32)
    out = network(v)
    torch.testing.assert_close(network(v.roll(5, -1)), out.roll(5, -1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(network(v.flip(-2)), out.flip(-2), atol=1e-5, rtol=1e-5)


@needs_harmonics
def test_every_parameter_gets_a_gradient() -> None:
    network = build()
    network(torch.randn(2, 3, 16, 32)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-7, name


@needs_harmonics
def test_weights_survive_and_hold_no_grid() -> None:
    network = build()
    before = network(torch.ones(1, 3, 16, 32))
    network(torch.ones(1, 3, 32, 64))  # caches transforms
    other = build(num_points=(32, 64))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    enclosing = nn.ModuleDict({"module": network}).state_dict()
    nn.ModuleDict({"module": other}).load_state_dict(enclosing)
    assert torch.equal(other(torch.ones(1, 3, 16, 32)), before)


@needs_harmonics
def test_sphere_too_coarse_is_refused() -> None:
    complaint = "12 x 12 points is too coarse for 8 degrees; at most 6 degrees fit"
    with pytest.raises(ValueError, match=complaint):
        build(num_points=(12, 12))
    with pytest.raises(ValueError, match=complaint):
        build()(torch.zeros(1, 3, 12, 12))


@pytest.mark.skipif(find_spec("torch_harmonics") is not None, reason="the extra is there")
def test_missing_extra_is_named() -> None:
    with pytest.raises(ValueError, match=r"pip install 'pdesurrogate\[sphere-models\]'"):
        build()


def test_box_is_refused() -> None:
    with pytest.raises(ValueError, match="an SFNO needs a GaussianSphere, got a PeriodicBox"):
        SMALL.build(3, 2, PeriodicBox((32, 32)))
