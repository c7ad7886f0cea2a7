"""Several steps in a row whose gradients stop at every few of them."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.models.options import require_at_least
from pdesurrogate.training.losses import Criterion
from pdesurrogate.training.objectives.base import SeveralSteps, Step

__all__ = ["CutGradients"]


@dataclass(frozen=True)
class CutGradients(SeveralSteps):
    r"""The mean error of several steps in a row, whose gradient passes through few of them.

    $$ \frac1m \sum_{k=1}^m \ell\big(U(\bar u_{k-1}),\, u_k\big), \qquad \bar u_k = U(\bar u_{k-1}),
       \quad \bar u_0 = u_0 $$

    with $\bar u_k$ held fixed wherever `k` is a multiple of `every`. The network meets its own
    errors as in `Unrolled`, but is told what they grow into over `every` steps at most. Chaotic
    flows, whose gradients explode along a rollout, can so be unrolled further. It is no gradient of
    the mean error: where the data leave one, the training ends elsewhere.

    Args:
        steps: Steps $m$.
        every: Steps through which a gradient passes at most: 1 for none but the step's own
            ("no-gradient unrolling"); from `steps` on it is `Unrolled`.

    Raises:
        ValueError: If `steps` or `every` is below 1.

    References:
        List, Chen & Thuerey (2025), *Differentiability in unrolled training of neural physics
        simulators on transient dynamics*.
    """

    every: int = 1

    def __post_init__(self) -> None:
        require_at_least(self, steps=1, every=1)

    def __call__(
        self,
        step: Step,
        given: Float[Tensor, "batch history channel y x"],
        following: Float[Tensor, "batch horizon channel y x"],
        loss: Criterion,
    ) -> Float[Tensor, ""]:
        """The mean loss over the steps of the rollout."""
        bundle = following.shape[1] // self.steps
        window, losses = given, []
        for k, truth in enumerate(following.split(bundle, dim=1)):
            window = step(window.detach() if k % self.every == 0 else window)
            losses.append(loss(window[:, -bundle:], truth))
        return sum(losses[1:], losses[0]) / self.steps
