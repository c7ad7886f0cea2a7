"""Finding out that a training would be refused before others have taken their hours."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from torch import nn

from pdesurrogate.data import Ladder
from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import Grid
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.user_code import answering_for, try_out
from pdesurrogate.models.user_model import described
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.trainer import train

__all__ = ["rehearse"]


def rehearse(spec: ModelSpec, data: Ladder, resolution: int, config: TrainingConfig) -> None:
    """Raise what `train` would raise before its first step; nothing is kept of it.

    `train` builds the network last of all that it does before it writes: the rehearsal ends there.

    Args:
        spec: The model.
        data: The dataset.
        resolution: The rung to train on.
        config: How to train.

    Raises:
        ValueError: If the arguments do not fit the data or the machine.
    """
    with tempfile.TemporaryDirectory() as nowhere:
        try:
            train(_Rehearsed(spec), data, resolution, Path(nowhere), config)
        except _CurtainError:
            return


class _CurtainError(Exception):
    """There is a network that could be trained."""


@dataclass(frozen=True)
class _Rehearsed(ModelSpec):
    """A model whose building ends the training."""

    spec: ModelSpec

    @property
    def learning_rate(self) -> float:
        return self.spec.learning_rate

    def check_fields(
        self, fields: Sequence[Field], statistics: FieldStatistics, predicts_change: bool
    ) -> None:
        self.spec.check_fields(fields, statistics, predicts_change)

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> NoReturn:
        raise NotImplementedError("what is trained is built by build_conditioned")

    def build_conditioned(
        self, in_channels: int, out_channels: int, grid: Grid, parameters: tuple[int, ...]
    ) -> NoReturn:
        name, _ = described(self.spec)
        with answering_for(self.spec, name):
            network: nn.Module = self.spec.build_conditioned(
                in_channels, out_channels, grid, parameters
            )
        try_out(self.spec, name, network, in_channels, out_channels, grid)
        raise _CurtainError
