from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.models import (
    FNO,
    ClassicalUNet,
    Extended,
    Haar,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    Strided,
)
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.models.user_model import UserModel
from pdesurrogate.surrogate import Surrogate, SurrogateInfo

VORTICITY = Field("vorticity", "s-1", "vorticity")
HEIGHT = Field("height", "m", "height", standard_name="height")
STATISTICS = FieldStatistics(
    fields=("vorticity", "height"), mean=(1.0, 100.0), std=(2.0, 10.0), change_std=(0.5, 4.0)
)
INFO = SurrogateInfo(
    name="a surrogate",
    model="Pointwise",
    options={"bias": False},
    fields=(VORTICITY, HEIGHT),
    history=2,
    time_step=0.25,
    statistics=STATISTICS,
    predicts_change=True,
    grid=PeriodicBox((8, 8), (1.0, 1.0)).to_dict(),
    dataset="some flow",
    dataset_sha256="ab" * 32,
    parameters=8,
    flops=1024,
    training_seconds=1.5,
    epochs=3,
    seed=7,
)


@dataclass(frozen=True)
class Pointwise(ModelSpec):
    """One linear map of the channels at each point."""

    bias: bool = False

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return nn.Conv2d(in_channels, out_channels, 1, bias=self.bias)


def pointwise(matrix: list[list[float]], info: SurrogateInfo = INFO) -> Surrogate:
    """A surrogate whose network multiplies the channels by a matrix."""
    module = nn.Conv2d(len(matrix[0]), len(matrix), 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(matrix)[:, :, None, None])
    return Surrogate(module, info)


def random_surrogate(spec: ModelSpec, **options: Any) -> Surrogate:
    torch.manual_seed(3)
    module = spec.build(4, 2, PeriodicBox((32, 32)))
    return Surrogate(module, replace(INFO, model=type(spec).__name__, options=options))


def flow(num_frames: int = 3, num_points: int = 8, **extra: Any) -> xr.Dataset:
    """Two trajectories of both fields, with the labels of a dataset."""
    dims = ("trajectory", "time", "y", "x")
    shape = (2, num_frames, num_points, num_points)
    rng = np.random.default_rng(0)
    points = np.arange(num_points) / num_points
    return xr.Dataset(
        {
            "vorticity": (dims, rng.normal(1, 2, shape).astype(np.float32)),
            "height": (dims, rng.normal(100, 10, shape).astype(np.float32)),
        },
        coords={
            "trajectory": [4, 9],
            "time": ("time", 10 + 0.25 * np.arange(num_frames), {"units": "s"}),
            "y": ("y", points, {"units": "m"}),
            "x": ("x", points, {"units": "m"}),
        },
        **extra,
    )


# Channels of the window are (vorticity, height) of the older frame, then of the newer one.
MATRIX = [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]


def test_a_step_of_predicted_change_follows_the_formula() -> None:
    window = torch.tensor([[[2.0, 90.0], [3.0, 120.0]]])[..., None, None].expand(1, 2, 2, 4, 4)
    stepped = pointwise(MATRIX).step(window)
    assert torch.equal(stepped[:, 0], window[:, 1])
    # vorticity: 3 + 0.5 * (90 - 100) / 10; height: 120 + 4 * (3 - 1) / 2
    torch.testing.assert_close(stepped[0, 1, :, 0, 0], torch.tensor([2.5, 124.0]))


def test_a_step_of_predicted_frames_follows_the_formula() -> None:
    window = torch.tensor([[[2.0, 90.0], [3.0, 120.0]]])[..., None, None].expand(1, 2, 2, 4, 4)
    stepped = pointwise(MATRIX, replace(INFO, predicts_change=False)).step(window)
    # vorticity: 1 + 2 * (90 - 100) / 10; height: 100 + 10 * (3 - 1) / 2
    torch.testing.assert_close(stepped[0, 1, :, 0, 0], torch.tensor([-1.0, 110.0]))


@pytest.mark.parametrize("predicts_change", [True, False])
def test_the_networks_target_is_what_makes_a_step_right(predicts_change: bool) -> None:
    surrogate = pointwise(MATRIX, replace(INFO, predicts_change=predicts_change))
    window = torch.randn(3, 2, 2, 4, 4)
    answers: list[torch.Tensor] = []
    surrogate.module.register_forward_hook(lambda _module, _given, out: answers.append(out))
    stepped = surrogate.step(window)
    target = surrogate.network_target(window, stepped[:, -1:])
    torch.testing.assert_close(target, answers[0], atol=1e-5, rtol=1e-5)
    two_frames = surrogate.network_target(window, stepped)
    assert torch.equal(two_frames[:, 2:], target)


def test_a_field_that_never_changes_is_not_divided_by_zero() -> None:
    statistics = replace(STATISTICS, std=(2.0, 0.0), change_std=(0.5, 0.0))
    surrogate = pointwise(MATRIX, replace(INFO, statistics=statistics))
    assert surrogate.change_std.flatten().tolist() == [0.5, 1.0]
    assert surrogate.step(torch.full((1, 2, 2, 4, 4), 100.0)).isfinite().all()


def test_a_rollout_holds_predicted_frames_only_and_says_where_they_belong() -> None:
    given = flow()
    surrogate = pointwise(MATRIX)
    forecast = surrogate.rollout(given, 3)
    assert dict(forecast.sizes) == {"trajectory": 2, "time": 3, "y": 8, "x": 8}
    np.testing.assert_allclose(forecast["time"], [10.75, 11.0, 11.25])
    np.testing.assert_allclose(forecast["lead_time"], [0.25, 0.5, 0.75])
    assert forecast["time"].attrs["units"] == forecast["lead_time"].attrs["units"] == "s"
    assert forecast["trajectory"].values.tolist() == [4, 9]
    assert forecast["height"].attrs == {
        "units": "m",
        "long_name": "height",
        "standard_name": "height",
    }
    xr.testing.assert_identical(forecast["y"], given["y"])

    older, newer = (given.isel(time=i) for i in (1, 2))
    first = newer["vorticity"] + 0.5 * (older["height"] - 100) / 10
    np.testing.assert_allclose(forecast["vorticity"][:, 0], first, rtol=1e-5)
    second = forecast["vorticity"][:, 0] + 0.5 * (newer["height"] - 100) / 10
    np.testing.assert_allclose(forecast["vorticity"][:, 1], second, rtol=1e-5)


def test_a_rollout_does_not_depend_on_the_batch_size_or_the_order_of_dimensions() -> None:
    surrogate, given = pointwise(MATRIX), flow()
    whole = surrogate.rollout(given, 2)
    xr.testing.assert_identical(whole, surrogate.rollout(given, 2, batch_size=1))
    xr.testing.assert_identical(
        whole, surrogate.rollout(given.transpose("x", "time", "y", "trajectory"), 2)
    )


def test_channels_are_in_the_order_of_the_surrogates_fields() -> None:
    surrogate, given = pointwise(MATRIX), flow()
    swapped = given[["height", "vorticity"]]
    xr.testing.assert_identical(surrogate.rollout(given, 2), surrogate.rollout(swapped, 2))
    other = replace(
        INFO,
        fields=(HEIGHT, VORTICITY),
        statistics=FieldStatistics(("height", "vorticity"), (100.0, 1.0), (10.0, 2.0), (4.0, 0.5)),
    )
    # The same map with its rows and columns in the other order.
    turned = pointwise([[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]], other)
    xr.testing.assert_identical(
        surrogate.rollout(given, 2), turned.rollout(given, 2)[["vorticity", "height"]]
    )


def test_a_single_trajectory_and_a_finer_grid_are_welcome() -> None:
    forecast = pointwise(MATRIX).rollout(flow(num_points=16).isel(trajectory=0), 1)
    assert dict(forecast.sizes) == {"trajectory": 1, "time": 1, "y": 16, "x": 16}


def test_a_rollout_leaves_the_module_in_its_mode() -> None:
    surrogate = pointwise(MATRIX)
    surrogate.module.train()
    surrogate.rollout(flow(), 1)
    assert surrogate.module.training


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            flow().rename(vorticity="vorticty"),
            r"unknown field 'vorticity' \(did you mean 'vorticty'\?\); known are vorticty, height",
        ),
        (flow(num_frames=1), "needs 2 given frames, the data hold 1"),
        (flow(num_frames=5).isel(time=slice(None, None, 2)), "steps by 0.25 .* are 0.5 apart"),
        (flow().rename(y="latitude"), "must have dimensions"),
        (flow().assign_coords(x=np.arange(8) / 4), "extent 1 along x, the data's is 2"),
    ],
)
def test_data_that_do_not_fit_are_refused(given: xr.Dataset, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pointwise(MATRIX).rollout(given, 1)


def test_network_inputs_are_what_a_step_applies_the_module_to() -> None:
    surrogate, given = random_surrogate(MultiResNet(width=4, levels=2)), flow(num_points=16)
    applied = []
    hook = surrogate.module.register_forward_pre_hook(lambda _module, seen: applied.append(*seen))
    surrogate.rollout(given, 1)
    hook.remove()
    assert torch.equal(surrogate.network_inputs(given), applied[0])
    with pytest.raises(ValueError, match="unknown field"):
        surrogate.network_inputs(given.drop_vars("height"))


def test_a_rollout_of_no_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        pointwise(MATRIX).rollout(flow(), 0)


def test_info_survives_json() -> None:
    info = replace(INFO, options={"bias": False, "scales": (1, 2)})
    assert SurrogateInfo.from_dict(json.loads(json.dumps(info.to_dict()))) == info
    assert info.training_grid == PeriodicBox((8, 8), (1.0, 1.0))


def test_statistics_of_other_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="statistics are of"):
        replace(INFO, fields=(HEIGHT, VORTICITY))


@pytest.mark.parametrize(
    "spec",
    [
        ClassicalUNet(width=4, levels=1),
        ResidualUNet(width=4, levels=1, norm="group"),
        MultiResNet(width=4, levels=1, space=Strided()),
        FNO(modes=2, width=4, layers=1),
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_a_saved_surrogate_predicts_the_same_bits(spec: ModelSpec, tmp_path: Path) -> None:
    surrogate = random_surrogate(spec, **parts_to_plain(spec))
    surrogate.save(tmp_path / "run")
    loaded = Surrogate.load(tmp_path / "run")
    assert loaded.info == surrogate.info
    given = flow()
    xr.testing.assert_identical(loaded.rollout(given, 3), surrogate.rollout(given, 3))
    assert not any(parameter.requires_grad for parameter in loaded.module.parameters())
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "model.safetensors",
        "surrogate.json",
    ]


def test_own_specs_are_built_only_when_they_are_handed_in(tmp_path: Path) -> None:
    surrogate = random_surrogate(Pointwise(), bias=False)
    surrogate.save(tmp_path)
    with pytest.raises(ValueError, match="unknown model 'Pointwise'"):
        Surrogate.load(tmp_path)
    loaded = Surrogate.load(tmp_path, specs=[Pointwise])
    assert torch.equal(loaded.module.weight, surrogate.module.weight)


class Net(nn.Conv2d):
    """A network that knows nothing of surrogates."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)


@pytest.mark.parametrize(
    ("base", "allowed", "sentence"),
    [
        (MultiResNet(width=4, levels=1, space=Strided()), [], None),
        (Extended(FNO(modes=2, width=4, layers=1), width=4, space=Haar()), [], None),
        (Pointwise(), [Pointwise], r"unknown part '.*Pointwise'.*only if you allow it"),
        (Extended(Pointwise()), [Pointwise], r"unknown part '.*Pointwise'.*only if you allow it"),
        (UserModel.of(Net), [Net], "its network .*Net is not one of ours.*only if you allow it"),
    ],
    ids=str,
)
def test_an_extended_model_is_built_from_its_file_if_its_base_may_be(
    base: ModelSpec, allowed: list[type], sentence: str | None, tmp_path: Path
) -> None:
    spec = Extended(base, width=4)
    surrogate = random_surrogate(spec, **parts_to_plain(spec))
    surrogate = Surrogate(
        surrogate.module, replace(surrogate.info, grid=PeriodicBox((32, 32), (1.0, 1.0)).to_dict())
    )
    surrogate.save(tmp_path)
    if sentence is not None:
        with pytest.raises(ValueError, match=f"(?s){tmp_path}.*{sentence}"):
            Surrogate.load(tmp_path)
    loaded = Surrogate.load(tmp_path, specs=allowed)
    given = flow(num_points=32)
    xr.testing.assert_identical(loaded.rollout(given, 2), surrogate.rollout(given, 2))


def edited(directory: Path, **changes: Any) -> None:
    path = directory / "surrogate.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no directory .*nowhere"):
        Surrogate.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"surrogate\.json is missing"):
        Surrogate.load(tmp_path)
    pointwise(MATRIX).save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is missing"):
        Surrogate.load(tmp_path, specs=[Pointwise])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "something/2"}, "does not describe a surrogate: format is 'something/2'"),
        ({"options": {"width": 3}}, "gives Pointwise options it does not take"),
        ({"fields": [{}, {}]}, "does not describe a surrogate"),
        ({"grid": {"type": "Torus"}}, "does not describe a surrogate: unknown grid 'Torus'"),
        ({"model": "ModelSpec"}, "unknown model 'ModelSpec'"),
        ({"model": "count_flops"}, "unknown model 'count_flops'"),
        ({"options": {"bias": True}}, "does not fit the model: tensor 'bias' is not in both"),
        ({"history": 3}, "does not fit the model: tensor 'weight' has another shape"),
    ],
)
def test_foreign_descriptions_are_refused(
    changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    pointwise(MATRIX).save(tmp_path)
    edited(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"(?s){tmp_path}.*{sentence}"):
        Surrogate.load(tmp_path, specs=[Pointwise])


def test_damaged_files_are_named(tmp_path: Path) -> None:
    pointwise(MATRIX).save(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        Surrogate.load(tmp_path, specs=[Pointwise])
    (tmp_path / "surrogate.json").write_text('{"format": ')
    with pytest.raises(ValueError, match=r"surrogate\.json does not describe a surrogate"):
        Surrogate.load(tmp_path, specs=[Pointwise])


def test_weights_of_another_surrogate_are_refused(tmp_path: Path) -> None:
    pointwise(MATRIX).save(tmp_path / "one")
    pointwise([row[::-1] for row in MATRIX]).save(tmp_path / "two")
    (tmp_path / "one" / "model.safetensors").replace(tmp_path / "two" / "model.safetensors")
    with pytest.raises(ValueError, match="damaged or of another surrogate"):
        Surrogate.load(tmp_path / "two", specs=[Pointwise])


@pytest.mark.parametrize("moment", ["mean", "std", "change_std"])
def test_statistics_are_one_finite_number_for_each_field(moment: str) -> None:
    for numbers, message in (
        ([1.0, 2.0, 3.0], rf"statistics\.{moment} has 3 numbers for 2 fields"),
        ([1.0, float("nan")], rf"statistics\.{moment} must hold finite numbers"),
    ):
        plain = INFO.to_dict()
        plain["statistics"][moment] = numbers
        with pytest.raises(ValueError, match=message):
            SurrogateInfo.from_dict(plain)
