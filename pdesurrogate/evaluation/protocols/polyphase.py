"""The fine grid as shifted coarse grids."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.protocols.base import Setting, Step, TransferProtocol

__all__ = ["Polyphase"]


@dataclass(frozen=True)
class Polyphase(TransferProtocol):
    r"""Every `r`-th point of the fine grid is a coarse grid, shifted: step each, put them together.

    $$ w_{r i + a,\, r j + b} = U\big(u_{r \cdot + a,\, r \cdot + b}\big)_{ij},
       \qquad 0 \le a, b < r $$

    The network sees its own grid spacing, but what the coarse grid cannot hold is folded onto its
    band instead of filtered out: aliasing, $r^2$ times over. For comparison. Rows of a sphere are
    shifted alike, though its latitudes are not quite equidistant, and so are cells beside a wall.
    """

    def reason_against(self, setting: Setting) -> str | None:
        """The fine grid must be a multiple of the coarse one."""
        (ny, nx), (my, mx) = setting.evaluation_grid.num_points, setting.training_grid.num_points
        if ny % my or nx % mx:
            return f"{ny} x {nx} points are no multiple of {my} x {mx}"
        return None

    def carry(self, step: Step, setting: Setting) -> Step:
        """The step on all shifted grids at once.

        Raises:
            ValueError: If the fine grid is no multiple of the coarse one.
        """
        self.require(setting)
        my, mx = setting.training_grid.num_points
        fy = setting.evaluation_grid.num_points[0] // my
        fx = setting.evaluation_grid.num_points[1] // mx

        def polyphase(
            window: Float[Tensor, "batch time channel y x"],
        ) -> Float[Tensor, "batch latest channel y x"]:
            phases = window.unflatten(-1, (mx, fx)).unflatten(-3, (my, fy))
            # (batch, time, channel, my, fy, mx, fx), the shifts to the front
            phases = phases.permute(4, 6, 0, 1, 2, 3, 5).flatten(0, 2)
            stepped = step(phases)
            new = stepped[:, -setting.bundle :].unflatten(0, (fy, fx, -1))
            new = new.permute(2, 3, 4, 5, 0, 6, 1).flatten(-2).flatten(-3, -2)
            return torch.cat([window, new], dim=1)[:, -stepped.shape[1] :]

        return polyphase
