from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from pdesurrogate.evaluation import (
    mean_interval,
    nested_interval,
    paired_comparison,
    ratio_interval,
)


def test_interval_is_that_of_the_normal_theory_for_normal_values() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    mean, low, high = mean_interval(values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(mean - half, abs=0.1 * half)
    assert high == pytest.approx(mean + half, abs=0.1 * half)


def test_coverage_is_nominal() -> None:
    rng = np.random.default_rng(1)
    intervals = [mean_interval(rng.exponential(size=60)) for _ in range(300)]
    covered = np.mean([interval.low <= 1 <= interval.high for interval in intervals])
    assert 0.9 <= covered <= 0.98


def test_a_lower_level_is_narrower() -> None:
    values = np.random.default_rng(0).normal(size=50)
    wide, narrow = mean_interval(values), mean_interval(values, level=0.5)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_the_same_values_give_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert mean_interval(values) == mean_interval(values)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_a_broken_trajectory_is_never_left_out() -> None:
    mean, _, high = mean_interval([0.1, 0.2, math.inf])
    assert mean == high == math.inf


def test_what_was_not_run_has_no_mean() -> None:
    assert np.isnan(mean_interval([0.1, math.nan])).all()


def test_a_single_trajectory_has_no_interval() -> None:
    mean, low, high = mean_interval([0.1])
    assert mean == 0.1
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]]])
def test_only_one_number_per_trajectory(values: list[float]) -> None:
    with pytest.raises(ValueError, match="one number per trajectory"):
        mean_interval(values)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_the_level_is_a_probability(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([1.0, 2.0], level)


def crossed(
    rng: np.random.Generator,
    num_seeds: int,
    num_trajectories: int,
    spreads: tuple[float, float, float] = (0.1, 0.3, 0.05),
) -> np.ndarray:
    """Errors of mean 1 whose logarithms have an effect per seed, per trajectory, and of both."""
    of_seeds, of_trajectories, of_both = spreads
    logarithms = (
        of_seeds * rng.standard_normal((num_seeds, 1))
        + of_trajectories * rng.standard_normal((1, num_trajectories))
        + of_both * rng.standard_normal((num_seeds, num_trajectories))
    )
    return np.exp(logarithms - (of_seeds**2 + of_trajectories**2 + of_both**2) / 2)


def test_one_seed_is_the_interval_over_trajectories() -> None:
    values = np.random.default_rng(0).random(30)
    assert nested_interval(values[None]) == mean_interval(values)
    assert nested_interval(values[None], 0.5) == mean_interval(values, 0.5)


def test_seeds_that_agree_add_nothing() -> None:
    values = np.random.default_rng(0).random(30)
    many = nested_interval(np.stack([values] * 4))
    assert many == pytest.approx(mean_interval(values))


def test_seeds_alone_have_students_interval_on_logarithms() -> None:
    """Trajectories that are all alike leave the closed form."""
    logarithms = np.array([-0.2, 0.1, 0.3])
    mean, low, high = nested_interval(np.exp(logarithms)[:, None].repeat(5, axis=1))
    half = student.ppf(0.975, 2) * logarithms.std(ddof=1) / math.sqrt(3)
    assert mean == pytest.approx(np.exp(logarithms).mean())
    assert high / mean == pytest.approx(math.exp(half), rel=0.01)
    assert low / mean == pytest.approx(math.exp(-half), rel=0.01)


def test_a_broken_rollout_makes_the_nested_mean_infinite() -> None:
    values = crossed(np.random.default_rng(0), 3, 8)
    values[1, 4] = math.inf
    mean, _, high = nested_interval(values)
    assert mean == high == math.inf
    assert nested_interval(np.full((2, 3), math.inf)).low == math.inf


def test_nested_edges() -> None:
    assert np.isnan(nested_interval([[0.1, math.nan], [0.1, 0.2]])).all()
    assert nested_interval([[0.0, 0.0], [0.0, 0.0]]) == (0.0, 0.0, 0.0)
    mean, low, high = nested_interval([[0.0, 0.0], [0.2, 0.2]])
    assert (mean, low) == (0.1, pytest.approx(0.0))
    assert high > 1e100  # one seed is exact, one is not: their logarithms lie infinitely apart
    assert np.isnan(nested_interval([[0.1], [0.2]])[1:]).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.1, 0.2], r"shape \(seed, trajectory\), got \(2,\)"),
        ([[]], "shape"),
        ([[0.1, -0.2]], "not be negative, got -0.2"),
    ],
)
def test_errors_are_seeds_by_trajectories(values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nested_interval(values)
    with pytest.raises(ValueError, match=message):
        paired_comparison([[1.0, 2.0]], values)
    with pytest.raises(ValueError, match="between 0 and 1"):
        nested_interval([[0.1, 0.2]], level=95.0)


def test_a_ratio_of_the_same_runs_cancels_seeds_and_trajectories() -> None:
    home = crossed(np.random.default_rng(0), 3, 20, (0.5, 0.5, 0.0))
    assert ratio_interval(2 * home, home) == pytest.approx((2.0, 2.0, 2.0))
    ours, theirs = nested_interval(2 * home), nested_interval(home)
    assert ours.low < theirs.high  # without pairing they could not be told apart
    with pytest.raises(ValueError, match=r"got shapes \(3, 20\) and \(2, 20\)"):
        ratio_interval(home, home[:2])


def test_a_ratio_over_seeds_is_students() -> None:
    factors = np.exp([[0.0], [0.1], [0.3]])
    home = np.ones((3, 6))
    ratio = ratio_interval(factors * home, home)
    half = student.ppf(0.975, 2) * np.log(factors).std(ddof=1) / math.sqrt(3)
    assert ratio.mean == pytest.approx(factors.mean())
    assert ratio.high / ratio.mean == pytest.approx(math.exp(half), rel=0.01)


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.8, "better"), (1.25, "worse"), (1.0, "can't tell")]
)
def test_verdicts_of_planted_factors(factor: float, verdict: str) -> None:
    rng = np.random.default_rng(3)
    hard = np.exp(0.8 * rng.standard_normal(30))  # what both find hard cancels
    ours = factor * hard * np.exp(0.02 * rng.standard_normal((4, 30)))
    theirs = hard * np.exp(0.02 * rng.standard_normal((3, 30)))
    comparison = paired_comparison(ours, theirs)
    assert comparison.verdict == verdict
    assert comparison.ratio.mean == pytest.approx(ours.mean() / theirs.mean())
    assert comparison.ratio.low < factor < comparison.ratio.high
    assert comparison.difference.mean == pytest.approx(ours.mean() - theirs.mean())
    mirrored = {"better": "worse", "worse": "better", "can't tell": "can't tell"}
    assert paired_comparison(theirs, ours).verdict == mirrored[verdict]


def test_the_difference_excludes_zero_where_the_ratio_excludes_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        ours, theirs = 0.9 * crossed(rng, 3, 12), crossed(rng, 4, 12)
        comparison = paired_comparison(ours, theirs)
        assert (comparison.difference.high < 0) == (comparison.ratio.high < 1)
        assert (comparison.difference.low > 0) == (comparison.ratio.low > 1)


def test_two_seeds_that_disagree_tell_little() -> None:
    theirs = np.ones((2, 30))
    apart = np.array([[0.7], [0.9]]) * theirs
    assert paired_comparison(apart, theirs).verdict == "can't tell"
    assert paired_comparison(apart[:1], theirs[:1]).verdict == "better"


def test_who_broke_is_worse() -> None:
    ours, theirs = np.full((2, 9), 0.1), np.full((3, 9), 0.5)
    ours[1, 3] = math.inf
    broken = paired_comparison(ours, theirs)
    assert (broken.verdict, broken.ratio.mean, broken.difference.mean) == (
        "worse",
        math.inf,
        math.inf,
    )
    other = paired_comparison(theirs, ours)
    assert (other.verdict, other.ratio.mean, other.difference.mean) == ("better", 0.0, -math.inf)
    theirs[0, 0] = math.inf
    both = paired_comparison(ours, theirs)
    assert both.verdict == "can't tell"
    assert np.isnan([*both.difference, *both.ratio]).all()


def test_nothing_to_tell_from() -> None:
    assert paired_comparison([[0.1]], [[0.2]]).verdict == "can't tell"
    assert paired_comparison([[0.1, math.nan]], [[0.2, 0.2]]).verdict == "can't tell"
    assert paired_comparison([[0.0, 0.0]], [[0.0, 0.0]]).verdict == "can't tell"
    assert paired_comparison([[0.1, 0.1]], [[0.0, 0.0]]).verdict == "worse"
    with pytest.raises(ValueError, match="same trajectories, got 2 and 3"):
        paired_comparison([[0.1, 0.1]], [[0.1, 0.1, 0.1]])


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [2, 3, 5])
@pytest.mark.parametrize(
    "spreads", [(0.3, 0.1, 0.05), (0.1, 0.3, 0.05), (0.02, 0.5, 0.05), (0.1, 0.3, 0.3)]
)
def test_coverage_with_seeds_is_nominal(
    num_seeds: int, spreads: tuple[float, float, float]
) -> None:
    rng = np.random.default_rng(2)
    intervals = [nested_interval(crossed(rng, num_seeds, 24, spreads)) for _ in range(600)]
    assert 0.91 <= np.mean([low <= 1 <= high for _, low, high in intervals]) <= 0.995


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (3, 1), (3, 3), (5, 3)])
@pytest.mark.parametrize("spread", [0.03, 0.2])
def test_verdicts_on_equals_err_as_often_as_they_say(ours: int, theirs: int, spread: float) -> None:
    """A method with one seed has no spread over seeds: the verdict is on that training."""
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(600):
        hard = np.exp(0.4 * rng.standard_normal(24))
        sides = [hard * crossed(rng, n, 24, (spread * (n > 1), 0.0, 0.1)) for n in (ours, theirs)]
        wrong += paired_comparison(*sides).verdict != "can't tell"
    assert wrong / 600 <= 0.09
