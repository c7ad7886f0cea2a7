"""Points, weights, rungs and edges by hand."""

import numpy as np
import pytest

from pdesurrogate.grids import ClosedBox, GaussianSphere, OpenBox, PeriodicBox, grid_from_dict


def test_points_of_a_periodic_box_include_the_left_edge_only():
    box = PeriodicBox((4, 8), (2.0, 4.0))
    assert box.y.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert box.x[-1] == 3.5
    assert box.spacing == (0.5, 0.5)
    assert box.resolution == 4
    assert box.padding == ("circular", "circular")


def test_points_of_a_closed_box_are_cell_centres():
    box = ClosedBox((4, 2), (2.0, 1.0))
    assert box.y.tolist() == [0.25, 0.75, 1.25, 1.75]
    assert box.x.tolist() == [0.25, 0.75]
    assert box.padding == ("replicate", "replicate")


@pytest.mark.parametrize("kind", [PeriodicBox, ClosedBox])
def test_quadrature_integrates_the_grids_own_waves(kind):
    box = kind((12, 10), (3.0, 1.0))
    weights = box.quadrature_weights
    assert weights.sum() == pytest.approx(1)
    wave = np.cos(2 * np.pi * box.y / 3.0)[:, None] * np.ones(10)
    assert (weights * wave).sum() == pytest.approx(0, abs=1e-15)
    assert (weights * wave**2).sum() == pytest.approx(0.5)


def test_rungs_keep_the_proportion():
    box = PeriodicBox((8, 20), (1.0, 2.5))
    assert box.at_resolution(16).num_points == (16, 40)
    assert box.at_resolution(16).domain_extent == (1.0, 2.5)
    with pytest.raises(ValueError, match="resolution 9 does not divide a 8 x 20 grid evenly"):
        box.at_resolution(9)


@pytest.mark.parametrize(
    "grid",
    [PeriodicBox((4, 8)), ClosedBox((2, 3), (1.0, 2.0)), OpenBox((3, 2)), GaussianSphere((4, 8))],
)
def test_grids_survive_plain_data(grid):
    assert grid_from_dict(grid.to_dict()) == grid


def test_impossible_grids_are_refused():
    with pytest.raises(ValueError, match="num_points must be two numbers of at least 2"):
        PeriodicBox((1, 8))
    with pytest.raises(ValueError, match="domain_extent must be two positive lengths"):
        PeriodicBox((8, 8), (1.0, 0.0))
    with pytest.raises(ValueError, match="unknown grid 'Torus'; known are PeriodicBox, ClosedBox"):
        grid_from_dict({"type": "Torus"})


def test_coordinates_carry_the_names_and_units_of_the_cf_conventions():
    box = OpenBox((3, 2))
    assert box.dimensions == ("y", "x")
    name, points, attributes = box.coordinates("m")["y"]
    assert (name, attributes["units"], attributes["axis"]) == ("y", "m", "Y")
    np.testing.assert_array_equal(points, box.y)
    sphere = GaussianSphere((4, 8))
    assert sphere.dimensions == ("latitude", "longitude")
    labels = {name: parts[2] for name, parts in sphere.coordinates("m").items()}
    assert labels["latitude"]["units"] == "degrees_north"
    assert labels["longitude"]["units"] == "degrees_east"
    assert [d["standard_name"] for d in labels.values()] == ["latitude", "longitude"]
    np.testing.assert_array_equal(sphere.coordinates("m")["longitude"][1], sphere.x)


def test_points_of_a_sphere_run_northwards_and_eastwards():
    sphere = GaussianSphere((4, 8))
    assert sphere.domain_extent == (180.0, 360.0)
    assert sphere.padding == ("polar", "circular")
    # Roots of P_4: sin² = (15 ± 2 sqrt 30) / 35, as in Abramowitz & Stegun, table 25.4.
    sines = [-0.861136311594053, -0.339981043584856, 0.339981043584856, 0.861136311594053]
    np.testing.assert_allclose(np.sin(np.radians(sphere.y)), sines, atol=1e-14)
    assert sphere.x.tolist() == [0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0]
    weights = [0.347854845137454, 0.652145154862546, 0.652145154862546, 0.347854845137454]
    np.testing.assert_allclose(sphere.quadrature_weights.sum(axis=1), np.array(weights) / 2)
    assert sphere.at_resolution(6) == GaussianSphere((6, 12))


@pytest.mark.parametrize("latitudes", [2, 32, 512])
def test_quadrature_on_a_sphere_is_exact_for_polynomials(latitudes):
    sphere = GaussianSphere((latitudes, 4))
    weights, sine = sphere.quadrature_weights, sphere.sine_of_latitude[:, None] * np.ones(4)
    for degree in (0, 2, 2 * latitudes - 2):
        assert (weights * sine**degree).sum() == pytest.approx(1 / (degree + 1), rel=1e-12)
        assert (weights * sine ** (degree + 1)).sum() == pytest.approx(0, abs=1e-15)


def test_a_sphere_wants_even_numbers_and_its_own_extent():
    with pytest.raises(ValueError, match=r"must be two even numbers, got \(5, 8\)"):
        GaussianSphere((5, 8))
    with pytest.raises(ValueError, match=r"must be \(180.0, 360.0\) degrees, got \(180.0, 180.0\)"):
        GaussianSphere((4, 8), (180.0, 180.0))


@pytest.mark.parametrize("latitudes", [64, 512])
def test_the_weights_near_the_poles_are_as_good_as_the_others(latitudes):
    ducc0 = pytest.importorskip("ducc0")
    weights = GaussianSphere((latitudes, 2)).quadrature_weights[:, 0]
    expected = ducc0.misc.GL_weights(latitudes, 2) / (4 * np.pi)
    np.testing.assert_allclose(weights, np.ravel(expected), rtol=4e-13)
