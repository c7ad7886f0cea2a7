"""The loop yields what is predicted, never what was given."""

from pdesurrogate.rollout import repeat, rollout


def test_only_new_states_are_yielded_and_lazily():
    calls = []

    def step(x: int) -> int:
        calls.append(x)
        return x + 1

    states = rollout(step, 10, 3)
    assert calls == []
    assert next(states) == 11
    assert calls == [10]
    assert list(states) == [12, 13]


def test_repeating_a_step_no_times_changes_nothing():
    assert repeat(lambda x: x + 1, 0)(5) == 5
    assert repeat(lambda x: x + 1, 4)(5) == 9
