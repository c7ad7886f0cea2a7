"""What a network is told: it reaches the weights, it is learnt from, and it stays what it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pdesurrogate.data import (
    Choice,
    Distribution,
    Ladder,
    LogUniform,
    RandomSeed,
    Splits,
    Uniform,
    Windows,
    condition_statistics,
    generate,
    load_frames,
)
from pdesurrogate.grids import Grid
from pdesurrogate.models import FNO, ModelSpec, MultiResNet, ResidualUNet, count_flops
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import OneStep, TrainingConfig, learner, preparation, train
from pdesurrogate.training.batches import FramesInMemory
from tests.decay import Decay, decay_recipe

CONFIG = TrainingConfig(epochs=2, batch_size=6, validation_steps=2)
SPEC = MultiResNet(width=4, levels=1)


@dataclass(frozen=True)
class Pointwise(ModelSpec):
    """A small multilayer perceptron at each point."""

    width: int = 24

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(in_channels, self.width, 1),
            nn.GELU(),
            nn.Conv2d(self.width, self.width, 1),
            nn.GELU(),
            nn.Conv2d(self.width, out_channels, 1),
        )


@pytest.fixture(scope="module")
def decay(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    return generate(decay_recipe(), tmp_path_factory.mktemp("decay") / "data", workers=1)


@pytest.fixture(scope="module")
def told(decay: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Surrogate:
    """Told everything, after two epochs."""
    return train(SPEC, decay, 8, tmp_path_factory.mktemp("told") / "run", CONFIG)


def weights(surrogate: Surrogate) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for w in surrogate.module.parameters()])


def test_a_network_is_told_everything_unless_it_is_asked_otherwise(
    told: Surrogate, decay: Ladder, tmp_path: Path
) -> None:
    assert told.info.condition_names == ("rate", "edge", "mask")
    assert told.info.field_names == ("concentration",)
    assert told.info.in_channels == 4
    assert told.info.flops == count_flops(told.module, 4, decay.grid(8))
    alone = train(SPEC, decay, 8, tmp_path / "none", replace(CONFIG, conditioning=()))
    assert alone.info.conditioning == ()
    some = replace(CONFIG, conditioning=("mask", "rate"), history=2)
    assert train(SPEC, decay, 8, tmp_path / "some", some).info.in_channels == 4


def test_statistics_are_those_of_the_training_split(decay: Ladder) -> None:
    rate, edge, mask = condition_statistics(decay, 8, ("rate", "edge", "mask"))
    values = decay.parameter_values("train")
    logarithm = np.log(values["rate"])
    assert (rate.is_field, rate.is_logarithmic) == (False, True)
    assert (rate.mean, rate.std) == pytest.approx((logarithm.mean(), logarithm.std()))
    assert (edge.is_field, edge.is_logarithmic) == (False, False)
    assert (edge.mean, edge.std) == pytest.approx((values["edge"].mean(), values["edge"].std()))
    frames = decay.train[8].mask.values.astype(np.float64)
    assert (mask.is_field, mask.is_logarithmic) == (True, False)
    assert (mask.mean, mask.std) == pytest.approx((frames.mean(), frames.std()))


@pytest.mark.parametrize(
    ("distribution", "is_logarithmic"),
    [
        (Choice([0.01, 0.11]), True),
        (Choice([0.02, 0.11]), False),
        (Choice([0.0, 0.11]), False),
        (LogUniform(0.1, 0.11), True),
    ],
)
def test_the_logarithm_is_taken_of_what_spans_more_than_a_decade(
    distribution: Distribution, is_logarithmic: bool, tmp_path: Path
) -> None:
    recipe = decay_recipe(parameters={"rate": distribution}, splits=Splits(6, 0, 0))
    data = generate(recipe, tmp_path / "data", workers=1)
    (rate,) = condition_statistics(data, 8, ("rate",))
    assert rate.is_logarithmic == is_logarithmic


def test_what_is_constant_is_not_divided_by_zero(tmp_path: Path) -> None:
    recipe = decay_recipe(
        equation=Decay(edge=2.0), parameters={"rate": Choice([0.1])}, splits=Splits(3, 1, 0)
    )
    data = generate(recipe, tmp_path / "data", workers=1)
    rate, mask = condition_statistics(data, 8, ("rate", "mask"))
    assert rate.std == mask.std == 0.0
    seen = []

    class Listening(nn.Conv2d):
        def forward(self, window: torch.Tensor) -> torch.Tensor:
            seen.append(window)
            return super().forward(window)

    surrogate = train(SPEC, data, 8, tmp_path / "run", replace(CONFIG, epochs=1))
    listening = Surrogate(Listening(3, 1, 1), surrogate.info)
    listening.rollout(data.valid[8], 1)
    assert seen[0][:, 1:].abs().max() < 1e-6


def test_random_seeds_tell_nothing(tmp_path: Path) -> None:
    drawn = {"pattern": RandomSeed(), "edge": Uniform(0.1, 0.9)}
    recipe = decay_recipe(parameters=drawn, splits=Splits(3, 1, 0))
    data = generate(recipe, tmp_path / "data", workers=1)
    assert preparation.completed(CONFIG, SPEC, data).conditioning == ("edge", "mask")


def test_the_loss_and_the_validation_see_predicted_channels_alone(
    decay: Ladder, told: Surrogate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the output layer at zero, no change is predicted: the loss is 1 by normalisation."""
    surrogate = Surrogate(told.module, told.info)
    config = preparation.completed(CONFIG, SPEC, decay)
    source = preparation.window_source(decay, 8, config, torch.device("cpu"))
    (windows,) = source.read([torch.arange(len(source))])

    def persist(window: torch.Tensor) -> torch.Tensor:
        return torch.cat([window[:, 1:], window[:, -1:]], dim=1)

    compare = preparation.bound_loss(surrogate, config, decay.grid(8))
    loss = OneStep()(persist, windows[:, :1], windows[:, 1:], compare)
    assert loss.item() == pytest.approx(1.0, rel=1e-5)
    validation = preparation.rollout_validation(decay, 8, config, torch.device("cpu"))
    assert validation.windows.shape[2] == 4
    monkeypatch.setattr(surrogate, "step", persist)
    _, error, _ = validation(surrogate)
    frames = validation.windows[:, :, 0].double()
    norms = (frames[:, :1] - frames[:, 1:]).norm(dim=(-2, -1)) / frames[:, 1:].norm(dim=(-2, -1))
    assert error == pytest.approx(norms.mean().item(), rel=1e-5)


def test_memory_and_disk_hand_out_the_same_channels(
    decay: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = preparation.completed(CONFIG, SPEC, decay)
    memory = preparation.window_source(decay, 8, config, torch.device("cpu"))
    assert isinstance(memory, FramesInMemory)
    assert memory.frames.shape == (6, 5, 1, 8, 8)
    assert memory.conditions is not None
    assert memory.conditions.shape == (6, 3, 8, 8)  # once, not in every frame
    (first,) = memory.read([torch.arange(len(memory))])
    windows = Windows(decay, "train", 8, ("concentration", "rate", "edge", "mask"), 1, 1)
    for number in (0, 7, 23):
        assert torch.equal(first[number], windows[number])
    values = decay.parameter_values("train")
    assert (windows[9][:, 1] == np.float32(values["rate"][2])).all()
    frames = load_frames(decay, "train", 8, ("edge", "mask"), time=slice(1, 3))
    assert torch.equal(frames[:, 0, 1], torch.from_numpy(decay.train[8].mask.values))
    assert (frames[4, :, 0] == np.float32(values["edge"][4])).all()

    kept = train(SPEC, decay, 8, tmp_path / "memory", CONFIG)
    monkeypatch.setattr(preparation, "IN_MEMORY_BYTES", 0)
    read = train(SPEC, decay, 8, tmp_path / "disk", CONFIG)
    assert torch.equal(weights(kept), weights(read))


@pytest.mark.parametrize(
    "spec",
    [SPEC, ResidualUNet(width=4, levels=1), FNO(modes=2, width=4, layers=1)],
    ids=lambda spec: type(spec).__name__,
)
def test_gradients_reach_the_weights_of_every_condition(
    spec: ModelSpec, decay: Ladder, tmp_path: Path
) -> None:
    """And the conditions themselves."""
    surrogate = train(spec, decay, 8, tmp_path / "run", replace(CONFIG, epochs=1))
    names = ("concentration", *surrogate.info.condition_names)
    window = load_frames(decay, "train", 8, names, time=slice(0, 1)).requires_grad_()
    surrogate.step(window)[:, -1, 0].square().sum().backward()
    assert window.grad is not None
    assert window.grad.isfinite().all()
    assert (window.grad.abs().amax(dim=(0, 1, 3, 4)) > 0).all()


def one_step_error(surrogate: Surrogate, data: Ladder) -> float:
    given = data.test[8]
    forecast = surrogate.rollout(given.isel(time=slice(0, 1)), 1)
    truth = given["concentration"].isel(time=1).values
    return float(
        np.linalg.norm(forecast["concentration"].isel(time=0).values - truth)
        / np.linalg.norm(truth)
    )


def test_a_rate_that_differs_is_learnt_only_by_who_is_told(tmp_path: Path) -> None:
    """Rates of decay between 0.02 and 2, and four times as large on one side of an edge."""
    recipe = decay_recipe(splits=Splits(32, 2, 16), batch_size=16, spin_up_frames=0)
    data = generate(recipe, tmp_path / "data", workers=1)
    config = TrainingConfig(
        epochs=15, batch_size=12, validation_steps=1, learning_rate=1e-2, conditioning=()
    )
    errors = {}
    for names in ((), ("rate",), ("rate", "mask")):
        own = replace(config, conditioning=names)
        out = tmp_path / "-".join(("run", *names))
        errors[names] = one_step_error(train(Pointwise(), data, 8, out, own), data)
    # 0.370 told nothing, 0.170 told the rate, 0.057 told the mask as well
    assert errors["rate",] < 0.6 * errors[()]
    assert errors["rate", "mask"] < 0.3 * errors[()]


def test_a_resumed_training_ends_with_the_same_bits(
    decay: Ladder, told: Surrogate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, steps = learner.clip_grad_norm_, iter(range(100))

    def cut(*args: object) -> torch.Tensor:
        if next(steps) == 5:
            raise RuntimeError("power cut")
        return clip(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(learner, "clip_grad_norm_", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train(SPEC, decay, 8, tmp_path / "cut", CONFIG)
    resumed = train(SPEC, decay, 8, tmp_path / "cut", CONFIG, resume=True)
    assert torch.equal(weights(resumed), weights(told))
    with pytest.raises(ValueError, match=r"trained with conditioning \['rate', 'edge', 'mask'\]"):
        train(SPEC, decay, 8, tmp_path / "cut", replace(CONFIG, conditioning=()), resume=True)


def test_a_run_from_before_there_was_conditioning_may_be_resumed(flow: Ladder, out: Path) -> None:
    train(SPEC, flow, 8, out, CONFIG)
    settings = out / "config.yaml"
    assert "conditioning: []\n" in settings.read_text()
    settings.write_text(settings.read_text().replace("conditioning: []\n", ""))
    train(SPEC, flow, 8, out, CONFIG, resume=True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fields": ("mask",)}, "fields must not name 'mask', which never changes"),
        ({"conditioning": ("rte",)}, r"'rte' \(did you mean 'rate'\?\); known are concentration"),
        (
            {"conditioning": ("concentration",)},
            "'concentration' changes with time, .* of decay are: rate, edge, mask",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(
    changes: dict[str, tuple[str, ...]], sentence: str, decay: Ladder, out: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        train(SPEC, decay, 8, out, replace(CONFIG, **changes))
    assert not out.exists()


def test_a_quantity_is_named_once() -> None:
    with pytest.raises(ValueError, match="conditioning must name each one once"):
        TrainingConfig(conditioning=("rate", "rate"))
