"""Points, weights, rungs and edges by hand."""

import numpy as np
import pytest

from pdesurrogate.grids import ClosedBox, OpenBox, PeriodicBox, grid_from_dict


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
    "grid", [PeriodicBox((4, 8)), ClosedBox((2, 3), (1.0, 2.0)), OpenBox((3, 2))]
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
