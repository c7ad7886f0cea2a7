"""Surrogates that predict several frames at once: which frame is which, by every way out."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from pdesurrogate.cli.info import describe
from pdesurrogate.conditioning import Condition
from pdesurrogate.fields import FieldStatistics
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import (
    FNO,
    ConstrainedUNet,
    DilatedResNet,
    FiLM,
    ModelSpec,
    MultiResNet,
)
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.models.user_model import UserModel, described
from pdesurrogate.surrogate import Surrogate, SurrogateInfo
from tests.recurrence import Recurrence, recurrence
from tests.test_surrogate import INFO, Pointwise, edited, flow, pointwise

AS_THEY_ARE = FieldStatistics(("vorticity", "height"), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
SIZES = pytest.mark.parametrize(
    ("history", "bundle"), [(h, b) for h in (1, 2, 3) for b in (1, 2, 3)]
)


def counting(history: int, bundle: int, **changes: Any) -> Surrogate:
    """A surrogate of two fields that follows the recurrence in physical units."""
    info = replace(
        INFO, history=history, bundle=bundle, statistics=AS_THEY_ARE, predicts_change=False
    )
    return Surrogate(Recurrence(history, bundle, fields=2), replace(info, **changes))


def numbers(*frames: tuple[float, ...]) -> Tensor:
    """A window of frames that are the same everywhere, each a number per channel."""
    return torch.tensor([frames])[..., None, None].expand(-1, -1, -1, 4, 4)


def test_each_change_is_that_from_the_last_given_frame() -> None:
    # Rows are (vorticity, height) one frame ahead, then two; columns those of the given frames.
    matrix = [
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
    window = numbers((2.0, 90.0), (3.0, 120.0))  # normalised: (0.5, -1), (1, 2)
    changed = pointwise(matrix, replace(INFO, bundle=2)).step(window)[0, :, :, 0, 0]
    # 3 + 0.5 N_1 and 120 + 4 N_1, then 3 + 0.5 N_2 and 120 + 4 N_2
    torch.testing.assert_close(changed, torch.tensor([[2.5, 124.0], [3.25, 128.0]]))
    info = replace(INFO, bundle=2, predicts_change=False)
    anew = pointwise(matrix, info).step(window)[0, :, :, 0, 0]
    # 1 + 2 N_1 and 100 + 10 N_1, then 1 + 2 N_2 and 100 + 10 N_2
    torch.testing.assert_close(anew, torch.tensor([[-1.0, 110.0], [2.0, 120.0]]))


@SIZES
def test_a_step_returns_the_latest_frames_whatever_the_window_is(history: int, bundle: int) -> None:
    given = [(9.0, -5.0), (4.0, 64.0), (8.0, 1.0), (2.0, 32.0), (16.0, 128.0)]
    surrogate = counting(history, bundle)
    columns = [recurrence(values, history, bundle, bundle) for values in zip(*given, strict=True)]
    predicted = list(zip(*columns, strict=True))
    expected = numbers(*[*given, *predicted][-max(history, bundle) :])
    for longer in range(history, 6):
        assert torch.equal(surrogate.step(numbers(*given[-longer:])), expected)


@SIZES
@pytest.mark.parametrize("num_steps", [1, 2, 3, 7])
def test_a_rollout_holds_every_frame_in_order(history: int, bundle: int, num_steps: int) -> None:
    surrogate, given = counting(history, bundle), flow(num_frames=4)
    forecast = surrogate.rollout(given, num_steps)
    assert dict(forecast.sizes) == {"trajectory": 2, "time": num_steps, "y": 8, "x": 8}
    np.testing.assert_allclose(forecast["lead_time"], 0.25 * np.arange(1, num_steps + 1))
    assert surrogate.module.calls == math.ceil(num_steps / bundle)
    for name in ("vorticity", "height"):
        frames = [given[name].isel(time=k).values for k in range(4)]
        expected = np.stack(recurrence(frames, history, bundle, num_steps), axis=1)
        np.testing.assert_allclose(forecast[name], expected, rtol=1e-5, atol=1e-5)
    xr.testing.assert_identical(surrogate.rollout(given, num_steps, batch_size=1), forecast)


@SIZES
def test_conditions_are_told_at_every_step(history: int, bundle: int) -> None:
    told = tuple(Condition(name, name == "bed", False, 0.0, 1.0) for name in ("bed", "drag"))
    bed = np.random.default_rng(1).random((2, 8, 8)).astype(np.float32)
    given = flow(num_frames=4).assign(bed=(("trajectory", "y", "x"), bed))
    given = given.assign_coords(drag=("trajectory", [0.5, 0.75]))
    surrogate = counting(history, bundle, conditioning=told)
    forecast = surrogate.rollout(given, 7)
    frames = [given["height"].isel(time=k).values for k in range(4)]
    sums = bed + np.array([0.5, 0.75])[:, None, None]
    expected = np.stack(recurrence(frames, history, bundle, 7, sums), axis=1)
    np.testing.assert_allclose(forecast["height"], expected, rtol=1e-5, atol=1e-5)

    window = numbers(*[(1.0, 2.0, 3.0, k / 4) for k in range(history)])
    stepped = surrogate.step(window)
    assert stepped.shape[1:3] == (max(history, bundle), 4)
    assert torch.equal(stepped[:, -bundle:, 2:], window[:, -1:, 2:].expand(-1, bundle, -1, -1, -1))


def test_gradients_pass_through_every_step() -> None:
    surrogate = counting(history=2, bundle=3)
    window = torch.randn(1, 2, 2, 4, 4, requires_grad=True)
    surrogate.step(surrogate.step(window)).sum().backward()
    # Of three frames v_2 / 2 - v_3 / 4 + j, where each v is u_1 / 2 - u_2 / 4 + j.
    assert window.grad is not None
    slopes = 3 * (1 / 2 - 1 / 4) * torch.tensor([1 / 2, -1 / 4])
    torch.testing.assert_close(window.grad[0], slopes[:, None, None, None].expand(-1, 2, 4, 4))


class Net(nn.Conv2d):
    """A network that knows nothing of this package."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)


TELLING = (Condition("drag", False, False, 0.0, 1.0),)


@pytest.mark.parametrize(
    ("spec", "conditioning"),
    [
        (MultiResNet(width=4, levels=1), ()),
        (MultiResNet(width=4, levels=1, film=FiLM(hidden=4)), TELLING),
        (FNO(modes=2, width=4, layers=1), TELLING),
        (DilatedResNet(width=4), ()),
        (ConstrainedUNet(width=4, levels=1), ()),
        (UserModel.of(Net), ()),
    ],
    ids=["MultiResNet", "FiLM", "FNO", "DilatedResNet", "ConstrainedUNet", "UserModel"],
)
def test_a_saved_bundle_predicts_the_same_bits(
    spec: ModelSpec, conditioning: tuple[Condition, ...], tmp_path: Path
) -> None:
    name, options = described(spec)
    info = replace(INFO, model=name, options=options, bundle=3, conditioning=conditioning)
    module = spec.build_conditioned(
        info.in_channels, info.out_channels, PeriodicBox((8, 8)), info.parameter_channels
    )
    surrogate = Surrogate(module.eval(), info)
    surrogate.save(tmp_path)
    loaded = Surrogate.load(tmp_path, specs=[Net])
    assert loaded.info == info
    given = flow().assign_coords(drag=("trajectory", [0.5, 0.75]))
    forecast = surrogate.rollout(given, 4)
    xr.testing.assert_identical(loaded.rollout(given, 4), forecast)
    changes = np.abs(np.diff(forecast["height"].values, axis=1)).max((0, 2, 3))
    assert (changes > 0).all()  # no frame is another's copy


def test_the_network_answers_with_a_bundle_of_all_fields() -> None:
    assert INFO.out_channels == 2
    assert replace(INFO, bundle=3).out_channels == 6
    assert replace(INFO, bundle=3).in_channels == INFO.in_channels
    with pytest.raises(ValueError, match="bundle must be at least 1, got 0"):
        replace(INFO, bundle=0)


def test_a_description_says_the_bundle_and_an_old_one_has_one_frame(tmp_path: Path) -> None:
    info = replace(INFO, bundle=3)
    assert SurrogateInfo.from_dict(json.loads(json.dumps(info.to_dict()))) == info
    description = INFO.to_dict()
    assert description.pop("bundle") == 1
    assert SurrogateInfo.from_dict(json.loads(json.dumps(description))) == INFO
    pointwise([[1.0] * 4] * 6, info).save(tmp_path)
    assert Surrogate.load(tmp_path, specs=[Pointwise]).info.bundle == 3
    for bundle, complaint in ((2, "does not fit the model"), (0, "bundle must be at least 1")):
        edited(tmp_path, bundle=bundle)
        with pytest.raises(ValueError, match=complaint):
            Surrogate.load(tmp_path, specs=[Pointwise])


@pytest.mark.parametrize(
    ("bundle", "predicts_change", "words", "flops"),
    [
        (1, True, "the change of the last frame", "1024 a step"),
        (1, False, "the next frame", "1024 a step"),
        (3, True, "the changes from the last frame to the next 3, at once", "a step of 3 frames"),
        (3, False, "the next 3 frames at once", "1024 a step of 3 frames"),
    ],
)
def test_info_says_what_is_predicted(
    bundle: int, predicts_change: bool, words: str, flops: str, tmp_path: Path
) -> None:
    spec = FNO(modes=2, width=4, layers=1)
    info = replace(INFO, model="FNO", options=parts_to_plain(spec), bundle=bundle)
    info = replace(info, predicts_change=predicts_change)
    module = spec.build(info.in_channels, info.out_channels, PeriodicBox((8, 8)))
    Surrogate(module, info).save(tmp_path)
    lines = dict(line.split(maxsplit=1) for line in describe(tmp_path).splitlines())
    assert lines["predicts"] == words
    assert lines["flops"].endswith(flops)
    assert json.loads(describe(tmp_path, as_json=True))["bundle"] == bundle
