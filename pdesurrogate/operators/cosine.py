r"""Poisson's equation between walls, solved exactly by cosine transforms.

On `n` cell centres between two walls the second difference with no flux through the walls has the
eigenvectors $\cos(\pi k (i + 1/2) / n)$ and the eigenvalues $(2 \cos(\pi k / n) - 2) / h^2$. The
transform to that basis (DCT-II) makes Poisson's equation diagonal.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["FourierPoisson", "MatrixPoisson", "PoissonSolver", "neumann_poisson"]

_LARGEST_MATRIX = {"cpu": 80, "cuda": 1024}
"""Sides above which fast transforms overtake matrix products, measured for one thread of a CPU."""


@runtime_checkable
class PoissonSolver(Protocol):
    """Solves for a potential at cell centres whose gradient vanishes at the walls."""

    def __call__(self, f: Float[Tensor, "*lead y x"]) -> Float[Tensor, "*lead y x"]:
        """The potential with mean zero."""
        ...


def neumann_poisson(
    num_points: tuple[int, int],
    spacing: tuple[float, float],
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> PoissonSolver:
    r"""A solver of the 5-point Poisson equation in a closed box, exact to rounding.

    $$ \frac{p_{i,j+1} - 2 p_{ij} + p_{i,j-1}}{h_x^2}
       + \frac{p_{i+1,j} - 2 p_{ij} + p_{i-1,j}}{h_y^2} = f_{ij},
       \qquad \partial_n p = 0 \text{ at the walls} $$

    The solution has mean zero; the mean of `f`, for which there is none, is ignored. It is
    differentiable. By matrix products on small grids, by fast transforms on large ones.

    Args:
        num_points: Cells along y and x.
        spacing: Cell sizes along y and x.
        dtype: float32 or float64.
        device: Where to compute.

    References:
        Schumann & Sweet (1988), *J. Comput. Phys.* 75.
    """
    largest = _LARGEST_MATRIX.get(torch.device(device).type, 0)
    kind = MatrixPoisson if max(num_points) <= largest else FourierPoisson
    return kind(num_points, spacing, dtype=dtype, device=device)


class MatrixPoisson:
    """By dense cosine matrices: four matrix products of the grid's size.

    Args:
        num_points: Cells along y and x.
        spacing: Cell sizes along y and x.
        dtype: float32 or float64.
        device: Where to compute.
    """

    def __init__(
        self,
        num_points: tuple[int, int],
        spacing: tuple[float, float],
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        along_y, along_x = (_cosine_matrix(n).to(device, dtype) for n in num_points)
        self._analyse_y, self._synthesise_y = along_y, along_y.T.contiguous()
        self._analyse_x, self._synthesise_x = along_x.T.contiguous(), along_x
        ey, ex = (_eigenvalues(n, h) for n, h in zip(num_points, spacing, strict=True))
        self._inverse = _reciprocal(ey[:, None] + ex[None, :]).to(device, dtype)

    def __call__(self, f: Float[Tensor, "*lead y x"]) -> Float[Tensor, "*lead y x"]:
        """The potential with mean zero."""
        f_hat = self._analyse_y @ (f @ self._analyse_x)
        return self._synthesise_y @ (f_hat * self._inverse) @ self._synthesise_x


class FourierPoisson:
    r"""By fast Fourier transforms of the same length.

    Reordered as $v = (f_0, f_2, f_4, …, f_5, f_3, f_1)$, a real sequence has the Fourier
    coefficients $\hat v_k$ with $e^{-i\pi k / 2n}\, \hat v_k = c_k - i\, c_{n-k}$, where $c$ are
    its cosine coefficients. The real and the imaginary part are thus divided by the eigenvalues of
    two different modes, and the cosine coefficients are never put in order.

    Args:
        num_points: Cells along y and x.
        spacing: Cell sizes along y and x.
        dtype: float32 or float64.
        device: Where to compute.

    References:
        Makhoul (1980), *IEEE Trans. Acoust. Speech Signal Process.* 28.
    """

    def __init__(
        self,
        num_points: tuple[int, int],
        spacing: tuple[float, float],
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        ny, nx = num_points
        order = torch.cat([torch.arange(0, ny, 2), torch.arange(1, ny, 2).flip(0)])
        self._order, self._restore = order.to(device), order.argsort().to(device)
        complex_dtype = torch.complex64 if dtype == torch.float32 else torch.complex128
        ky, kx = torch.arange(ny).double(), torch.arange(nx // 2 + 1).double()
        turn_y = torch.exp(-0.5j * math.pi * ky / ny)[:, None]
        turn_x = torch.exp(-0.5j * math.pi * kx / nx)
        self._mirror = ((ny - torch.arange(ny)) % ny).to(device)
        self._plus = (0.5 * turn_y * turn_x).to(device, complex_dtype)
        self._minus = (0.5 * turn_y.conj() * turn_x).to(device, complex_dtype)
        back = turn_y.conj() * turn_x.conj()
        # Row 0 stands for itself: its mirror image, mode n, is no mode.
        mirrored = torch.where(ky[:, None] > 0, -1j, 0j) * back
        self._back = back.to(device, complex_dtype)
        self._mirrored = mirrored.to(device, complex_dtype)
        ey, ex = (_eigenvalues(n, h) for n, h in zip(num_points, spacing, strict=True))
        pairs = torch.stack([ex[: nx // 2 + 1], ex[-torch.arange(nx // 2 + 1) % nx]], dim=-1)
        self._inverse = _reciprocal(ey[:, None, None] + pairs).to(device, dtype)

    def __call__(self, f: Float[Tensor, "*lead y x"]) -> Float[Tensor, "*lead y x"]:
        """The potential with mean zero."""
        v = _fold(f.index_select(-2, self._order))
        spectrum = torch.fft.rfft2(v)
        cosine = self._plus * spectrum + self._minus * spectrum.index_select(-2, self._mirror)
        scaled = torch.view_as_complex(torch.view_as_real(cosine) * self._inverse)
        spectrum = self._back * scaled + self._mirrored * scaled.index_select(-2, self._mirror)
        v = torch.fft.irfft2(spectrum, s=f.shape[-2:])
        return _unfold(v.index_select(-2, self._restore))


def _fold(u: Float[Tensor, "*lead y x"]) -> Float[Tensor, "*lead y x"]:
    """Columns 0, 2, 4, …, then …, 5, 3, 1; many times faster along x than looking indices up."""
    return torch.cat([u[..., ::2], u[..., 1::2].flip(-1)], dim=-1)


def _unfold(v: Float[Tensor, "*lead y x"]) -> Float[Tensor, "*lead y x"]:
    """The inverse of `_fold`."""
    half = (v.shape[-1] + 1) // 2
    u = torch.empty_like(v)
    u[..., ::2] = v[..., :half]
    u[..., 1::2] = v[..., half:].flip(-1)
    return u


def _cosine_matrix(n: int) -> Float[Tensor, "n n"]:
    """Rows are the orthonormal eigenvectors, float64."""
    k = torch.arange(n, dtype=torch.float64)
    matrix = math.sqrt(2 / n) * torch.cos(math.pi / n * torch.outer(k, k + 0.5))
    matrix[0] *= math.sqrt(0.5)
    return matrix


def _eigenvalues(n: int, spacing: float) -> Float[Tensor, " n"]:
    """Of the second difference between walls, float64."""
    k = torch.arange(n, dtype=torch.float64)
    # 2 cos a - 2 without cancellation
    return -((2 * torch.sin(0.5 * math.pi * k / n) / spacing) ** 2)


def _reciprocal(eigenvalues: Tensor) -> Tensor:
    """1 / λ, and 0 for the mean."""
    tiny = torch.finfo(eigenvalues.dtype).tiny
    return torch.where(eigenvalues < 0, 1 / eigenvalues.clamp(max=-tiny), 0.0)
