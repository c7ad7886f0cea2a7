"""The regression losses of a U-Net's levels, on every rung that it is applied to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.models import UNet, losses_along_levels
from pdesurrogate.models.film import ModulatedNetwork
from pdesurrogate.models.spaces import HaarProjection, Projection

__all__ = ["LevelLosses", "level_losses", "level_projections"]


class LevelLosses(NamedTuple):
    r"""$L_i^2$ and $T_i^2$ of `pdesurrogate.models.losses_along_levels`, a sample at a time.

    Args:
        loss: Mean square of the error on each level, 0 the coarsest.
        truncation: Mean square of what the level cannot represent of the target.
    """

    loss: Float[np.ndarray, "batch level"]
    truncation: Float[np.ndarray, "batch level"]


def level_projections(network: nn.Module, grid: Grid) -> list[Projection]:
    """The projections between a network's nested spaces, if its losses are ordered along them.

    Args:
        network: Any network.
        grid: Where it is applied.

    Returns:
        Coarse to fine; empty for what is no U-Net, for one whose projections are not the Haar
        wavelet's (learned ones and maxima are not orthogonal) and on a sphere, whose points weigh
        unequally.
    """
    unet = network.network if isinstance(network, ModulatedNetwork) else network
    if not isinstance(unet, UNet) or isinstance(grid, GaussianSphere):
        return []
    own = [level.projection for level in unet.levels]
    if not all(isinstance(projection, HaarProjection) for projection in own):
        return []
    return [*level_projections(unet.bottleneck, grid), *own]


def level_losses(
    answer: Float[Tensor, "batch c_out y x"],
    target: Float[Tensor, "batch c_out y x"],
    projections: Sequence[Projection],
) -> LevelLosses:
    """The losses of what a network has answered already.

    Args:
        answer: The network's answers.
        target: What they should have been.
        projections: Coarse to fine, orthogonal.
    """
    found = [
        losses_along_levels(nn.Identity(), one, aim, projections)
        for one, aim in zip(answer.double().split(1), target.double().split(1), strict=True)
    ]
    return LevelLosses(
        np.stack([losses["squared_loss"].values for losses in found]),
        np.stack([losses["squared_truncation"].values for losses in found]),
    )
