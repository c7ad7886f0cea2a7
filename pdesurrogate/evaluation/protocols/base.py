"""The contract of a transfer protocol: how a step learned on one grid is used on another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid

__all__ = ["Setting", "Step", "TransferProtocol"]

Step = Callable[[Float[Tensor, "batch time channel y x"]], Float[Tensor, "batch time channel y x"]]
"""Advances a window by one frame: the oldest frame leaves, the predicted one joins at the end."""


@dataclass(frozen=True)
class Setting:
    """What a protocol may know besides the step that it carries.

    Args:
        training_grid: The grid that the step was trained on.
        evaluation_grid: The grid that it is wanted on, of the same domain and not coarser.
        fields: What the channels are, in order; says which velocity transports which field. A
            window's further channels, if there are any, are what the step is conditioned on: they
            are to be restricted with the rest, and nobody looks at what becomes of them.
        time_step: Time between frames, in the dataset's unit of time.
    """

    training_grid: Grid
    evaluation_grid: Grid
    fields: tuple[Field, ...]
    time_step: float


@dataclass(frozen=True)
class TransferProtocol(ABC):
    """A way to use a step on a finer grid than it was trained on.

    A subclass is a frozen dataclass whose fields are the protocol's options, each with a default.
    Exporting it from `pdesurrogate.evaluation.protocols` makes it known by its name.
    """

    @property
    def name(self) -> str:
        """How the command line and the tables call it: the class's name in lower case."""
        return type(self).__name__.lower()

    @abstractmethod
    def carry(self, step: Step, setting: Setting) -> Step:
        """The step on the evaluation grid.

        Args:
            step: Advances a window on the training grid. Whether it can be applied on other
                grids is the model's affair.
            setting: Grids, fields and time step.

        Returns:
            A step from windows on the evaluation grid to windows on the evaluation grid.
        """
