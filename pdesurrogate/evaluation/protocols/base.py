"""The contract of a transfer protocol: how a step learned on one grid is used on another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.solvers import Carrier
from pdesurrogate.surrogate import CarriedFrame, Surrogate

__all__ = ["InformedStep", "Setting", "Step", "TransferProtocol"]

Step = Callable[
    [Float[Tensor, "batch time channel y x"]], Float[Tensor, "batch latest channel y x"]
]
"""Advances a window by `Setting.bundle` frames, the last ones of the window that it returns.

A window holds frames in a row, oldest first, at least as many as the step looks back. What is
returned are the latest frames, as many as the next step needs and never fewer than are new.
"""


@dataclass(frozen=True)
class InformedStep:
    """A step of a network that is shown the change by transport, told it instead of finding it.

    Args:
        step: Of a window on the training grid and $S u - u$ of its last frame, on that grid.
        carried: What makes that change.
    """

    step: Callable[
        [Float[Tensor, "batch time channel y x"], Float[Tensor, "batch field y x"]],
        Float[Tensor, "batch latest channel y x"],
    ]
    carried: CarriedFrame


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
        bundle: Frames that a step predicts at once.
        carrier: Knows how the flow carries the fields; None where nothing is known of it.
        trust: How far detail in the right place is to be expected, from 1 (as far as can be) to 0,
            one number per predicted frame; empty where it is not known. From rollouts of the
            validation split on the training grid, see `evaluation.trust`.
        extension: What the surrogate was extended by for the evaluation grid, a surrogate of that
            grid; None if it was not.
        informed: The step as one that can be told what a finer grid knows; None if it cannot.
    """

    training_grid: Grid
    evaluation_grid: Grid
    fields: tuple[Field, ...]
    time_step: float
    bundle: int = 1
    carrier: Carrier | None = None
    trust: tuple[float, ...] = ()
    extension: Surrogate | None = None
    informed: InformedStep | None = None


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

    @property
    def uses_trust(self) -> bool:
        """Whether it looks at `Setting.trust`, which takes rollouts to find out."""
        return False

    @abstractmethod
    def carry(self, step: Step, setting: Setting) -> Step:
        """The step on the evaluation grid.

        Args:
            step: Advances a window on the training grid. Whether it can be applied on other
                grids is the model's affair.
            setting: Grids, fields, time step and how many frames a step predicts.

        Returns:
            A step from windows on the evaluation grid to windows on the evaluation grid, which
            returns as many frames as the given one does, the same number of them new. It serves
            one rollout: it may remember what it did in the steps before.
        """

    def reason_against(self, setting: Setting) -> str | None:
        """Why this protocol cannot be used in a setting, as the end of a sentence; None if it can.

        A protocol that is asked for by name is then refused; one that was not is left out.
        """
        return None

    def require(self, setting: Setting) -> None:
        """Refuse a setting that the protocol cannot be used in.

        Raises:
            ValueError: Says why not.
        """
        reason = self.reason_against(setting)
        if reason is not None:
            raise ValueError(f"the protocol {self.name} does not go here: {reason}")
