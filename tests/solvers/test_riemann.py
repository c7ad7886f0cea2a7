"""The flux between two states of shallow water."""

import pytest
import torch

from pdesurrogate.solvers.riemann import FaceState, shallow_water_flux


def side(depth, normal=0.0, transverse=0.0):
    return FaceState(*(torch.tensor([v], dtype=torch.float64) for v in (depth, normal, transverse)))


@pytest.mark.parametrize("speed", [0.7, -0.7, 5.0, -5.0])
def test_one_state_gives_its_own_flux(speed):
    state = side(1.5, speed, 0.3)
    flux = shallow_water_flux(state, state, 2.0)
    assert float(flux.mass) == pytest.approx(1.5 * speed)
    assert float(flux.normal) == pytest.approx(1.5 * speed**2)
    assert float(flux.transverse) == pytest.approx(1.5 * speed * 0.3)
    assert float(flux.push_left) == float(flux.push_right) == 0


@pytest.mark.parametrize("depth", [0.0, 1e-30, 1.0])
def test_water_at_rest_gives_exact_zeros(depth):
    flux = shallow_water_flux(side(depth), side(depth), 9.81)
    assert all(float(part) == 0 for part in flux)


def test_fast_water_is_taken_from_where_it_comes():
    left, right = side(1.0, 9.0, 2.0), side(0.4, 8.0, -1.0)
    flux = shallow_water_flux(left, right, 1.0)
    assert float(flux.mass) == pytest.approx(9.0)
    assert float(flux.normal) == pytest.approx(81.0)
    assert float(flux.transverse) == pytest.approx(18.0)
    assert float(flux.push_left) == pytest.approx(0)
    assert float(flux.push_right) == pytest.approx(0.5 * (1.0 - 0.16))


def test_shear_at_rest_is_kept():
    # The contact that HLL would smear.
    flux = shallow_water_flux(side(1.0, 0.0, 1.0), side(1.0, 0.0, -1.0), 1.0)
    assert float(flux.transverse) == 0


def test_the_mirror_image_flows_the_other_way():
    one = shallow_water_flux(side(1.0, 0.3, 0.5), side(0.2, -0.1, 0.7), 9.81)
    two = shallow_water_flux(side(0.2, 0.1, 0.7), side(1.0, -0.3, 0.5), 9.81)
    assert float(one.mass) == pytest.approx(-float(two.mass), rel=1e-14)
    assert float(one.normal) == pytest.approx(float(two.normal), rel=1e-14)
    assert float(one.transverse) == pytest.approx(-float(two.transverse), rel=1e-14)
    assert float(one.push_left) == pytest.approx(float(two.push_right), rel=1e-14)


def test_a_dry_side_gives_nothing():
    flux = shallow_water_flux(side(0.0), side(1.0), 9.81)
    assert float(flux.mass) < 0
    away = shallow_water_flux(side(0.0), side(1.0, 20.0), 9.81)
    assert float(away.mass) == pytest.approx(0, abs=1e-100)
