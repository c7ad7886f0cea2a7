"""Exact decay of a field's modes: what diffusion and drag do over any time, on any grid."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, OpenBox, PeriodicBox
from pdesurrogate.operators.spectral import wavenumbers
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics

__all__ = ["damp"]

Rate = Callable[[Float[Tensor, "row column"]], Tensor]
"""Squared wavenumbers to rates of decay, which broadcast against `(*lead, row, column)`."""


def damp(
    u: Float[Tensor, "*lead y x"], grid: Grid, rate: Rate, duration: float
) -> Float[Tensor, "*lead y x"]:
    r"""Let every mode decay at its rate.

    $$ \hat u_k \mapsto e^{-r(|k|^2)\, \Delta t}\, \hat u_k $$

    The modes are Fourier's on a periodic box, cosines between walls that nothing passes, and
    spherical harmonics on a sphere, where $|k|^2 = l (l + 1)$ of the unit sphere. On a sphere, what
    lies above the grid's linear truncation is dropped.

    Args:
        u: Scalars on `grid`.
        grid: Where they are sampled.
        rate: From $|k|^2$ to `r` per unit of time; for diffusion $\kappa |k|^2$.
        duration: How long.

    Raises:
        TypeError: If no modes are known for such a grid.
    """
    return _damped(grid, u, lambda k2: torch.exp(-duration * rate(k2)))


@singledispatch
def _damped(grid: Grid, u: Tensor, factor: Rate) -> Tensor:
    raise TypeError(f"no modes are known for a {type(grid).__name__}")


@_damped.register
def _(grid: PeriodicBox, u: Tensor, factor: Rate) -> Tensor:
    ky, kx = wavenumbers(grid)
    k2 = (ky**2 + kx**2).to(u.device, u.dtype)
    return torch.fft.irfft2(torch.fft.rfft2(u) * factor(k2), s=u.shape[-2:])


@_damped.register(ClosedBox)
@_damped.register(Channel)
@_damped.register(OpenBox)
def _(grid: Grid, u: Tensor, factor: Rate) -> Tensor:
    # A cosine series is the Fourier series of the field and its mirror images.
    u = torch.cat([u, u.flip(-1)], dim=-1)
    mirrored = torch.cat([u, u.flip(-2)], dim=-2)
    ny, nx = grid.num_points
    ly, lx = grid.domain_extent
    doubled = PeriodicBox((2 * ny, 2 * nx), (2 * ly, 2 * lx))
    return _damped(doubled, mirrored, factor)[..., :ny, :nx]


@_damped.register
def _(grid: GaussianSphere, u: Tensor, factor: Rate) -> Tensor:
    harmonics = spherical_harmonics(grid, linear_truncation(grid), u.dtype, u.device)
    return harmonics.synthesise(harmonics.analyse(u) * factor(-harmonics.eigenvalues))
