"""The error of a field and of its slopes as a share of the truth's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting
from pdesurrogate.training.losses.neural_operator import (
    least_norm,
    mean_of_ratios,
    neural_operator_losses,
)

__all__ = ["H1"]


@dataclass(frozen=True)
class H1(FrameLoss):
    r"""Norm of the error over the norm of the truth, both with their first derivatives.

    $$ \frac{|p - y|_1}{|y|_1}, \qquad
       |u|_1^2 = \overline{u^2} + \Big(\frac{L}{2\pi}\Big)^2 \overline{|\nabla u|^2} $$

    for every frame and field by itself, with the truth of the same frame in the denominator; then
    the mean over batch, frames and fields. With the domain's longer side `L`, a wave that fits into
    it once weighs as much by its slope as by its height, whatever the unit of length; short waves,
    which `RelativeL2` hardly sees beside the long ones, weigh more. By neuraloperator's `H1Loss`:
    central differences, which do not see the shortest wave, and one-sided ones at walls. To
    $|y|_1$ a thousandth of the typical change is added, so that a frame at rest does not outweigh
    all others. Not for spheres.

    References:
        Czarnecki et al. (2017), *Sobolev Training for Neural Networks*. Li et al. (2022), *Learning
        Chaotic Dynamics in Dissipative Systems*. Kossaifi et al. (2024), *A Library for Learning
        Neural Operators*.
    """

    def on(self, setting: LossSetting) -> Criterion:
        """The loss with the grid's spacing and edges.

        Raises:
            ValueError: On a sphere.
        """
        grid = setting.grid
        if isinstance(grid, GaussianSphere):
            raise ValueError(
                "H1 takes differences along straight lines and is not for spheres: choose "
                "RelativeL2 or BandWeighted there"
            )
        along_y, along_x = (edge == "circular" for edge in grid.padding)
        unit = max(grid.domain_extent) / (2 * math.pi)
        spacing = [h / unit for h in grid.spacing]
        # The library's x is the first axis, which is our y.
        loss = neural_operator_losses().H1Loss(
            d=2,
            reduction="sum",
            eps=least_norm(grid),
            periodic_in_x=along_y,
            periodic_in_y=along_x,
        )
        return mean_of_ratios(
            lambda prediction, truth: loss(prediction, truth, quadrature=spacing),
            setting.change_std,
        )
