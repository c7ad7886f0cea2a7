"""What enters a channel and what its walls imply."""

import math

import pytest
import torch

from pdesurrogate.grids import Channel
from pdesurrogate.solvers import ParabolicInflow, UniformInflow

GRID = Channel((8, 16), (2.0, 4.0))
DOUBLE = torch.float64


def test_the_profiles_have_the_stated_mean():
    assert (UniformInflow(1.5).profile(GRID) == 1.5).all()
    parabola = ParabolicInflow(1.5).profile(GRID)
    # Point values: the midpoint rule gives the mean with an error of h² / 2 H².
    assert float(parabola.mean()) == pytest.approx(1.5 * (1 + 0.25**2 / (2 * 2.0**2)), rel=1e-13)
    assert float(ParabolicInflow(1.0).profile(Channel((9, 9), (1.0, 1.0)))[4]) == 1.5


def test_no_slip_continues_a_parabola_exactly():
    # Values of the same parabola at the centres of cells beyond the walls.
    y = (torch.arange(-3, 11, dtype=DOUBLE) + 0.5) * 0.25
    parabola = (y * (2 - y))[None, :, None]
    extended = ParabolicInflow().extend_along_walls(parabola[:, 3:-3], 3)
    assert (extended - parabola).abs().max() < 1e-14


def test_free_slip_mirrors():
    rows = torch.arange(4, dtype=DOUBLE)[None, :, None]
    assert UniformInflow().extend_along_walls(rows, 1).flatten().tolist() == [0, 0, 1, 2, 3, 3]
    extended = UniformInflow().extend_through_walls(rows, 1)
    assert extended.flatten().tolist() == [-1, 0, 1, 2, 3, -2]
    extended = ParabolicInflow().extend_through_walls(rows, 1)
    assert extended.flatten().tolist() == [1, 0, 1, 2, 3, 2]


@pytest.mark.parametrize("speed", [0.0, -1.0, math.inf, math.nan])
def test_a_stream_must_flow_in(speed):
    for kind in (UniformInflow, ParabolicInflow):
        with pytest.raises(ValueError, match="inflow's speed must be positive and finite"):
            kind(speed)
