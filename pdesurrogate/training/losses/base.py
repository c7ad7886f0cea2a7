"""The contract of a loss: a choice of the user's that is bound to fields and a grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.models import Part

__all__ = ["Criterion", "FrameLoss", "LossSetting"]

Criterion = Callable[
    [Float[Tensor, "batch time field y x"], Float[Tensor, "batch time field y x"]],
    Float[Tensor, ""],
]
"""From predicted and true frames, in physical units, to a number: a mean over the batch."""


@dataclass(frozen=True)
class LossSetting:
    """What a loss may know of the frames that it compares.

    Args:
        fields: What the channels are, in order.
        grid: Where they are sampled.
        change_std: Each field's standard deviation of the change over one step, the natural unit of
            its error: predicting no change at all then costs about 1.
    """

    fields: tuple[Field, ...]
    grid: Grid
    change_std: Float[Tensor, "field 1 1"]


@dataclass(frozen=True)
class FrameLoss(Part, ABC):
    """A way to compare predicted frames with true ones.

    A subclass is a frozen dataclass whose fields are the loss's options, each with a default.
    Exporting it from `pdesurrogate.training.losses` makes it known by its name:
    `train --loss NAME --loss.option value`.
    """

    @abstractmethod
    def on(self, setting: LossSetting) -> Criterion:
        """The loss for such fields on such a grid.

        It must be a mean over the batch, so that the parts of a batch that is computed in pieces,
        or by several processes, add up to that of the whole.

        Args:
            setting: Fields, grid and units.

        Raises:
            ValueError: If the fields or the grid lack what the loss is about.
        """
