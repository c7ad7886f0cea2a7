"""Several losses at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting
from pdesurrogate.training.losses.mean_square import MeanSquare

__all__ = ["WeightedSum"]


@dataclass(frozen=True)
class WeightedSum(FrameLoss):
    r"""A sum of other losses, $\sum_i w_i\, \ell_i$.

    In a configuration, and likewise behind `--loss.terms` and `--loss.weights`:

        loss:
          class_path: WeightedSum
          init_args:
            terms: [{class_path: MeanSquare}, {class_path: Divergence}]
            weights: [1.0, 0.1]

    Args:
        terms: The losses.
        weights: Their weights, one each.

    Raises:
        ValueError: If there are no terms, other than one weight for each, or a weight that is not
            positive.
    """

    terms: tuple[FrameLoss, ...] = field(default_factory=lambda: (MeanSquare(),))
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(self.terms))
        object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))
        if not self.terms:
            raise ValueError("WeightedSum.terms must name at least one loss, got []")
        if len(self.weights) != len(self.terms):
            raise ValueError(
                "WeightedSum.weights must be as many numbers as there are terms, "
                f"{len(self.terms)}, got {list(self.weights)}"
            )
        if any(not 0 < weight < math.inf for weight in self.weights):
            raise ValueError(f"WeightedSum.weights must be positive, got {list(self.weights)}")

    def on(self, setting: LossSetting) -> Criterion:
        """The sum of the terms for such fields on such a grid.

        Raises:
            ValueError: If a term does not fit.
        """
        criteria = [term.on(setting) for term in self.terms]

        def weighted_sum(
            prediction: Float[Tensor, "batch time field y x"],
            truth: Float[Tensor, "batch time field y x"],
        ) -> Float[Tensor, ""]:
            losses = [
                weight * loss(prediction, truth)
                for weight, loss in zip(self.weights, criteria, strict=True)
            ]
            return sum(losses[1:], losses[0])

        return weighted_sum
