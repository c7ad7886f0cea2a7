"""Several steps in a row, differentiated as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.training.losses import Criterion
from pdesurrogate.training.objectives.base import SeveralSteps, Step, predicted_blocks

__all__ = ["Unrolled"]


@dataclass(frozen=True)
class Unrolled(SeveralSteps):
    r"""The mean error of several steps in a row, each from the one before, with the full gradient.

    $$ \frac1m \sum_{k=1}^m \ell\big(U^k(u_0),\, u_k\big) $$

    The network meets its own errors and is told what they grow into. Memory grows with `steps`.

    Args:
        steps: Steps $m$; with 1 it is `OneStep`.

    Raises:
        ValueError: If `steps` is below 1.

    References:
        Um et al. (2020), *Solver-in-the-Loop: Learning from Differentiable Physics to Interact with
        Iterative PDE-Solvers*. List, Chen & Thuerey (2025), *Differentiability in unrolled training
        of neural physics simulators on transient dynamics*.
    """

    def __call__(
        self,
        step: Step,
        given: Float[Tensor, "batch history channel y x"],
        following: Float[Tensor, "batch horizon channel y x"],
        loss: Criterion,
    ) -> Float[Tensor, ""]:
        """The mean loss over the steps of the rollout."""
        blocks = predicted_blocks(step, given, following, self.steps)
        losses = [loss(prediction, truth) for prediction, truth in blocks]
        return sum(losses[1:], losses[0]) / self.steps
