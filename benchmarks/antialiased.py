"""A Multi-ResNet whose activations alias less: a candidate of the study on resolution transfer.

pdesurrogate train --model benchmarks.antialiased.AntialiasedMultiResNet ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.models import MultiResNet
from pdesurrogate.models.unet import UNet
from pdesurrogate.transfer import resample

__all__ = ["AntialiasedMultiResNet"]


@dataclass(frozen=True)
class AntialiasedMultiResNet(MultiResNet):
    r"""Activations act on a grid twice as fine, $R\,\sigma(Q v)$, on periodic boxes.

    What they make beyond the band of the level's grid is cut off instead of folded into it.

    References:
        Karras et al. (2021), *Alias-Free Generative Adversarial Networks*, §2.
        Raonić et al. (2023), *Convolutional Neural Operators for Robust and Accurate Learning of
        PDEs*, §3.
    """

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If the grid has walls, or does not go with the levels.
        """
        if grid.padding != ("circular", "circular"):
            raise ValueError("activations are taken on finer grids of periodic boxes only")
        network = super().build(in_channels, out_channels, grid)
        for part in network.modules():
            block: Any = part
            if hasattr(block, "_activation"):
                block._activation = _on_a_finer_grid(block._activation)
        return network


def _on_a_finer_grid(activation: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def antialiased(v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        ny, nx = v.shape[-2:]
        return resample(activation(resample(v, (2 * ny, 2 * nx))), (ny, nx))

    return antialiased
