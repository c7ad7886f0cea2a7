"""One step from true frames."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.training.losses import Criterion
from pdesurrogate.training.objectives.base import Objective, Step

__all__ = ["OneStep"]


@dataclass(frozen=True)
class OneStep(Objective):
    """The error of one step from true frames."""

    @property
    def num_steps(self) -> int:
        """One."""
        return 1

    def __call__(
        self,
        step: Step,
        given: Float[Tensor, "batch history channel y x"],
        following: Float[Tensor, "batch horizon channel y x"],
        loss: Criterion,
    ) -> Float[Tensor, ""]:
        """The loss of what one step predicts."""
        return loss(step(given)[:, -following.shape[1] :], following)
