"""One step from where the network has gone by itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.training.losses import Criterion
from pdesurrogate.training.objectives.base import SeveralSteps, Step

__all__ = ["Pushforward"]


@dataclass(frozen=True)
class Pushforward(SeveralSteps):
    r"""The error of one step from frames that carry the network's own error.

    $$ \tfrac12\, \ell\big(U(u_0),\, u_1\big) + \tfrac12\, \ell\big(U(\bar u_{m-1}),\, u_m\big),
       \qquad \bar u_{m-1} = U^{m-1}(u_0) \text{ held fixed} $$

    The second term, the stability loss, teaches the step to pull back towards the truth from where
    the first $m - 1$ steps, in which no gradient flows, have strayed. The paper adds both terms up;
    their mean is half of that and of the size of other objectives'. Memory does not grow with
    `steps`. (The authors draw the number of steps anew for each batch; here it is the same for all,
    or grows: `Curriculum`.)

    Args:
        steps: Steps $m$; with 1 it is `OneStep`.
        one_step: Whether the one-step loss is part of it. Without, nothing is learnt from the step
            that starts at true frames.

    Raises:
        ValueError: If `steps` is below 1.

    References:
        Brandstetter, Worrall & Welling (2022), *Message Passing Neural PDE Solvers*, §3.1.
    """

    one_step: bool = True

    def __call__(
        self,
        step: Step,
        given: Float[Tensor, "batch history channel y x"],
        following: Float[Tensor, "batch horizon channel y x"],
        loss: Criterion,
    ) -> Float[Tensor, ""]:
        """The loss of the last step, averaged with that of the first if it is part of it."""
        bundle = following.shape[1] // self.steps
        window, losses = given, []
        for k, truth in enumerate(following.split(bundle, dim=1)):
            counts = k == self.steps - 1 or (k == 0 and self.one_step)
            with torch.set_grad_enabled(counts and torch.is_grad_enabled()):
                window = step(window.detach())
            if counts:
                losses.append(loss(window[:, -bundle:], truth))
        return sum(losses[1:], losses[0]) / len(losses)
