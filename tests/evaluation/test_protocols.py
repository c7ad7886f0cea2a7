from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pdesurrogate.evaluation import protocols
from pdesurrogate.evaluation.protocols import (
    Extended,
    Native,
    Polyphase,
    Projected,
    Setting,
    Transported,
    known_protocols,
    named,
)
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.metrics import in_band_error, out_of_band_error
from pdesurrogate.solvers import PeriodicNavierStokes
from pdesurrogate.transfer import prolong, restrict

FINE, COARSE = PeriodicBox((24, 24)), PeriodicBox((12, 12))
FLOW = PeriodicNavierStokes()
SETTING = Setting(COARSE, FINE, FLOW.fields[:1], 0.5, carrier=FLOW.carrier(FLOW.fields[:1]))
WITHOUT_EXTENSION = sorted(set(known_protocols()) - {"extended"})


def window(history: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, history, 1, 24, 24, generator=generator, dtype=torch.float64)


def doubling(given: Tensor) -> Tensor:
    return torch.cat([given[:, 1:], 2 * given[:, -1:]], dim=1)


@pytest.mark.parametrize("name", WITHOUT_EXTENSION)
def test_every_protocol_drops_the_oldest_frame_and_joins_a_new_one(name: str) -> None:
    given = window()
    after = named(name).carry(doubling, SETTING)(given)
    assert after.shape == given.shape
    torch.testing.assert_close(after[:, :-1], given[:, 1:])


@pytest.mark.parametrize("bundle", [2, 5])
@pytest.mark.parametrize("name", WITHOUT_EXTENSION)
def test_every_protocol_gives_as_many_frames_as_the_step(name: str, bundle: int) -> None:
    """Of a step that looks back on three frames, given one more than that."""
    multiples = torch.arange(1, bundle + 1)[:, None, None, None]

    def step(given: Tensor) -> Tensor:
        return torch.cat([given, given[:, -1:] * multiples], dim=1)[:, -max(3, bundle) :]

    given = window(history=4)
    after = named(name).carry(step, replace(SETTING, bundle=bundle))(given)
    assert after.shape == (2, max(3, bundle), 1, 24, 24)
    kept, new = after.tensor_split([-bundle], dim=1)
    torch.testing.assert_close(kept, given[:, 4 - kept.shape[1] :])
    band = prolong(restrict(given[:, -1:], FINE, COARSE), COARSE, FINE)
    predicted = prolong(restrict(new, FINE, COARSE), COARSE, FINE)
    torch.testing.assert_close(predicted, band * multiples)


@pytest.mark.parametrize("name", sorted(known_protocols()))
def test_every_protocol_says_in_a_line_what_it_does(name: str) -> None:
    assert (type(named(name)).__doc__ or "").partition("\n")[0].endswith(".")
    assert type(named(name)).__name__ in protocols.__all__


def test_native_is_the_step_itself() -> None:
    torch.testing.assert_close(Native().carry(doubling, SETTING)(window()), doubling(window()))


def test_projected_steps_on_the_training_grid() -> None:
    seen = []

    def step(given: Tensor) -> Tensor:
        seen.append(given)
        return doubling(given)

    given = window()
    predicted = Projected().carry(step, SETTING)(given)[:, -1]
    torch.testing.assert_close(seen[0], restrict(given, FINE, COARSE))
    expected = 2 * prolong(restrict(given[:, -1], FINE, COARSE), COARSE, FINE)
    torch.testing.assert_close(predicted, expected)


def test_projected_with_a_perfect_step_has_exactly_the_truncation_floor() -> None:
    truth = window(history=2)

    def perfect(given: Tensor) -> Tensor:
        return restrict(truth[:, -1:], FINE, COARSE)

    predicted = Projected().carry(perfect, SETTING)(truth[:, :1])[:, -1]
    after = truth[:, -1]
    floor = prolong(restrict(after, FINE, COARSE), COARSE, FINE)
    assert (in_band_error(predicted, after, FINE, COARSE) < 1e-12).all()
    torch.testing.assert_close(
        out_of_band_error(predicted, after, FINE, COARSE),
        out_of_band_error(floor, after, FINE, COARSE),
    )


def test_projected_rollout_never_leaves_the_coarse_space() -> None:
    """Carrying a linear coarse step twice is prolonging two coarse steps."""
    step = Projected().carry(doubling, SETTING)
    given = window(history=1)
    twice = step(step(given))[:, -1]
    coarse = restrict(given, FINE, COARSE)
    expected = prolong(doubling(doubling(coarse))[:, -1], COARSE, FINE)
    torch.testing.assert_close(twice, expected)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown protocol 'natve'.*'native'"):
        named("natve")


def test_names_are_the_classes_in_lower_case() -> None:
    assert known_protocols() == {
        "extended": Extended,
        "native": Native,
        "polyphase": Polyphase,
        "projected": Projected,
        "transported": Transported,
    }


def test_polyphase_of_a_point_by_point_step_is_that_step() -> None:
    given = window()

    def step(frames: Tensor) -> Tensor:
        assert frames.shape[-2:] == COARSE.num_points
        return torch.cat([frames[:, 1:], frames[:, -1:] ** 2], dim=1)

    after = Polyphase().carry(step, SETTING)(given)
    torch.testing.assert_close(after[:, -1], given[:, -1] ** 2)


def test_polyphase_sees_shifted_grids() -> None:
    """A shift by one coarse point is a shift by as many fine ones as a coarse spacing has."""
    given = window()

    def step(frames: Tensor) -> Tensor:
        return torch.cat([frames[:, 1:], frames[:, -1:].roll(1, -1).roll(-2, -2)], dim=1)

    after = Polyphase().carry(step, SETTING)(given)
    torch.testing.assert_close(after[:, -1], given[:, -1].roll(2, -1).roll(-4, -2))


def test_polyphase_needs_a_multiple() -> None:
    odd = replace(SETTING, evaluation_grid=PeriodicBox((18, 18)))
    with pytest.raises(ValueError, match=r"polyphase.*18 x 18 points are no multiple of 12 x 12"):
        Polyphase().carry(doubling, odd)


def test_extended_needs_an_extension() -> None:
    with pytest.raises(ValueError, match=r"no extension to resolution 24; train one with"):
        Extended().carry(doubling, SETTING)
