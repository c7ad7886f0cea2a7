"""Learning rates over a training."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["WarmupCosine"]


@dataclass(frozen=True)
class WarmupCosine:
    r"""Linear warm-up, then half a cosine down to a floor; a function of the optimiser step alone.

    $$ \eta_s = \eta\,\frac{s + 1}{w} \quad (s < w), \qquad
       \eta_s = \eta_{\min} + \frac{\eta - \eta_{\min}}{2}
                \Big(1 + \cos \pi \frac{s - w}{n - 1 - w}\Big) \quad (w \le s < n) $$

    Having no state, it needs no place in a checkpoint.

    Args:
        peak: Rate $\eta$ at the end of the warm-up.
        floor: Rate $\eta_{\min}$ of the last step.
        warmup_steps: Steps $w$ of the warm-up; 0 for none.
        num_steps: Steps $n$ of the whole training.

    References:
        Loshchilov & Hutter (2017), *SGDR: Stochastic Gradient Descent with Warm Restarts*, §3.

    Example:
        >>> schedule = WarmupCosine(peak=1.0, floor=0.0, warmup_steps=2, num_steps=5)
        >>> [round(schedule(step), 3) for step in range(5)]
        [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    peak: float
    floor: float
    warmup_steps: int
    num_steps: int

    def __call__(self, step: int) -> float:
        """Rate of the optimiser step `step`, counted from 0."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        descent = max(self.num_steps - 1 - self.warmup_steps, 1)
        progress = min((step - self.warmup_steps) / descent, 1.0)
        return self.floor + 0.5 * (self.peak - self.floor) * (1 + math.cos(math.pi * progress))
