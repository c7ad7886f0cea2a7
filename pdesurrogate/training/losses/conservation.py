"""How far integrals of a prediction are from those of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field, vectors
from pdesurrogate.metrics import mean_square, spatial_mean
from pdesurrogate.models.options import require_choice
from pdesurrogate.naming import unknown_name
from pdesurrogate.training.losses.base import Criterion, FrameLoss, LossSetting

__all__ = ["Conservation"]


@dataclass(frozen=True)
class Conservation(FrameLoss):
    r"""Squared error of what a flow keeps, or loses at a known rate: the mean or the mean square.

    $$ \Big(\frac{\bar p - \bar y}{\delta}\Big)^2 \quad \text{or} \quad
       \Big(\frac{\overline{p^2} - \overline{y^2}}
                 {\delta \sqrt{\overline{y^2} + \delta^2}}\Big)^2 $$

    with $\delta$ as in `MeanSquare`, means over the area, and then the mean over batch, frames and
    fields. The true value of the same frame is the aim, so that forcing and friction do no harm. An
    error of size $\delta$ costs about 1 at most in the first, about 4 in the second. A term to add
    to another loss (`WeightedSum`): fields that have nothing else in common may agree in it.

    The mean of the `height` is the mass of shallow water, diagnostic `mass`; that of the `smoke` or
    the `tracer` its amount; that of a velocity momentum. The mean square of the `vorticity` is
    twice the diagnostic `enstrophy`, that of the velocity twice the `energy` of an incompressible
    flow, that of a tracer's `height` on the sphere its `variance`. The parts of a vector have one
    mean square together. The energy of shallow water, which multiplies fields, is none of these.

    Args:
        quantity: `mean` or `mean_square`.
        fields: Names of the fields; None for all that are predicted.

    Raises:
        ValueError: If the quantity is another, or `fields` is empty.

    References:
        Beucler et al. (2021), *Enforcing Analytic Constraints in Neural Networks Emulating Physical
        Systems*, Phys. Rev. Lett. 126.
    """

    quantity: Literal["mean", "mean_square"] = "mean"
    fields: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        require_choice(self, quantity=("mean", "mean_square"))
        if self.fields is not None:
            object.__setattr__(self, "fields", tuple(self.fields))
            if not self.fields:
                raise ValueError("Conservation.fields must name at least one field, got []")

    def on(self, setting: LossSetting) -> Criterion:
        """The loss of the chosen fields.

        Raises:
            ValueError: If one of them is not predicted.
        """
        channels = self._channels(setting.fields)
        quantities = _quantities([setting.fields[channel] for channel in channels])
        grid, unit = setting.grid, setting.change_std[channels]

        def error_of_means(
            prediction: Float[Tensor, "batch time field y x"],
            truth: Float[Tensor, "batch time field y x"],
        ) -> Float[Tensor, ""]:
            error = (prediction - truth)[:, :, channels] / unit
            return spatial_mean(error, grid).square().mean()

        def error_of_mean_squares(
            prediction: Float[Tensor, "batch time field y x"],
            truth: Float[Tensor, "batch time field y x"],
        ) -> Float[Tensor, ""]:
            p, y = prediction[:, :, channels] / unit, truth[:, :, channels] / unit
            # As a product nothing cancels where both are nearly equal.
            excess = spatial_mean((p - y) * (p + y), grid) @ quantities.to(p)
            level = mean_square(y, grid) @ quantities.to(y)
            return (excess.square() / (level + 1)).mean()

        return error_of_means if self.quantity == "mean" else error_of_mean_squares

    def _channels(self, fields: Sequence[Field]) -> list[int]:
        names = [field.name for field in fields]
        for name in self.fields or ():
            if name not in names:
                raise ValueError(f"Conservation.fields: {unknown_name('field', name, names)}")
        return [names.index(name) for name in self.fields or names]


def _quantities(fields: Sequence[Field]) -> Float[Tensor, "field quantity"]:
    """Which fields' mean squares are added up: the parts of a vector are."""
    parts = vectors(fields)
    scalars = [[i] for i, field in enumerate(fields) if field.vector_part is None]
    return torch.stack([torch.eye(len(fields))[group].sum(dim=0) for group in scalars + parts], 1)
