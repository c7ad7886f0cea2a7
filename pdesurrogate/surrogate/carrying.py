"""The change by transport on whatever grid a surrogate is used."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.surrogate.carried_frame import CarriedFrame
from pdesurrogate.surrogate.detail_transport import DetailTransport
from pdesurrogate.surrogate.info import SurrogateInfo

__all__ = ["Carrying"]


class Carrying:
    """What a surrogate that is shown transport needs for it.

    Args:
        info: Of the surrogate.
        carried: How frames are carried.
        device: Where the surrogate computes.
    """

    def __init__(self, info: SurrogateInfo, carried: CarriedFrame, device: torch.device) -> None:
        self._info, self._carried = info, carried
        shares = torch.tensor(carried.shares, dtype=torch.float32, device=device)
        self.shares: Float[Tensor, "field 1 1"] = shares[:, None, None]
        self._transports: dict[tuple[int, int], DetailTransport] = {}

    def change(self, u: Float[Tensor, "batch channel y x"]) -> Float[Tensor, "batch channel y x"]:
        """$S u - u$ of a frame, on its own grid."""
        shape = (u.shape[-2], u.shape[-1])
        if shape not in self._transports:
            info, trained = self._info, self._info.training_grid
            grid = replace(trained, num_points=shape)
            self._transports[shape] = self._carried.transport(
                trained, grid, info.fields, info.time_step
            )
        return self._transports[shape].foreseen_change(u)
