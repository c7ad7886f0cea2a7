"""What the flow carries: the scales that a coarse grid does not resolve, over one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.operators import FlowMap, damp

__all__ = ["Carrier", "FieldCarrier", "field_carrier"]


class Carrier(ABC):
    """How fields go where the flow takes them, with what else is exactly known of their change.

    The fields are those that it was made for, as channels in that order.
    """

    @abstractmethod
    def velocity(
        self, u: Float[Tensor, "batch channel y x"], grid: Grid
    ) -> Float[Tensor, "batch part=2 y x"]:
        """The velocity of a state, as `operators.trace_back` takes it.

        Args:
            u: The fields.
            grid: Where they are sampled.
        """

    @abstractmethod
    def carry(
        self,
        u: Float[Tensor, "batch channel y x"],
        end: Float[Tensor, "batch channel y x"],
        flow: FlowMap,
        duration: float,
    ) -> Float[Tensor, "batch channel y x"]:
        """The fields one step later.

        Args:
            u: At the step's beginning, on the flow's grid.
            end: As far as they are known at the step's end, on the flow's grid: for what does not
                follow from transport alone.
            flow: Where everything came from.
            duration: The step, in the equation's unit of time.
        """


@dataclass(frozen=True)
class FieldCarrier(Carrier):
    r"""Carries each field that says which velocity transports it; leaves the others as they end.

    Args:
        fields: What the channels are; the velocity is among them.
        parts: Channels of the velocity along x and along y.
        radius: Of the sphere, in the velocity's unit of length; 1 on a plane.
        diffusivity: $\kappa$ of what is carried, one number per trajectory or one for all.
    """

    fields: tuple[Field, ...]
    parts: tuple[int, int]
    radius: float = 1.0
    diffusivity: tuple[float, ...] = (0.0,)

    def velocity(
        self, u: Float[Tensor, "batch channel y x"], grid: Grid
    ) -> Float[Tensor, "batch part=2 y x"]:
        """The channels that hold it."""
        return u[:, list(self.parts)] / self.radius

    def carry(
        self,
        u: Float[Tensor, "batch channel y x"],
        end: Float[Tensor, "batch channel y x"],
        flow: FlowMap,
        duration: float,
    ) -> Float[Tensor, "batch channel y x"]:
        """What is transported, looked up where it came from, and diffused since."""
        moved = [i for i, field in enumerate(self.fields) if field.transported_by]
        if isinstance(flow.grid, GaussianSphere):  # a wind's parts jump at the poles
            moved = [i for i in moved if self.fields[i].vector_part is None]
        after = end.clone()
        after[:, moved] = self._diffused(flow.carry(u[:, moved]), flow.grid, duration)
        return after

    def _diffused(self, u: Tensor, grid: Grid, duration: float) -> Tensor:
        if not any(self.diffusivity):
            return u
        kappa = torch.tensor(self.diffusivity, dtype=u.dtype, device=u.device)
        scaled = kappa[:, None, None, None] / self.radius**2
        return damp(u, grid, lambda k2: scaled * k2, duration)


def field_carrier(
    fields: Sequence[Field], radius: float = 1.0, diffusivity: tuple[float, ...] = (0.0,)
) -> FieldCarrier | None:
    """What the fields themselves tell: which velocity carries which.

    Args:
        fields: What the channels are.
        radius: Of the sphere, in the velocity's unit of length.
        diffusivity: Of what is carried; see `FieldCarrier`.

    Returns:
        None if no field is transported, or its velocity is not among the fields.
    """
    names = [field.name for field in fields]
    carriers = {field.transported_by for field in fields if field.transported_by}
    if len(carriers) != 1:
        return None
    (velocity,) = carriers
    if any(name not in names for name in velocity):
        return None
    along_x, along_y = (names.index(name) for name in velocity)
    return FieldCarrier(tuple(fields), (along_x, along_y), radius, diffusivity)
