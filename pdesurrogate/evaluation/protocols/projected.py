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
        """The step that restricts its window and prolongs the new frame."""
        coarse, fine = setting.training_grid, setting.evaluation_grid

        def projected(
            window: Float[Tensor, "batch time channel y x"],
        ) -> Float[Tensor, "batch time channel y x"]:
            predicted = step(restrict_fields(window, setting.fields, fine, coarse))[:, -1:]
            frame = prolong_fields(predicted, setting.fields, coarse, fine)
            return torch.cat([window[:, 1:], frame], dim=1)

        return projected
