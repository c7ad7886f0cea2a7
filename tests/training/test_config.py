import inspect
from typing import Any

import pytest

from pdesurrogate.training import Stage, TrainingConfig


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("epochs", 0, "epochs must be at least 1, got 0"),
        ("frame_stride", 0, "frame_stride must be at least 1, got 0"),
        ("history", 0, "history must be at least 1, got 0"),
        ("bundle", 0, "bundle must be at least 1, got 0"),
        ("learning_rate", 0.0, "learning_rate must be positive, got 0.0"),
        ("learning_rate", float("nan"), "learning_rate must be positive, got nan"),
        ("weight_decay", -1.0, "weight_decay must be at least 0"),
        ("warmup", 1.0, "warmup must be at least 0 and below 1, got 1.0"),
        ("gradient_clip", 0.0, "gradient_clip must be positive"),
        ("ema_decay", 1.0, "ema_decay must be between 0 and 1"),
        ("learning_rate", 1e-7, "min_learning_rate 1e-06 is above learning_rate 1e-07"),
        ("fields", ("a", "a"), "fields must name each one once"),
        ("fields", (), "fields must name at least one field"),
        ("device", "tpu", "device must be cpu, cuda or cuda:N, got 'tpu'"),
        ("device", "meta", "device must be cpu, cuda or cuda:N, got 'meta'"),
        ("seed", -1, "seed must be at least 0"),
    ],
)
def test_values_outside_their_range_are_named(option: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainingConfig(**{option: value})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"level_loss": 0.5, "compile": True}, "level_loss looks into the network"),
        ({"level_loss": 0.5, "shard": True}, "level_loss and shard exclude each other"),
        ({"accumulation": 5, "batch_size": 4}, "accumulation 5 is more pieces than a batch of 4"),
        ({"validation_lead": 9}, "validation_lead 9 lies beyond the 8 validation_steps"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"time_budget": 0.0}, "time_budget must be positive, got 0.0"),
        ({"noise": -0.1}, "noise must be at least 0, got -0.1"),
        ({"trackers": ("wandb", "wandb")}, "trackers must name each one once"),
    ],
)
def test_choices_that_do_not_go_together_are_named(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainingConfig(**options)


def test_what_is_optional_may_be_left_out() -> None:
    config = TrainingConfig(gradient_clip=None, ema_decay=None, fields=None, device="cuda:1")
    assert config.gradient_clip is None
    assert config.learning_rate is None


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("slows_wide_layers", "false", "slows_wide_layers must be true or false, got 'false'"),
        ("compile", None, "compile must be true or false, got None"),
        ("predicts_change", 0, "predicts_change must be true or false, got 0"),
        ("trackers", None, "trackers must be a list, got None"),
        ("epochs", None, "epochs must be a whole number, got None"),
        ("rollbacks", None, "rollbacks must be a whole number, got None"),
        ("warmup", None, "warmup must be a number, got None"),
        ("device", None, "device must be cpu, cuda or cuda:N, got None"),
    ],
)
def test_values_of_other_kinds_are_named(option: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make_unchecked(TrainingConfig, **{option: value})


def make_unchecked(kind: type, **options: Any) -> None:
    """Without the type checks that only the tests have."""
    inspect.unwrap(kind.__init__)(object.__new__(kind), **options)


def test_stages_count_in_whole_numbers() -> None:
    with pytest.raises(ValueError, match="resolution of a stage must be a whole number, got '16'"):
        make_unchecked(Stage, resolution="16", epochs=1)
    with pytest.raises(ValueError, match=r"epochs of a stage must be a whole number, got 1\.5"):
        make_unchecked(Stage, resolution=16, epochs=1.5)
