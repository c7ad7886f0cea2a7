import math

import pytest

from pdesurrogate.training import WarmupCosine

SCHEDULE = WarmupCosine(peak=2.0, floor=0.5, warmup_steps=4, num_steps=13)


def test_the_warm_up_is_linear_and_ends_at_the_peak() -> None:
    assert [SCHEDULE(step) for step in range(4)] == [0.5, 1.0, 1.5, 2.0]


def test_the_cosine_goes_from_the_peak_through_the_middle_to_the_floor() -> None:
    assert SCHEDULE(4) == 2.0
    assert SCHEDULE(8) == pytest.approx((2.0 + 0.5) / 2)
    assert SCHEDULE(6) == pytest.approx(0.5 + 0.75 * (1 + math.cos(math.pi / 4)))
    assert SCHEDULE(12) == pytest.approx(0.5)


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert WarmupCosine(peak=1.0, floor=0.0, warmup_steps=0, num_steps=10)(0) == 1.0


@pytest.mark.parametrize("num_steps", [1, 2, 3])
@pytest.mark.parametrize("warmup_steps", [0, 1])
def test_the_shortest_trainings_have_positive_rates(num_steps: int, warmup_steps: int) -> None:
    schedule = WarmupCosine(1.0, 0.1, warmup_steps, num_steps)
    assert all(0.1 <= schedule(step) <= 1.0 for step in range(num_steps))
