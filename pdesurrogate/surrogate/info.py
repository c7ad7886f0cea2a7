"""What is to be known of a surrogate besides its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pdesurrogate.conditioning import Condition
from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import Grid, grid_from_dict
from pdesurrogate.surrogate.carried_frame import CarriedFrame

__all__ = ["SurrogateInfo"]

FORMAT = "pdesurrogate.surrogate/1"
"""Tag of `surrogate.json`; the number rises when old files can no longer be read."""


@dataclass(frozen=True)
class SurrogateInfo:
    """What is to be known of a surrogate besides its weights.

    Args:
        name: How tables and pictures call it.
        model: Name of the model's spec, such as `MultiResNet`.
        options: The spec's fields.
        fields: Predicted fields, in channel order.
        history: Frames given to the network.
        time_step: Time between frames, in the dataset's unit of time.
        statistics: Normalisation, from the training split.
        predicts_change: Whether the network's output is the change of the last frame (in units of
            `change_std`) or the next frame itself (normalised).
        grid: The training grid, as `Grid.to_dict` describes it.
        dataset: Name of the dataset it was trained on.
        dataset_sha256: Identity of that dataset.
        parameters: Real numbers that were trained.
        flops: Floating-point operations of the network in one step of one trajectory on the
            training grid, whatever the number of frames that the step predicts.
        training_seconds: Wall time of the training.
        epochs: Epochs after which these weights were taken.
        seed: Seed of the training.
        settings: Fingerprint of model and training settings without the seed; trainings that share
            it differ by their seed alone.
        conditioning: What the network is told besides the fields, in channel order. (Runs that were
            saved before there was conditioning have none.)
        bundle: Frames that the network predicts at once. (In runs that were saved before there were
            bundles it is 1.)
        carried: What transport makes of the last frame, if the network is shown it; its prediction
            begins there instead of at the last frame. (Earlier runs have none.)

    Raises:
        ValueError: If the statistics are of other fields or no finite numbers, or `bundle` is below
            1; with `carried`, if `bundle` is above 1, changes are not what is predicted, or there
            is not one finite share for each field.
    """

    name: str
    model: str
    options: dict[str, Any]
    fields: tuple[Field, ...]
    history: int
    time_step: float
    statistics: FieldStatistics
    predicts_change: bool
    grid: dict[str, Any]
    dataset: str
    dataset_sha256: str
    parameters: int
    flops: int
    training_seconds: float
    epochs: int
    seed: int
    settings: str = ""
    conditioning: tuple[Condition, ...] = ()
    bundle: int = 1
    carried: CarriedFrame | None = None

    def __post_init__(self) -> None:
        if self.field_names != self.statistics.fields:
            raise ValueError(
                f"statistics are of {list(self.statistics.fields)}, "
                f"but the fields are {list(self.field_names)}"
            )
        for moment in ("mean", "std", "change_std"):
            _check_numbers(f"statistics.{moment}", getattr(self.statistics, moment), self.fields)
        if self.bundle < 1:
            raise ValueError(f"bundle must be at least 1, got {self.bundle}")
        if self.carried is not None and self.bundle > 1:
            raise ValueError(f"a frame is carried one step, but bundle is {self.bundle}")
        if self.carried is not None and not self.predicts_change:
            raise ValueError("a frame is carried, but predicts_change is false")
        if self.carried is not None:
            _check_numbers("carried.shares", self.carried.shares, self.fields)

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the predicted fields, in channel order."""
        return tuple(field.name for field in self.fields)

    @property
    def condition_names(self) -> tuple[str, ...]:
        """Names of what the network is told besides the fields, in channel order."""
        return tuple(condition.name for condition in self.conditioning)

    @property
    def in_channels(self) -> int:
        """Channels of the network's input.

        Every given frame of the fields, then the conditions, then the change by transport.
        """
        carried = len(self.fields) if self.carried is not None else 0
        return self.history * len(self.fields) + len(self.conditioning) + carried

    @property
    def out_channels(self) -> int:
        """Channels of the network's output: every frame of a bundle, each with all fields."""
        return self.bundle * len(self.fields)

    @property
    def parameter_channels(self) -> tuple[int, ...]:
        """Channels of the network's input that are parameters, constant in space."""
        first = self.history * len(self.fields)
        return tuple(
            first + i for i, condition in enumerate(self.conditioning) if not condition.is_field
        )

    @property
    def training_grid(self) -> Grid:
        """The grid that it was trained on."""
        return grid_from_dict(self.grid)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `SurrogateInfo.from_dict` builds it again."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["fields"] = [field.to_dict() for field in self.fields]
        plain["statistics"] = self.statistics.to_dict()
        plain["conditioning"] = [condition.to_dict() for condition in self.conditioning]
        plain["carried"] = None if self.carried is None else self.carried.to_dict()
        return {"format": FORMAT, **plain}

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> SurrogateInfo:
        """Build what `to_dict` described.

        Raises:
            ValueError: If the description has another format or lacks an entry.
        """
        if description.get("format") != FORMAT:
            raise ValueError(f"format is {description.get('format')!r}, not {FORMAT!r}")
        description = {"conditioning": [], "bundle": 1, "carried": None, **description}
        known = [field.name for field in fields(cls)]
        missing = [name for name in known if name not in description]
        if missing:
            raise ValueError(f"no entry {missing[0]!r}")
        plain = {name: description[name] for name in known}
        plain["options"] = {key: _as_tuple(value) for key, value in plain["options"].items()}
        plain["fields"] = tuple(Field.from_dict(field) for field in plain["fields"])
        plain["statistics"] = FieldStatistics.from_dict(plain["statistics"])
        plain["conditioning"] = tuple(Condition(**entry) for entry in plain["conditioning"])
        if plain["carried"] is not None:
            plain["carried"] = CarriedFrame.from_dict(plain["carried"])
        grid_from_dict(plain["grid"])
        return cls(**plain)


def _check_numbers(name: str, numbers: Sequence[float], fields: Sequence[Field]) -> None:
    """Refuse what is not one finite number for each field."""
    if len(numbers) != len(fields):
        raise ValueError(f"{name} has {len(numbers)} numbers for {len(fields)} fields")
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} must hold finite numbers, got {list(numbers)}")


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
