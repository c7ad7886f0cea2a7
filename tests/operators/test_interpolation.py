"""Cubic interpolation along one axis."""

import numpy as np
import pytest
import torch

from pdesurrogate.operators.interpolation import interpolation_matrix, undo_midpoints


def test_cubics_are_reproduced_and_points_kept():
    points = torch.arange(7, dtype=torch.float64)
    positions = torch.linspace(0, 6, 25, dtype=torch.float64)
    for power in range(4):
        found = interpolation_matrix(7, positions) @ (points - 2.5) ** power
        assert found.numpy() == pytest.approx(((positions - 2.5) ** power).numpy(), abs=1e-11)
    assert torch.equal(interpolation_matrix(7, points), torch.eye(7, dtype=torch.float64))


def test_beyond_the_ends_it_is_a_straight_line():
    matrix = interpolation_matrix(5, torch.tensor([-0.5, 4.5]))
    assert matrix[0].tolist() == [1.5, -0.5, 0, 0, 0]
    assert matrix[1].tolist() == [0, 0, 0, -0.5, 1.5]


def test_means_of_neighbours_become_values_again():
    # Fourth order in the spacing, away from the ends.
    errors = []
    for n in (16, 32, 64):
        faces = torch.sin(torch.linspace(0, 3, n + 1, dtype=torch.float64))
        centres = torch.sin((torch.arange(n, dtype=torch.float64) + 0.5) * 3 / n)
        means = (faces[1:] + faces[:-1]) / 2
        errors.append(float((undo_midpoints(n) @ means - centres)[2:-2].abs().max()))
    assert np.log2(errors[0] / errors[1]) > 3.8
    assert np.log2(errors[1] / errors[2]) > 3.8


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="a cubic needs at least 4 points, got 3"):
        interpolation_matrix(3, torch.zeros(1))
