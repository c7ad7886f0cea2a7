"""What is kept of every step of a rollout, in one piece of memory.

Small tensors that stay, between large ones that come and go with every step, leave holes that fit
nothing, so that a process grows with every step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.metrics import power_spectrum

__all__ = ["Spectra", "StepSeries"]


class StepSeries:
    """A number or an array for each trajectory and step.

    Args:
        num_steps: How many steps there will be.
    """

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        self.values = torch.empty(0)
        """Over `(trajectory, step, ...)`."""

    def put(self, step: int, value: Float[Tensor, "trajectory ..."]) -> None:
        """Keep a step's."""
        if not self.values.numel():
            self.values = value.new_empty(len(value), self.num_steps, *value.shape[1:])
        self.values[:, step] = value


class Spectra:
    """Power per shell of the frames of a rollout: at chosen steps, and averaged over others.

    Args:
        grid: Where the fields are sampled.
        chosen_steps: The steps whose spectra are kept.
        late_steps: The steps over which spectra are averaged.
    """

    def __init__(self, grid: Grid, chosen_steps: Sequence[int], late_steps: Sequence[int]) -> None:
        self._grid = grid
        self._chosen_steps, self._late_steps = chosen_steps, late_steps
        self._chosen, self._late = StepSeries(len(chosen_steps)), StepSeries(len(late_steps))

    def put(
        self,
        step: int,
        frame: Float[Tensor, "trajectory field y x"],
        is_lost: Bool[Tensor, " trajectory"] | None = None,
    ) -> None:
        """Take a frame; infinite where its trajectory is lost."""
        if step not in self._chosen_steps and step not in self._late_steps:
            return
        spectrum = power_spectrum(frame, self._grid)
        if is_lost is not None:
            spectrum[is_lost] = torch.inf
        if step in self._chosen_steps:
            self._chosen.put(self._chosen_steps.index(step), spectrum)
        if step in self._late_steps:
            self._late.put(self._late_steps.index(step), spectrum)

    @property
    def chosen(self) -> Float[Tensor, "trajectory step field shell"]:
        """At the chosen steps."""
        return self._chosen.values

    @property
    def late(self) -> Float[Tensor, "trajectory field shell"]:
        """The mean over the late steps."""
        return self._late.values.mean(dim=1)
