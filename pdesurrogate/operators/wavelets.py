r"""The fast wavelet transform of a field, by the orthogonal families of PyWavelets.

Along one axis, with a low-pass filter $h$ and a high-pass filter $g$ of `taps` values each, the
coefficients of $v$ and the field made of them are

$$ a_k = \sum_i h_i\, v_{2k + i - s}, \quad d_k = \sum_i g_i\, v_{2k + i - s}, \qquad
   v_p = \sum_k h_{p - 2k + s}\, a_k + g_{p - 2k + s}\, d_k . $$

Beyond its edges the field is either `periodic`, with $s$ = `taps`/2 − 1, or `symmetric`: reflected
at the edge itself, so that the edge value is repeated, with $s$ = `taps` − 2. These are the modes
`periodization` and `symmetric` of PyWavelets, and the coefficients are the same.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import pywt
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "Boundary",
    "WaveletBasis",
    "coarse_length",
    "orthogonal_filters",
    "wavelet_analysis",
    "wavelet_synthesis",
]

Boundary = Literal["periodic", "symmetric"]
"""How a field continues beyond both ends of an axis."""

_ORTHOGONAL = "haar, db1 to db38, sym2 to sym20 and coif1 to coif17"


@dataclass(frozen=True)
class WaveletBasis:
    """Which wavelet, and how a field continues beyond the edges.

    Args:
        family: An orthogonal wavelet of PyWavelets.
        boundaries: Along y and x.
    """

    family: str
    boundaries: tuple[Boundary, Boundary]


def orthogonal_filters(family: str) -> Float[Tensor, "2 taps"]:
    """The low-pass and the high-pass filter of an orthogonal wavelet, float64.

    Args:
        family: Its name in PyWavelets: `haar`, `db1` to `db38`, `sym2` to `sym20`, `coif1` to
            `coif17`.

    Raises:
        ValueError: If there is no such wavelet, or it is not orthogonal. The discrete Meyer wavelet
            `dmey` is refused too: its filters are orthogonal to 2e-3 only.

    References:
        Daubechies (1992), *Ten Lectures on Wavelets*, chs. 6 and 8.
    """
    orthogonal = _orthogonal_families()
    if family not in orthogonal:
        known = family in pywt.wavelist()
        nearest = difflib.get_close_matches(family, orthogonal, n=1, cutoff=0.5)
        raise ValueError(
            (
                f"the wavelet {family!r} is not orthogonal"
                if known
                else f"unknown wavelet {family!r}"
            )
            + (f" (did you mean {nearest[0]!r}?)" if nearest else "")
            + f"; orthogonal are {_ORTHOGONAL}"
        )
    wavelet = pywt.Wavelet(family)
    return torch.tensor([wavelet.rec_lo, wavelet.rec_hi], dtype=torch.float64)


@lru_cache(maxsize=1)
def _orthogonal_families() -> tuple[str, ...]:
    discrete = pywt.wavelist(kind="discrete")
    return tuple(name for name in discrete if name != "dmey" and pywt.Wavelet(name).orthogonal)


def coarse_length(num_points: int, taps: int, boundary: Boundary) -> int:
    """Number of coefficients of an axis.

    Args:
        num_points: Points along the axis.
        taps: Length of the filters.
        boundary: How the field continues.

    Raises:
        ValueError: If the boundary is periodic and the number of points odd, or it is symmetric and
            there are fewer points than taps, so that there would be no fewer coefficients.
    """
    if boundary == "periodic":
        if num_points % 2:
            raise ValueError(f"a periodic wavelet needs an even number of points, got {num_points}")
        return num_points // 2
    if num_points < taps:
        raise ValueError(
            f"a wavelet of {taps} taps between walls needs at least {taps} points, got {num_points}"
        )
    return (num_points + taps - 1) // 2


def wavelet_analysis(
    v: Float[Tensor, "batch c y x"],
    filters: Float[Tensor, "filters taps"],
    boundaries: tuple[Boundary, Boundary],
) -> Float[Tensor, "batch c bands m n"]:
    """The coefficients of a field for every pair of a filter along y and one along x.

    Args:
        v: The field.
        filters: One or both rows of `orthogonal_filters`, or a multiple of them.
        boundaries: How the field continues along y and x.

    Returns:
        `filters`² bands, the filter along x running fastest: with both rows the approximation, then
        the details that are high-pass along x, along y, and along both.

    Raises:
        ValueError: If an axis cannot be coarsened, see `coarse_length`.
    """
    channels, taps = v.shape[1], filters.shape[1]
    for axis, boundary in zip((-2, -1), boundaries, strict=True):
        coarse_length(v.shape[axis], taps, boundary)
        if boundary == "periodic":
            v = _wrapped(v, axis, taps // 2 - 1)
        else:
            v = _reflected(v, axis, taps - 2, taps - 2 + v.shape[axis] % 2)
    bands = F.conv2d(v, _kernels(filters, channels), stride=2, groups=channels)
    return bands.unflatten(1, (channels, -1))


def wavelet_synthesis(
    bands: Float[Tensor, "batch c bands m n"],
    filters: Float[Tensor, "filters taps"],
    boundaries: tuple[Boundary, Boundary],
    num_points: tuple[int, int],
) -> Float[Tensor, "batch c y x"]:
    """The field that is made of given coefficients; undoes `wavelet_analysis` with both filters.

    Args:
        bands: As from `wavelet_analysis` with the same filters.
        filters: One row to leave all details zero, or both.
        boundaries: How the field continues along y and x.
        num_points: Points of the field along y and x. Between walls coefficients of an even and of
            an odd number of points are equally many, so that it must be said.
    """
    channels, taps = bands.shape[1], filters.shape[1]
    starts = []
    for axis, boundary in zip((-2, -1), boundaries, strict=True):
        if boundary == "periodic":
            reach = taps // 4
            bands = _wrapped(bands, axis, reach)
            starts.append(2 * reach + taps // 2 - 1)
        else:
            starts.append(taps - 2)
    v = F.conv_transpose2d(
        bands.flatten(1, 2), _kernels(filters, channels), stride=2, groups=channels
    )
    (y, x), (ny, nx) = starts, num_points
    return v[..., y : y + ny, x : x + nx]


def _kernels(filters: Tensor, channels: int) -> Tensor:
    """Products of the filters along y and x, once for every channel."""
    products = torch.einsum("ai,bj->abij", filters, filters).flatten(0, 1)
    return products[:, None].repeat(channels, 1, 1, 1)


def _wrapped(v: Tensor, axis: int, reach: int) -> Tensor:
    """`v` with `reach` more points on both sides of a periodic axis, which may be shorter."""
    copies, reach = divmod(reach, v.shape[axis])
    if copies:
        v = torch.cat([v] * (2 * copies + 1), dim=axis)
    if reach == 0:
        return v
    last, first = v.narrow(axis, v.shape[axis] - reach, reach), v.narrow(axis, 0, reach)
    return torch.cat([last, v, first], dim=axis)


def _reflected(v: Tensor, axis: int, before: int, after: int) -> Tensor:
    """`v` with its mirror images, edge values included, on both sides of an axis."""
    if before == after == 0:
        return v
    first = v.narrow(axis, 0, before).flip(axis)
    last = v.narrow(axis, v.shape[axis] - after, after).flip(axis)
    return torch.cat([first, v, last], dim=axis)
