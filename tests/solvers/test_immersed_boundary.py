"""The rates at which a body takes momentum, face by face."""

import math

import pytest
import torch

from pdesurrogate.grids import Channel
from pdesurrogate.solvers import Cylinder, Square
from pdesurrogate.solvers.immersed_boundary import penalisation_rates

GRID = Channel((12, 24), (6.0, 12.0))  # cells of 1/2


def test_rates_beside_a_flat_face_are_those_of_a_wall_at_its_distance():
    # The square covers 2.2 < x < 3.8. Vertical faces lie at multiples of 1/2, so the one at x = 2
    # is 0.2 = 0.4 cells away, and the one at 4 likewise.
    rate_x, rate_y = penalisation_rates(Square(3.0, 3.0, 1.6), GRID)
    middle = rate_x[6]  # y = 3.25
    assert middle[3] == 0
    assert float(middle[4]) == pytest.approx((1 / 0.4 - 1) / 0.25, rel=1e-12)
    assert all(math.isinf(rate) for rate in middle[5:8])
    assert float(middle[8]) == pytest.approx((1 / 0.4 - 1) / 0.25, rel=1e-12)
    # Its horizontal faces lie at x = 2.25, 2.75, …: inside already; next outside is x = 1.75.
    assert math.isinf(rate_y[6, 4])
    assert float(rate_y[6, 3]) == pytest.approx((1 / 0.9 - 1) / 0.25, rel=1e-12)


def test_a_linear_flow_vanishes_on_the_surface():
    # Second difference and rate balance for u = distance to the face at x = 2.2, whatever u inside.
    rate_x, _ = penalisation_rates(Square(3.0, 3.0, 1.6), GRID)
    u = torch.tensor([0.7, 0.2, 0.0], dtype=torch.float64)  # at x = 1.5, 2.0, 2.5
    bend = (u[0] - 2 * u[1] + u[2]) / 0.25
    assert float(bend - rate_x[6, 4] * u[1]) == pytest.approx(0.0, abs=1e-12)


def test_rates_follow_the_symmetry_of_a_cylinder():
    rate_x, rate_y = penalisation_rates(Cylinder(6.0, 3.0, 2.3), GRID)
    assert torch.equal(torch.isinf(rate_x), torch.isinf(rate_x.flip(0)))
    near = ~torch.isinf(rate_x)
    assert torch.allclose(rate_x[near], rate_x.flip(0)[near])
    assert torch.allclose(rate_x[near], rate_x.flip(1)[near])
    # Turned by a quarter: vertical faces of the square around it become horizontal ones.
    window_x, window_y = rate_x[:, 6:19], rate_y[:, 6:18]
    assert torch.allclose(window_x.nan_to_num(posinf=-1.0), window_y.T.nan_to_num(posinf=-1.0))
