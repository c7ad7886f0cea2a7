"""An objective whose rollouts grow longer during the training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.training.losses import Criterion
from pdesurrogate.training.objectives.base import Objective, Step
from pdesurrogate.training.objectives.unrolled import Unrolled

__all__ = ["Curriculum"]


@dataclass(frozen=True)
class Curriculum(Objective):
    r"""Another objective whose number of steps grows from 1 to its own.

    With $m$ steps, each of the horizons $1, …, m - 1$ is trained for an equal share of the first
    `growth` of the training, and $m$ from then on; of each stage, if there are several. Early on,
    when a rollout says little but that the network is untrained, steps are few and cheap.

    Args:
        of: The objective at the end; one that has an option `steps`. None for `Unrolled(4)`.
        growth: Share of the training after which it has all its steps.

    Raises:
        ValueError: If `of` has no option `steps`, or `growth` is not between 0 and 1.

    References:
        Lam et al. (2023), *Learning skillful medium-range global weather forecasting*, train first
        on one step and then on ever more.
    """

    of: Objective | None = None
    growth: float = 0.5

    def __post_init__(self) -> None:
        if not hasattr(self.whole, "steps"):
            raise ValueError(
                "Curriculum.of must be an objective with an option steps, such as Unrolled, "
                f"got {type(self.whole).__name__}"
            )
        if not 0 < self.growth < 1:
            raise ValueError(f"Curriculum.growth must lie between 0 and 1, got {self.growth}")

    @property
    def whole(self) -> Objective:
        """The objective at the end."""
        return self.of or Unrolled(4)

    @property
    def num_steps(self) -> int:
        """As many as at the end."""
        return self.whole.num_steps

    def at(self, progress: float) -> Objective:
        """The objective with as many steps as it has by then."""
        steps = 1 + int(progress / self.growth * (self.num_steps - 1))
        options: dict[str, Any] = {"steps": min(steps, self.num_steps)}
        return replace(self.whole, **options)

    def __call__(
        self,
        step: Step,
        given: Float[Tensor, "batch history channel y x"],
        following: Float[Tensor, "batch horizon channel y x"],
        loss: Criterion,
    ) -> Float[Tensor, ""]:
        """What the objective is at the end."""
        return self.whole(step, given, following, loss)
