"""Finding out that a training would be refused before others have taken their hours."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from copy import copy
from typing import NoReturn

from pdesurrogate.data import Ladder
from pdesurrogate.grids import Grid
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.user_code import answering_for, try_out
from pdesurrogate.models.user_model import described
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.trainer import train

__all__ = ["rehearse"]


def rehearse(spec: ModelSpec, data: Ladder, resolution: int, config: TrainingConfig) -> None:
    """Raise what `train` would raise before its first step; nothing is kept of it.

    Building the network is the last that `train` does before it writes: the rehearsal ends there.

    Args:
        spec: The model.
        data: The dataset.
        resolution: The rung to train on.
        config: How to train.

    Raises:
        ValueError: If the arguments do not fit the data or the machine.
    """

    def build_and_end(
        in_channels: int, out_channels: int, grid: Grid, parameters: tuple[int, ...]
    ) -> NoReturn:
        name, _ = described(spec)
        with answering_for(spec, name):
            network = spec.build_conditioned(in_channels, out_channels, grid, parameters)
        try_out(spec, name, network, in_channels, out_channels, grid)
        raise _CurtainError

    rehearsed = copy(spec)
    object.__setattr__(rehearsed, "build_conditioned", build_and_end)  # specs are frozen
    with tempfile.TemporaryDirectory() as nowhere, suppress(_CurtainError):
        train(rehearsed, data, resolution, nowhere, config)


class _CurtainError(BaseException):
    """There is a network that could be trained. What a network raises itself is an Exception."""
