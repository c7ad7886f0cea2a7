"""How far a predicted flow's divergence is from the true one's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field, vectors
from pdesurrogate.grids import GaussianSphere, Grid, PeriodicBox
from pdesurrogate.metrics import mean_square
from pdesurrogate.operators.spectral import derivative
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics
from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting

__all__ = ["Divergence"]


@dataclass(frozen=True)
class Divergence(FrameLoss):
    r"""Mean square of the divergence of the error of every velocity.

    $$ \overline{\Big(\frac{\nabla \cdot (p - y)}{\delta / h}\Big)^2} $$

    with the change $\delta$ of the velocity's parts over one step, the larger spacing $h$, and a
    mean over batch, frames, velocities and area. A term to add to another loss (`WeightedSum`): a
    flow without divergence may be as wrong as it likes.

    Where the truth is incompressible and the derivative exact, on a periodic box, this is the
    divergence of the prediction itself, which the equation says is 0. Elsewhere the truth has a
    divergence too: that of a compressible flow, or what differences make of an incompressible one
    that a staggered grid or a body's edge holds otherwise. It is then what to aim at, since a
    network that drove its own to 0 would have to depart from the data.

    Derivatives are spectral on a periodic box, by harmonics on a sphere, and elsewhere central
    differences, one-sided at the edges; all but the last overlook the shortest wave.

    References:
        Raissi, Perdikaris & Karniadakis (2019), *Physics-informed neural networks*,
        J. Comput. Phys. 378, for equations as terms of a loss.
    """

    def on(self, setting: LossSetting) -> Criterion:
        """The loss of the velocities among the fields.

        Raises:
            ValueError: If no field is part of a vector.
        """
        grid, pairs = setting.grid, list(_velocities(setting.fields))
        if not pairs:
            names = ", ".join(field.name for field in setting.fields)
            raise ValueError(f"Divergence needs both parts of a velocity among the fields {names}")
        along_x, along_y = (list(parts) for parts in zip(*pairs, strict=True))
        unit = setting.change_std[along_x] / _spacing(grid)  # the parts share one

        def divergence_error(
            prediction: Float[Tensor, "batch time field y x"],
            truth: Float[Tensor, "batch time field y x"],
        ) -> Float[Tensor, ""]:
            error = prediction - truth
            found = _divergence(error[:, :, along_x], error[:, :, along_y], grid)
            return mean_square(found / unit, grid).mean()

        return divergence_error


def _velocities(fields: Sequence[Field]) -> Iterator[tuple[int, int]]:
    """Channels of the parts along x and y of every vector that has both."""
    for channels in vectors(fields):
        part = {fields[channel].vector_part: channel for channel in channels}
        if "x" in part and "y" in part:
            yield part["x"], part["y"]


def _spacing(grid: Grid) -> float:
    """On a sphere, which has the radius 1 here, in radians."""
    largest = max(grid.spacing)
    return math.radians(largest) if isinstance(grid, GaussianSphere) else largest


def _divergence(
    along_x: Float[Tensor, "*lead y x"], along_y: Float[Tensor, "*lead y x"], grid: Grid
) -> Float[Tensor, "*lead y x"]:
    if isinstance(grid, PeriodicBox):
        return derivative(along_x, grid, "x") + derivative(along_y, grid, "y")
    if isinstance(grid, GaussianSphere):
        harmonics = spherical_harmonics(
            grid, linear_truncation(grid), along_x.dtype, along_x.device
        )
        return harmonics.synthesise(harmonics.divergence(along_x, along_y))
    dy, dx = grid.spacing
    (by_x,) = torch.gradient(along_x, spacing=dx, dim=-1, edge_order=2)
    (by_y,) = torch.gradient(along_y, spacing=dy, dim=-2, edge_order=2)
    return by_x + by_y
