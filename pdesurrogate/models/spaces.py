"""Nested spaces V_0 in V_1 in ... of a U-Net: how to project onto the coarser, how to embed it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pdesurrogate.grids import Padding
from pdesurrogate.models.part import Part
from pdesurrogate.operators.wavelets import WaveletBasis

__all__ = [
    "Embedding",
    "Haar",
    "HaarEmbedding",
    "HaarProjection",
    "MaxPooling",
    "MaximumProjection",
    "Projection",
    "Space",
    "Strided",
    "StridedEmbedding",
    "StridedProjection",
]


class Projection(nn.Module, ABC):
    r"""$P_{i-1} : V_i \to V_{i-1}$, onto the next coarser of the nested spaces.

    It knows no grid but says onto which it goes: `coarsened`.
    """

    @abstractmethod
    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c m n"]:
        """The coarser field."""

    def coarsened(self, num_points: tuple[int, int]) -> tuple[int, int]:
        """Points along y and x of the coarser grid; by default half as many.

        Raises:
            ValueError: If the finer grid cannot be coarsened.
        """
        if any(n % 2 for n in num_points):
            raise ValueError("both sides must be even")
        return num_points[0] // 2, num_points[1] // 2


class Embedding(nn.Module, ABC):
    r"""$Q_i : W_{i-1} \to W_i$, which reads a coarser field as a finer one."""

    @abstractmethod
    def forward(
        self, coarse: Float[Tensor, "batch c m n"], fine: Float[Tensor, "batch c_fine y x"]
    ) -> Float[Tensor, "batch c y x"]:
        """The coarse field on the points of `fine`.

        Args:
            coarse: What is embedded.
            fine: What the decoder is preconditioned on. Most embeddings look at its number of
                points only.
        """


@dataclass(frozen=True)
class Space(Part, ABC):
    """A family of nested spaces, as projections between them and embeddings back.

    A subclass whose projection does to each channel the same, whatever the others are, says so by
    `acts_on_each_channel`: then a field may be projected before its channels are tiled.
    """

    acts_on_each_channel: ClassVar[bool] = False

    @abstractmethod
    def projection(self, channels: int, edges: tuple[Padding, Padding]) -> Projection:
        """From a level to the next coarser one.

        Args:
            channels: Of the field, before and after.
            edges: How fields continue along y and x, from `Grid.padding`.

        Raises:
            ValueError: If the space does not exist on a grid with such edges.
        """

    @abstractmethod
    def embedding(self, channels: int, edges: tuple[Padding, Padding]) -> Embedding:
        """From a level to the next finer one; arguments and errors as for `projection`."""

    def wavelet(self, edges: tuple[Padding, Padding]) -> WaveletBasis:
        """The wavelet whose approximations these spaces are, for those who want its details too.

        Raises:
            ValueError: If these are not the spaces of a wavelet, or not on a grid with such edges.
        """
        raise ValueError(
            f"the space {type(self).__name__} has no wavelet details that a decoder could be "
            "given; choose Haar or Wavelet"
        )


class Haar(Space):
    """Fields that are constant on cells: the Haar wavelet's spaces, average pooling."""

    acts_on_each_channel = True

    def projection(self, channels: int, edges: tuple[Padding, Padding]) -> Projection:
        """The mean of each cell."""
        return HaarProjection()

    def embedding(self, channels: int, edges: tuple[Padding, Padding]) -> Embedding:
        """Each value repeated on its cell."""
        return HaarEmbedding()

    def wavelet(self, edges: tuple[Padding, Padding]) -> WaveletBasis:
        """The Haar wavelet, whose cells ask for no point beyond an edge, whichever edge it is."""
        return WaveletBasis("haar", ("periodic", "periodic"))


class HaarProjection(Projection):
    r"""Project onto the fields that are constant on 2 x 2 cells: the mean of each cell.

    $$ (P v)_{ij} = \tfrac14 \sum_{a, b \in \{0, 1\}} v_{2i+a,\, 2j+b} $$

    These are the approximation coefficients of the Haar wavelet, halved so that a constant keeps
    its value; the three detail coefficients of each cell are dropped. Orthogonal in L2:
    `HaarProjection` after `HaarEmbedding` is the identity, the other way round it is an orthogonal
    projector. Both sides of the grid must be even.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §4.
    """

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c m n"]:
        """Average over cells of 2 x 2 points."""
        return F.avg_pool2d(v, 2)


class HaarEmbedding(Embedding):
    """Read a coarse field as a fine one that is constant on 2 x 2 cells."""

    def forward(
        self, coarse: Float[Tensor, "batch c m n"], fine: Float[Tensor, "batch c_fine y x"]
    ) -> Float[Tensor, "batch c y x"]:
        """Repeat each value on its cell."""
        return F.interpolate(coarse, scale_factor=2.0, mode="nearest")


class MaxPooling(Space):
    """The largest value of each cell, which is no linear projection: Ronneberger's choice."""

    acts_on_each_channel = True

    def projection(self, channels: int, edges: tuple[Padding, Padding]) -> Projection:
        """The largest value of each cell."""
        return MaximumProjection()

    def embedding(self, channels: int, edges: tuple[Padding, Padding]) -> Embedding:
        """Each value repeated on its cell."""
        return HaarEmbedding()


class MaximumProjection(Projection):
    """The largest of the values of each 2 x 2 cell. Both sides of the grid must be even."""

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c m n"]:
        """Take the maximum over cells of 2 x 2 points."""
        return F.max_pool2d(v, 2)


class Strided(Space):
    """Learned maps from cells of 2 x 2 points to one and back; they start as those of `Haar`."""

    def projection(self, channels: int, edges: tuple[Padding, Padding]) -> Projection:
        """A convolution of stride two."""
        return StridedProjection(channels)

    def embedding(self, channels: int, edges: tuple[Padding, Padding]) -> Embedding:
        """A transposed convolution of stride two."""
        return StridedEmbedding(channels, channels)


class StridedProjection(Projection):
    """A 2 x 2 convolution of stride 2 that starts as the mean of each cell.

    Both sides of the grid must be even.

    Args:
        channels: Of the field, before and after.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=2, stride=2)
        _start_as_haar(self.conv, weight=0.25)

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c m n"]:
        """Convolve with the kernel, cell by cell."""
        return self.conv(v)


class StridedEmbedding(Embedding):
    """A 2 x 2 transposed convolution of stride 2.

    With as many channels after as before it starts by repeating each value on its cell.

    Args:
        coarse_channels: Of the coarse field.
        channels: Of the fine field.
    """

    def __init__(self, coarse_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(coarse_channels, channels, kernel_size=2, stride=2)
        if coarse_channels == channels:
            _start_as_haar(self.conv, weight=1.0)

    def forward(
        self, coarse: Float[Tensor, "batch c m n"], fine: Float[Tensor, "batch c_fine y x"]
    ) -> Float[Tensor, "batch c_out y x"]:
        """Spread each value over its cell with the kernel."""
        return self.conv(coarse)


@torch.no_grad()
def _start_as_haar(conv: nn.Conv2d | nn.ConvTranspose2d, weight: float) -> None:
    """Give every tap from a channel to itself the same weight, and all others none."""
    same_channel = torch.eye(conv.in_channels)[:, :, None, None]
    conv.weight.copy_(weight * same_channel.expand_as(conv.weight))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
