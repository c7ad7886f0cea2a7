from __future__ import annotations

import math

import numpy as np
import pytest

from pdesurrogate.evaluation.cost_error import break_even, pareto_front


def test_the_front_is_what_nothing_beats() -> None:
    seconds = np.array([1.0, 2.0, 2.0, 3.0, 4.0, 5.0])
    errors = np.array([0.50, 0.40, 0.30, 0.30, 0.35, 0.10])
    assert pareto_front(seconds, errors).tolist() == [True, False, True, False, False, True]


def test_equals_are_on_the_front_together() -> None:
    assert pareto_front(np.array([1.0, 1.0, 2.0]), np.array([0.2, 0.2, 0.2])).tolist() == [
        True,
        True,
        False,
    ]


def test_what_broke_or_has_no_cost_is_on_no_front() -> None:
    seconds = np.array([1.0, np.nan, 2.0, 3.0])
    errors = np.array([np.inf, 0.0, 0.5, np.nan])
    assert pareto_front(seconds, errors).tolist() == [False, False, True, False]
    assert pareto_front(np.array([]), np.array([])).tolist() == []


def test_the_front_of_a_cloud_is_that_of_a_sweep() -> None:
    seconds, errors = np.random.default_rng(0).random((2, 200))
    order = np.argsort(seconds)
    expected = np.zeros(200, dtype=bool)
    expected[order] = errors[order] <= np.minimum.accumulate(errors[order])
    np.testing.assert_array_equal(pareto_front(seconds, errors), expected)


def test_break_even_is_against_the_cheapest_solver_that_is_as_good() -> None:
    solver_seconds = np.array([0.5, 3.0, 2.0, 8.0])
    solver_errors = np.array([0.4, 0.1, 0.2, 0.01])
    assert break_even(90.0, 1.0, 0.2, solver_seconds, solver_errors) == pytest.approx(90.0)
    assert break_even(90.0, 1.0, 0.15, solver_seconds, solver_errors) == pytest.approx(45.0)
    assert break_even(90.0, 1.0, 0.05, solver_seconds, solver_errors) == pytest.approx(90 / 7)
    assert break_even(90.0, 1.0, 0.5, solver_seconds, solver_errors) == math.inf
    assert break_even(90.0, 2.0, 0.2, solver_seconds, solver_errors) == math.inf


def test_without_a_solver_as_good_there_is_no_break_even() -> None:
    assert math.isnan(break_even(9.0, 1.0, 0.001, np.array([2.0]), np.array([0.1])))
    assert math.isnan(break_even(9.0, 1.0, np.inf, np.array([2.0]), np.array([0.1])))
    assert math.isnan(break_even(9.0, 1.0, 0.1, np.array([]), np.array([])))
