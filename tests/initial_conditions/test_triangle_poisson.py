"""Random problems on a triangle: the same at every depth."""

import numpy as np
import pytest

from pdesurrogate.initial_conditions.triangle_poisson import poisson_problems


def test_problems_are_the_same_at_every_depth_and_of_order_one() -> None:
    (f, u), (f_fine, u_fine) = (poisson_problems(np.random.default_rng(3), 200, d) for d in (4, 5))
    for coarse, fine in ((f, f_fine), (u, u_fine)):
        means = fine.reshape(200, -1, 4).mean(-1)
        assert np.sqrt(((means - coarse) ** 2).mean()) < 0.15
        assert (fine**2).mean() == pytest.approx(1, rel=0.2)
    assert np.sqrt(((u_fine.reshape(200, -1, 4).mean(-1) - u) ** 2).mean()) < 0.02
