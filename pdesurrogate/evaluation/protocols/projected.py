"""Predict where the network was trained, look at the result on the finer grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.protocols.base import Setting, Step, TransferProtocol
from pdesurrogate.transfer import prolong_fields, restrict_fields

__all__ = ["Projected"]


@dataclass(frozen=True)
class Projected(TransferProtocol):
    r"""Restrict, step, prolong: $w = Q\, U R\, u$.

    The resolved band is predicted as well as on the training grid; nothing is said beyond it, so
    that the out-of-band error is the truncation floor. On a sphere winds are carried through
    vorticity and divergence.
    """

    def carry(self, step: Step, setting: Setting) -> Step:
        """The step that restricts its window and prolongs the new frames."""
        coarse, fine = setting.training_grid, setting.evaluation_grid

        def projected(
            window: Float[Tensor, "batch time channel y x"],
        ) -> Float[Tensor, "batch latest channel y x"]:
            stepped = step(restrict_fields(window, setting.fields, fine, coarse))
            new = prolong_fields(stepped[:, -setting.bundle :], setting.fields, coarse, fine)
            return torch.cat([window, new], dim=1)[:, -stepped.shape[1] :]

        return projected
