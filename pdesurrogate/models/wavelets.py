"""Nested spaces of wavelets: smoother than cells, and able to hand on the details they drop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pdesurrogate.grids import Padding
from pdesurrogate.models.options import require_choice
from pdesurrogate.models.spaces import Embedding, Projection, Space
from pdesurrogate.operators.wavelets import (
    Boundary,
    WaveletBasis,
    coarse_length,
    orthogonal_filters,
    wavelet_analysis,
    wavelet_synthesis,
)

__all__ = ["DetailedEmbedding", "Wavelet", "WaveletEmbedding", "WaveletProjection"]

_Boundary = Literal["grid", "periodic", "symmetric"]

_BOUNDARIES: dict[Padding, Boundary] = {"circular": "periodic", "replicate": "symmetric"}


@dataclass(frozen=True)
class Wavelet(Space):
    r"""The spaces of an orthogonal wavelet; those of `haar` are the spaces `Haar`.

    The rule of sizes, for each axis: `periodic` halves an even number of points; `symmetric` makes
    $\lfloor (n + \text{taps} - 1) / 2 \rfloor$ of any number $n \ge$ taps, odd ones too. `haar` has
    2 taps, `dbN` and `symN` have 2N, `coifN` has 6N. No sphere has such spaces.

    On periodic axes, and for `haar` everywhere, the projection after the embedding is the identity,
    the other way round it is an orthogonal projector. A longer wavelet between walls has more
    coefficients than there are points: within taps - 1 points of a wall they depend on one another,
    and the embedded projection is no projector there. A constant keeps its value everywhere.

    Args:
        family: An orthogonal wavelet of PyWavelets: `haar`, `db1` to `db38`, `sym2` to `sym20`,
            `coif1` to `coif17`.
        boundary: `periodic` or `symmetric` along both axes, or `grid`: periodic along the axes
            where the grid is, symmetric between walls.

    Raises:
        ValueError: If the family is unknown or not orthogonal, or the boundary unknown.

    References:
        Daubechies (1992), *Ten Lectures on Wavelets*, chs. 6 and 8.
    """

    acts_on_each_channel = True

    family: str = "db2"
    boundary: _Boundary = "grid"

    def __post_init__(self) -> None:
        orthogonal_filters(self.family)
        require_choice(self, boundary=get_args(_Boundary))

    def projection(self, channels: int, edges: tuple[Padding, Padding]) -> Projection:
        """The approximation coefficients."""
        return WaveletProjection(self.wavelet(edges))

    def embedding(self, channels: int, edges: tuple[Padding, Padding]) -> Embedding:
        """Synthesis with all details zero."""
        return WaveletEmbedding(self.wavelet(edges))

    def wavelet(self, edges: tuple[Padding, Padding]) -> WaveletBasis:
        """The family, with the boundaries that were chosen or that follow from the grid."""
        if any(edge not in _BOUNDARIES for edge in edges):
            raise ValueError(
                "wavelet spaces exist on periodic axes and between walls only, not on a grid with "
                f"{edges[0]} and {edges[1]} edges; choose Haar or Spectral there"
            )
        if self.boundary != "grid":
            return WaveletBasis(self.family, (self.boundary, self.boundary))
        return WaveletBasis(self.family, (_BOUNDARIES[edges[0]], _BOUNDARIES[edges[1]]))


def _scaled_filters(family: str) -> Float[Tensor, "2 taps"]:
    filters = orthogonal_filters(family)
    return filters / filters[0].sum()


class _Filters(nn.Module):
    """What the modules here share: filters that move with the network, but are not its weights.

    They are scaled so that the low-pass filter has the sum 1: coefficients of a constant are then
    that constant. Twice these filters make up for it in the synthesis.
    """

    filters: Tensor

    def __init__(self, basis: WaveletBasis) -> None:
        super().__init__()
        # Out of the saved weights.
        self.register_buffer("filters", _scaled_filters(basis.family), persistent=False)
        self._basis = basis

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> _Filters:
        """Move to another device; the filters stay in float64, whatever the weights become."""
        super()._apply(fn, recurse)
        self.filters = _scaled_filters(self._basis.family).to(self.filters.device)
        return self

    def analyse(self, v: Tensor, rows: int) -> Tensor:
        """Coefficients by the first of the filters (1) or by both (2)."""
        return wavelet_analysis(v, self.filters[:rows].to(v.dtype), self._basis.boundaries)

    def synthesise(self, bands: Tensor, rows: int, like: Tensor) -> Tensor:
        """The field on the points of `like` that has these coefficients."""
        filters = 2 * self.filters[:rows].to(bands.dtype)
        num_points = (like.shape[-2], like.shape[-1])
        return wavelet_synthesis(bands, filters, self._basis.boundaries, num_points)

    def extra_repr(self) -> str:
        """What `print(network)` shows of this part."""
        return f"{self._basis.family}, {' x '.join(self._basis.boundaries)}"


class WaveletProjection(_Filters, Projection):
    r"""Keep the approximation coefficients of a wavelet, so scaled that constants stay.

    $$ (P v)_{kl} = \sum_{ij} h_i h_j\, v_{2k + i - s,\, 2l + j - s}, \qquad \sum_i h_i = 1 $$

    The three bands of details are dropped. See `Wavelet` for the sizes that go.

    Args:
        basis: Which wavelet.
    """

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c m n"]:
        """The approximation coefficients."""
        return self.analyse(v, 1)[:, :, 0]

    def coarsened(self, num_points: tuple[int, int]) -> tuple[int, int]:
        """Half of an even number on periodic axes, somewhat more of any between walls.

        Raises:
            ValueError: If a periodic axis has an odd number of points, or one between walls fewer
                than the wavelet has taps.
        """
        (ny, nx), (y, x), taps = num_points, self._basis.boundaries, self.filters.shape[1]
        return coarse_length(ny, taps, y), coarse_length(nx, taps, x)


class WaveletEmbedding(_Filters, Embedding):
    """Read a coarse field as the approximation coefficients of a fine one without details.

    Args:
        basis: Which wavelet.
    """

    def forward(
        self, coarse: Float[Tensor, "batch c m n"], fine: Float[Tensor, "batch c_fine y x"]
    ) -> Float[Tensor, "batch c y x"]:
        """Synthesise the fine field."""
        return self.synthesise(coarse[:, :, None], 1, fine)


class DetailedEmbedding(_Filters, Embedding):
    r"""Add to a coarse field details that are learned from those of the finer one.

    $$ Q(w \mid v) = W^{-1}\bigl(w,\, M d(v)\bigr), \qquad W v = \bigl(P v,\, d(v)\bigr) $$

    with the wavelet transform $W$, the details $d$ that the projection $P$ throws away, and a
    learned linear map $M$ between the three bands of all channels, the same at every point. It
    starts as zero, that is as the embedding without details. Details of a constant are zero, so
    that $M$, which has no bias, leaves constants alone.

    Args:
        channels: Of the coarse field and of the finer one.
        basis: Which wavelet.
    """

    def __init__(self, channels: int, basis: WaveletBasis) -> None:
        super().__init__(basis)
        self.weight = nn.Parameter(torch.zeros(3 * channels, 3 * channels, 1, 1))

    def forward(
        self, coarse: Float[Tensor, "batch c m n"], fine: Float[Tensor, "batch c y x"]
    ) -> Float[Tensor, "batch c y x"]:
        """Synthesise the fine field from `coarse` and the mapped details of `fine`."""
        details = self.analyse(fine, 2)[:, :, 1:]
        mapped = F.conv2d(details.flatten(1, 2), self.weight).unflatten(1, details.shape[1:3])
        return self.synthesise(torch.cat([coarse[:, :, None], mapped], dim=2), 2, fine)
