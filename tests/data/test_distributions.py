from __future__ import annotations

import numpy as np
import pytest

from pdesurrogate.data import Choice, Distribution, LogUniform, RandomSeed, Uniform


def drawn(distribution: Distribution, count: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.array([distribution.sample(rng) for _ in range(count)])


def test_uniform_has_the_moments_of_its_interval() -> None:
    values = drawn(Uniform(2.0, 5.0))
    assert values.min() >= 2.0
    assert values.max() <= 5.0
    assert values.mean() == pytest.approx(3.5, abs=5 * 3 / 12**0.5 / 4000**0.5)
    assert values.std() == pytest.approx(3 / 12**0.5, rel=0.03)


def test_log_uniform_gives_every_decade_its_share() -> None:
    values = drawn(LogUniform(1e-4, 1e-1))
    shares = np.histogram(np.log10(values), bins=[-4, -3, -2, -1])[0] / len(values)
    assert shares == pytest.approx([1 / 3] * 3, abs=0.04)


def test_a_choice_takes_every_value_equally_often() -> None:
    values, counts = np.unique(drawn(Choice([1.0, 2.0, 4.0, 8.0])), return_counts=True)
    assert values.tolist() == [1.0, 2.0, 4.0, 8.0]
    assert counts / 4000 == pytest.approx([0.25] * 4, abs=0.04)


def test_seeds_are_whole_and_differ() -> None:
    values = drawn(RandomSeed())
    assert (values == np.floor(values)).all()
    assert values.min() >= 0
    assert values.max() < 2**31
    assert len(np.unique(values)) > 3990


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(2.0, 2.0), "low must be below high"),
        (lambda: Uniform(0.0, float("inf")), "both finite"),
        (lambda: LogUniform(0.0, 1.0), "needs a positive low, got 0.0"),
        (lambda: Choice([]), "one or more finite numbers"),
    ],
)
def test_bad_intervals_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
