"""How the power of a field is spread over scales."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, OpenBox, PeriodicBox
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics

__all__ = [
    "log_spectral_distance",
    "nyquist_wavenumber",
    "power_spectrum",
    "shell_wavenumbers",
    "wavenumber_attributes",
    "white_spectrum",
]

_LEAST_SHARE = 1e-12
"""Share of the whole power below which a shell holds rounding alone."""


def power_spectrum(u: Float[Tensor, "*lead y x"], grid: Grid) -> Float[Tensor, "*lead shell"]:
    r"""Power per shell of wavenumbers; the shells sum to the mean square of the field.

    $$ E_i = \sum_{(i - 1/2)\Delta k \,\le\, |k| \,<\, (i + 1/2)\Delta k} |\hat u_k|^2,
       \qquad \sum_i E_i = \overline{u^2} $$

    The shells are one fundamental wavenumber $\Delta k$ of the box's longer side apart, shell 0
    holding the mean; `shell_wavenumbers` gives their centres. Shells beyond the Nyquist wavenumber
    lie in the corners of the square of resolved modes: they are incomplete, but needed for the sum.
    A closed box or a channel is continued evenly beyond its edges to a periodic box twice as long.

    On a sphere a shell holds the spherical harmonics of one degree `l`, the total wavenumber,

    $$ E_l = \frac{1}{4\pi} \sum_{|m| \le l} |c_{lm}|^2, \qquad \sum_l E_l = \overline{u^2}, $$

    up to `linear_truncation(grid)`; the sum is the mean square over the area for fields without
    harmonics beyond, which the grid cannot tell from others. The parts of a wind, whose harmonics
    decay slowly because they jump at the poles, are no such fields; vorticity is.

    Args:
        u: Field on `grid`, in any unit.
        grid: A periodic, closed or open box, a channel or a sphere.

    Returns:
        Power in the square of the unit of `u`.

    Raises:
        TypeError: If no spectrum is known for this kind of grid.
    """
    if isinstance(grid, GaussianSphere):
        return _power_per_degree(u, grid)
    box = _periodic_box(grid)
    if isinstance(grid, (ClosedBox, Channel, OpenBox)):
        u = torch.cat([u, u.flip(-2)], dim=-2)
        u = torch.cat([u, u.flip(-1)], dim=-1)
    columns = box.num_points[1]
    power = torch.fft.rfft2(u, norm="forward").abs() ** 2
    power[..., 1 : (columns + 1) // 2] *= 2  # the half-plane of negative k_x, which rfft2 omits
    shell = torch.as_tensor(_shell_of_modes(box), device=u.device)
    spectrum = power.new_zeros((*power.shape[:-2], int(shell.max()) + 1))
    return spectrum.index_add_(-1, shell, power.flatten(-2))


def log_spectral_distance(
    prediction: Float[Tensor, "*lead shell"], truth: Float[Tensor, "*lead shell"]
) -> Float[Tensor, "*lead"]:
    r"""By how many decibels two power spectra differ, shell by shell.

    $$ d = \sqrt{\frac1K \sum_{i=1}^{K} \Bigl( 10 \log_{10} \frac{E_i(p)}{E_i(y)} \Bigr)^2 } $$

    10 dB are a factor of ten in the power of every shell, 3 dB one of two. All shells weigh the
    same, however little power they hold: give complete shells only, and NaN for the others. Shell
    0, the mean of the field, is left out. Power below 10⁻¹² of the truth's whole counts as that
    much: single-precision fields hold no less.

    Args:
        prediction: Spectrum of the prediction, as `power_spectrum` returns it.
        truth: Spectrum of the truth, in the same unit.

    Returns:
        Decibels, one number per leading index; infinite where the prediction's spectrum is, NaN
        where no shell can be compared.

    References:
        Gray & Markel (1976), *Distance measures for speech processing*, IEEE Trans. ASSP 24(5).
    """
    p, y = prediction[..., 1:], truth[..., 1:]
    floor = _LEAST_SHARE * truth.nansum(dim=-1, keepdim=True)
    decibels = 10 * torch.log10(torch.maximum(p, floor) / torch.maximum(y, floor))
    # Of two fields without any power, nothing differs.
    decibels = torch.where((p == 0) & (y == 0), torch.zeros_like(decibels), decibels)
    return decibels.square().nanmean(dim=-1).sqrt()


def shell_wavenumbers(grid: Grid) -> Float[np.ndarray, " shell"]:
    """Centres of the shells of `power_spectrum`, in radians per unit of length.

    On a sphere they are the degrees of the harmonics.

    Raises:
        TypeError: If no spectrum is known for this kind of grid.
    """
    if isinstance(grid, GaussianSphere):
        return np.arange(linear_truncation(grid) + 1.0)
    box = _periodic_box(grid)
    return np.arange(_shell_of_modes(box).max() + 1) * _fundamental(box)


def white_spectrum(grid: Grid) -> Float[np.ndarray, " shell"]:
    """What `power_spectrum` expects of white noise: each shell's share of all modes.

    On a box the noise is independent from point to point, with variance 1. On a sphere it has the
    same power in every harmonic up to `linear_truncation(grid)`.

    Raises:
        TypeError: If no spectrum is known for this kind of grid.
    """
    if isinstance(grid, GaussianSphere):
        modes = 2 * np.arange(linear_truncation(grid) + 1.0) + 1
        return modes / modes.sum()
    box = _periodic_box(grid)
    shell = _shell_of_modes(box)
    modes = np.zeros((box.num_points[0], box.num_points[1] // 2 + 1))
    if box is grid:
        modes[:] = 1
        modes[:, 1 : (box.num_points[1] + 1) // 2] = 2
    else:  # a continued field is a sum of as many cosines as there are points
        modes[: grid.num_points[0], : grid.num_points[1]] = 1
    return np.bincount(shell, modes.ravel()) / math.prod(grid.num_points)


def nyquist_wavenumber(grid: Grid) -> float:
    """The largest wavenumber that the grid sees in every direction, in radians per unit of length.

    Shells whose centre lies strictly below it are complete. On a sphere it is the first degree that
    the grid cannot hold.
    """
    if isinstance(grid, GaussianSphere):
        return linear_truncation(grid) + 1.0
    return math.pi / max(grid.spacing)


def wavenumber_attributes(grid: Grid, length_units: str) -> dict[str, str]:
    """Unit and name of the wavenumbers.

    Args:
        grid: Where the field is sampled.
        length_units: UDUNITS string of the unit of length.
    """
    if isinstance(grid, GaussianSphere):
        return {"units": "1", "long_name": "degree of the spherical harmonics"}
    units = "1" if length_units == "1" else f"{length_units}-1"
    return {"units": units, "long_name": "wavenumber (radians per unit length)"}


def _power_per_degree(
    u: Float[Tensor, "*lead y x"], grid: GaussianSphere
) -> Float[Tensor, "*lead degree"]:
    harmonics = spherical_harmonics(grid, linear_truncation(grid), u.dtype, u.device)
    power = harmonics.analyse(u).abs() ** 2
    # Negative orders, which a real field does not store, have the power of the positive ones.
    return (2 * power.sum(dim=-1) - power[..., 0]) / (4 * math.pi)


def _periodic_box(grid: Grid) -> PeriodicBox:
    """The periodic box on which the field, continued beyond its edges, is a Fourier series."""
    if isinstance(grid, PeriodicBox):
        return grid
    if isinstance(grid, (ClosedBox, Channel, OpenBox)):
        (ny, nx), (ly, lx) = grid.num_points, grid.domain_extent
        return PeriodicBox((2 * ny, 2 * nx), (2 * ly, 2 * lx))
    raise TypeError(f"no power spectrum is known for {type(grid).__name__}")


def _fundamental(box: PeriodicBox) -> float:
    return 2 * math.pi / max(box.domain_extent)


@lru_cache(maxsize=16)
def _shell_of_modes(box: PeriodicBox) -> np.ndarray:
    """The shell of each mode of `rfft2`, flattened."""
    (ny, nx), (dy, dx) = box.num_points, box.spacing
    ky = 2 * math.pi * np.fft.fftfreq(ny, dy)[:, None]
    kx = 2 * math.pi * np.fft.rfftfreq(nx, dx)[None, :]
    shell = np.floor(np.hypot(ky, kx) / _fundamental(box) + 0.5)
    return shell.astype(np.int64).ravel()
