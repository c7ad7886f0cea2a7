"""The contract of an objective: from given frames, predict, and compare with what followed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.models import Part
from pdesurrogate.models.options import require_at_least
from pdesurrogate.rollout import rollout
from pdesurrogate.training.losses import Criterion

__all__ = ["Objective", "SeveralSteps", "Step", "predicted_blocks"]

Step = Callable[[Float[Tensor, "batch time channel y x"]], Float[Tensor, "batch time channel y x"]]
"""Advances a window, differentiably; the newly predicted frames are its last ones."""


@dataclass(frozen=True)
class Objective(Part, ABC):
    """A number to minimise, given the frames of a batch of windows.

    A subclass is a frozen dataclass whose fields are the objective's options, each with a default.
    Exporting it from `pdesurrogate.training.objectives` makes it known by its name:
    `train --objective NAME --objective.option value`.
    """

    @property
    @abstractmethod
    def num_steps(self) -> int:
        """Steps, at most, that it asks of the network, each of which predicts `bundle` frames."""

    def at(self, progress: float) -> Objective:
        """The objective at a time of the training, for those that change; by default itself.

        Args:
            progress: Share of the optimiser's steps that are done, from 0 to 1; of those of the
                stage in a staged training.
        """
        return self

    @abstractmethod
    def __call__(
        self,
        step: Step,
        given: Float[Tensor, "batch history channel y x"],
        following: Float[Tensor, "batch horizon channel y x"],
        loss: Criterion,
    ) -> Float[Tensor, ""]:
        """Mean loss of the batch.

        Args:
            step: The network as a step.
            given: The frames that it starts from.
            following: The true frames after them, `num_steps` times as many as a step predicts.
            loss: Compares predicted with true frames; it ignores channels that are conditions.
        """


@dataclass(frozen=True)
class SeveralSteps(Objective, ABC):
    """An objective of several steps in a row.

    Args:
        steps: How many.

    Raises:
        ValueError: If `steps` is below 1.
    """

    steps: int = 2

    def __post_init__(self) -> None:
        require_at_least(self, steps=1)

    @property
    def num_steps(self) -> int:
        """As many as `steps`."""
        return self.steps


def predicted_blocks(
    step: Step,
    given: Float[Tensor, "batch history channel y x"],
    following: Float[Tensor, "batch horizon channel y x"],
    num_steps: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """What each step of a rollout predicts, and what is true.

    Args:
        step: The network as a step.
        given: The frames that it starts from.
        following: The true frames after them.
        num_steps: Steps to take; each predicts an equal share of `following`.

    Yields:
        Predicted and true frames of one step, `(batch, bundle, channel, y, x)`.
    """
    bundle = following.shape[1] // num_steps
    for window, truth in zip(
        rollout(step, given, num_steps), following.split(bundle, dim=1), strict=True
    ):
        yield window[:, -bundle:], truth
