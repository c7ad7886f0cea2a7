"""What a network is told of a trajectory besides the fields that it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

__all__ = ["Condition", "ConditionNormaliser", "condition_values"]


@dataclass(frozen=True)
class Condition:
    """One input channel that stays as it is while the network predicts.

    Args:
        name: A parameter of the trajectory, such as `viscosity`, or a static field.
        is_field: Whether it is a field over space; a parameter is one number per trajectory.
        is_logarithmic: Whether its logarithm is what is normalised, which suits a positive number
            that is drawn from several orders of magnitude.
        mean: Mean over the training split, of the logarithm if `is_logarithmic`.
        std: Standard deviation about it; 0 if it is the same everywhere.
    """

    name: str
    is_field: bool
    is_logarithmic: bool
    mean: float
    std: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `Condition(**d)` builds it again."""
        return asdict(self)


class ConditionNormaliser:
    """Brings conditions from physical units to numbers of order one, differentiably.

    One that was the same in the whole training split has its mean subtracted and is not divided.

    Args:
        conditions: What the channels are, in order.
        device: Where to compute.
    """

    def __init__(self, conditions: Sequence[Condition], device: torch.device) -> None:
        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)[:, None, None]

        self._mean = column([condition.mean for condition in conditions])
        self._std = column([condition.std or 1.0 for condition in conditions])
        self._is_logarithmic = column([float(c.is_logarithmic) for c in conditions]) > 0

    def __call__(
        self, values: Float[Tensor, "batch channel y x"]
    ) -> Float[Tensor, "batch channel y x"]:
        """Normalise each channel."""
        # The 1 keeps the logarithm, and its gradient, finite where it is not wanted.
        logarithm = torch.where(self._is_logarithmic, values, 1.0).log()
        return (torch.where(self._is_logarithmic, logarithm, values) - self._mean) / self._std


def condition_values(
    given: xr.Dataset, conditions: Sequence[Condition], dimensions: tuple[str, str]
) -> Float[np.ndarray, "trajectory channel y x"]:
    """The conditions as channels, constant in space where they are parameters.

    Args:
        given: Has dimensions `trajectory` and those of space, and every condition as a variable or
            a coordinate: a static field over space, a parameter without, either with or without
            `trajectory`.
        conditions: What is wanted, in order.
        dimensions: Those of space, `Grid.dimensions`.

    Raises:
        ValueError: If one is missing, has other dimensions, or is not positive though its logarithm
            is taken.
    """
    shape = tuple(given.sizes[dim] for dim in ("trajectory", *dimensions))
    out = np.empty((shape[0], len(conditions), *shape[1:]), np.float32)
    for channel, condition in enumerate(conditions):
        name, points = condition.name, dimensions if condition.is_field else ()
        if name not in given.variables:
            over = ", ".join(dimensions)
            what = f"a static field over ({over})" if condition.is_field else "one per trajectory"
            raise ValueError(
                f"the surrogate is conditioned on {name!r}, which the data lack: give it, {what}"
            )
        dims = given[name].dims
        if set(dims) - {"trajectory"} != set(points):
            raise ValueError(
                f"{name!r} must have dimensions {('trajectory', *points)} or {points}, got {dims}"
            )
        order = tuple(dim for dim in ("trajectory", *points) if dim in dims)
        values = given[name].transpose(*order).values
        if condition.is_logarithmic and not (values > 0).all():
            raise ValueError(f"{name!r} must be positive, since the surrogate takes its logarithm")
        if not condition.is_field:
            values = values[..., None, None]
        out[:, channel] = values
    return out
