from typing import Any

import pytest

from pdesurrogate.training import TrainingConfig


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


def test_what_is_optional_may_be_left_out() -> None:
    config = TrainingConfig(gradient_clip=None, ema_decay=None, fields=None, device="cuda:1")
    assert config.gradient_clip is None
    assert config.learning_rate is None
