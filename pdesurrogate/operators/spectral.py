r"""Fourier series on a periodic box: coefficients, derivatives, Poisson's equation, velocity.

A real field on a box of extents $L_y, L_x$ is the sum

$$ u(x, y) = \sum_{k_x, k_y} \hat u_{k}\, e^{2\pi i (k_x x / L_x + k_y y / L_y)} . $$

Coefficients are normalised so that they do not depend on the grid (`norm="forward"`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import PeriodicBox

__all__ = [
    "FourierBasis",
    "derivative",
    "inverse_laplacian",
    "laplacian",
    "velocity_from_vorticity",
    "vorticity_from_velocity",
    "wavenumbers",
]


@dataclass(frozen=True)
class FourierBasis:
    r"""The modes $|k_y| \le K_y$, $0 \le k_x \le K_x$ of real fields, stored without padding.

    Coefficients have shape `(..., 2 K_y + 1, K_x + 1)` with $k_y = 0, …, K_y, -K_y, …, -1$. Only
    the modes that matter are stored, so pointwise work in a dealiased solver costs 4/9 of the full
    spectrum's.

    Args:
        max_wavenumber: `(K_y, K_x)`, whole numbers of waves per domain.
    """

    max_wavenumber: tuple[int, int]

    @property
    def wavenumbers(self) -> tuple[Float[Tensor, "ky 1"], Float[Tensor, "1 kx"]]:
        """Whole wavenumbers along y and x in storage order, float64."""
        rows, columns = self.max_wavenumber
        ky = torch.cat([torch.arange(rows + 1), torch.arange(-rows, 0)]).double()
        return ky[:, None], torch.arange(columns + 1).double()[None, :]

    def angular_wavenumbers(
        self, domain_extent: tuple[float, float]
    ) -> tuple[Float[Tensor, "ky kx"], Float[Tensor, "ky kx"]]:
        r"""Angular wavenumbers $2\pi k / L$ along y and x of every mode, float64.

        Args:
            domain_extent: Length of the domain along y and x.
        """
        along_y, along_x = (
            whole * (2 * math.pi / length)
            for whole, length in zip(self.wavenumbers, domain_extent, strict=True)
        )
        ky, kx = torch.broadcast_tensors(along_y, along_x)
        return ky, kx

    def synthesise(
        self, coefficients: Complex[Tensor, "*lead ky kx"], shape: tuple[int, int]
    ) -> Float[Tensor, "*lead y x"]:
        """Evaluate the series on a grid of `shape`; modes that it cannot hold are left out.

        Kept are the modes strictly below the grid's Nyquist mode, so that this equals spectral
        truncation to the grid.
        """
        (ky, kx), (ny, nx) = self.max_wavenumber, shape
        rows, columns = min(ky, (ny - 1) // 2), min(kx, (nx - 1) // 2)
        kept = coefficients[..., : columns + 1].mT
        zeros = kept.new_zeros((*kept.shape[:-1], ny - 2 * rows - 1))
        negative = kept[..., 2 * ky + 1 - rows :]
        padded = torch.cat([kept[..., : rows + 1], zeros, negative], dim=-1)
        in_x = torch.fft.ifft(padded, dim=-1, norm="forward").mT
        # Padded by hand: `irfft` would pad along the strided axis, which is slower.
        whole = in_x.new_zeros((*in_x.shape[:-1], nx // 2 + 1))
        whole[..., : columns + 1] = in_x
        return torch.fft.irfft(whole, n=nx, dim=-1, norm="forward")

    def analyse(self, u: Float[Tensor, "*lead y x"]) -> Complex[Tensor, "*lead ky kx"]:
        """The coefficients of a sampled field; modes above the basis are left out.

        Raises:
            ValueError: If the grid cannot hold the basis below its Nyquist mode.
        """
        return self.sums(u) / (u.shape[-2] * u.shape[-1])

    def sums(self, u: Float[Tensor, "*lead y x"]) -> Complex[Tensor, "*lead ky kx"]:
        r"""$\sum_{x, y} u\, e^{-i k \cdot x}$: the coefficients times the number of points.

        For a solver that scales them anyway: transforms are faster without a factor.

        Raises:
            ValueError: If the grid cannot hold the basis below its Nyquist mode.
        """
        (ky, kx), (ny, nx) = self.max_wavenumber, u.shape[-2:]
        if 2 * ky >= ny or 2 * kx >= nx:
            raise ValueError(
                f"a grid of {ny} x {nx} points cannot hold wavenumbers up to {self.max_wavenumber}"
            )
        in_x = torch.fft.rfft(u, dim=-1)[..., : kx + 1]
        full = torch.fft.fft(in_x, dim=-2).mT
        return torch.cat([full[..., : ky + 1], full[..., ny - ky :]], dim=-1).mT


def wavenumbers(grid: PeriodicBox) -> tuple[Float[Tensor, "y 1"], Float[Tensor, "1 kx"]]:
    r"""Angular wavenumbers $2\pi k / L$ along y and x in the order of `rfft2`, float64."""
    (ny, nx), (ly, lx) = grid.num_points, grid.domain_extent
    ky = torch.fft.fftfreq(ny, 1 / ny, dtype=torch.float64) * (2 * math.pi / ly)
    kx = torch.fft.rfftfreq(nx, 1 / nx, dtype=torch.float64) * (2 * math.pi / lx)
    return ky[:, None], kx[None, :]


def derivative(
    u: Float[Tensor, "*lead y x"], grid: PeriodicBox, axis: str
) -> Float[Tensor, "*lead y x"]:
    r"""$\partial u / \partial x$ or $\partial u / \partial y$, exact for band-limited fields.

    Args:
        u: Field on `grid`.
        grid: The periodic box.
        axis: `"x"` or `"y"`.

    Returns:
        The derivative, in the field's unit per unit of length. The Nyquist mode, whose derivative
        no real grid function can carry, is dropped.
    """
    ky, kx = wavenumbers(grid)
    ny, nx = grid.num_points
    k = {"y": ky, "x": kx}[axis].clone()
    if axis == "y" and ny % 2 == 0:
        k[ny // 2] = 0
    if axis == "x" and nx % 2 == 0:
        k[:, nx // 2] = 0
    return _apply(u, 1j * k)


def laplacian(u: Float[Tensor, "*lead y x"], grid: PeriodicBox) -> Float[Tensor, "*lead y x"]:
    r"""$\nabla^2 u$ by $-|k|^2 \hat u$."""
    ky, kx = wavenumbers(grid)
    return _apply(u, -(ky**2 + kx**2))


def inverse_laplacian(
    f: Float[Tensor, "*lead y x"], grid: PeriodicBox
) -> Float[Tensor, "*lead y x"]:
    r"""The solution of $\nabla^2 u = f$ with mean zero; the mean of `f` is ignored."""
    ky, kx = wavenumbers(grid)
    return _apply(f, -_reciprocal(ky**2 + kx**2))


def velocity_from_vorticity(
    vorticity: Float[Tensor, "*lead y x"], grid: PeriodicBox
) -> tuple[Float[Tensor, "*lead y x"], Float[Tensor, "*lead y x"]]:
    r"""The divergence-free velocity with mean zero and the given vorticity.

    $$ -\nabla^2 \psi = \omega, \quad u_x = \partial_y \psi, \quad u_y = -\partial_x \psi $$

    Args:
        vorticity: $\omega = \partial_x u_y - \partial_y u_x$ on `grid`.
        grid: The periodic box.

    Returns:
        `velocity_x` and `velocity_y` on the same points.
    """
    stream_function = -inverse_laplacian(vorticity, grid)
    return derivative(stream_function, grid, "y"), -derivative(stream_function, grid, "x")


def vorticity_from_velocity(
    velocity_x: Float[Tensor, "*lead y x"],
    velocity_y: Float[Tensor, "*lead y x"],
    grid: PeriodicBox,
) -> Float[Tensor, "*lead y x"]:
    r"""$\omega = \partial_x u_y - \partial_y u_x$."""
    return derivative(velocity_y, grid, "x") - derivative(velocity_x, grid, "y")


def _apply(u: Tensor, symbol: Tensor) -> Tensor:
    """Multiply a field's coefficients by a symbol given in float64 or complex128."""
    dtype = torch.complex64 if u.dtype == torch.float32 else torch.complex128
    spectrum = torch.fft.rfft2(u) * symbol.to(device=u.device, dtype=dtype)
    return torch.fft.irfft2(spectrum, s=u.shape[-2:])


def _reciprocal(k2: Tensor) -> Tensor:
    """1 / k², and 0 for the mean."""
    return torch.where(k2 > 0, 1 / k2.clamp(min=torch.finfo(k2.dtype).tiny), 0.0)
