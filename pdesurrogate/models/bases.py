"""Nested spaces V_0 in V_1 in ... of a U-Net: how to project onto the coarser, how to embed it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["HaarEmbedding", "HaarProjection"]


class HaarProjection(nn.Module):
    r"""Project onto the fields that are constant on 2 x 2 cells: the mean of each cell.

    $$ (P v)_{ij} = \tfrac14 \sum_{a, b \in \{0, 1\}} v_{2i+a,\, 2j+b} $$

    These are the approximation coefficients of the Haar wavelet, halved so that a constant keeps
    its value; the three detail coefficients of each cell are dropped. Orthogonal in L2:
    `HaarProjection` after `HaarEmbedding` is the identity, the other way round it is an orthogonal
    projector. Both sides of the grid must be even.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §4.
    """

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y//2 x//2"]:
        """Average over cells of 2 x 2 points."""
        return F.avg_pool2d(v, 2)


class HaarEmbedding(nn.Module):
    """Read a coarse field as a fine one that is constant on 2 x 2 cells."""

    def forward(self, w: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c 2*y 2*x"]:
        """Repeat each value on its cell."""
        return F.interpolate(w, scale_factor=2.0, mode="nearest")
