r"""Spherical harmonics on a Gaussian sphere: coefficients, derivatives, winds and back.

A real field on the unit sphere is the sum

$$ u(\lambda, \varphi) = \sum_{l \le T} \Big( c_{l0} Y_{l0}
   + 2 \operatorname{Re} \sum_{0 < m \le l} c_{lm} Y_{lm} \Big), \qquad
   Y_{lm} = \bar P_{lm}(\sin\varphi)\, e^{im\lambda}, $$

with $\int Y_{lm} Y_{l'm'}^* d\Omega = \delta_{ll'} \delta_{mm'}$, so that $c_{00}$ is $\sqrt{4\pi}$
times the mean. Coefficients do not depend on the grid. On a sphere of radius `a`, divide every
first derivative by `a` and every second one by `a²`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators.legendre import coupling, legendre_functions
from pdesurrogate.operators.tables import made_once

__all__ = ["SphericalHarmonics", "linear_truncation", "quadratic_truncation", "spherical_harmonics"]

_ORDERS_PER_BLOCK = 16
"""Orders that share a product of matrices; degrees below the lowest of them are left out."""


def linear_truncation(grid: GaussianSphere) -> int:
    r"""The highest degree `T` whose coefficients the grid's quadrature recovers exactly.

    $T = \min(n_\varphi - 1, (n_\lambda - 1) // 2)$: products of two harmonics up to `T` are
    integrated exactly, and every order lies below the Nyquist mode of the longitudes.
    """
    latitudes, longitudes = grid.num_points
    return min(latitudes - 1, (longitudes - 1) // 2)


def quadratic_truncation(grid: GaussianSphere) -> int:
    r"""The highest degree `T` at which products of two fields have no aliasing up to `T`.

    $T = \min((2 n_\varphi - 1) // 3, (n_\lambda - 1) // 3)$: T42 on 64 x 128 points, T85 on
    128 x 256.

    References:
        Orszag (1970), *J. Atmos. Sci.* 27.
    """
    latitudes, longitudes = grid.num_points
    return min((2 * latitudes - 1) // 3, (longitudes - 1) // 3)


class _Block(NamedTuple):
    """Legendre functions of some orders at the northern latitudes, even and odd degrees apart.

    Args:
        orders: Which orders.
        even: Which degrees are even, from the first that is needed.
        odd: Which degrees are odd.
        synthesis: From coefficients of even and of odd degrees, `(order, y, degree)`.
        analysis: To them, quadrature weights included, `(order, degree, y)`.
    """

    orders: slice
    even: slice
    odd: slice
    synthesis: tuple[Tensor, Tensor]
    analysis: tuple[Tensor, Tensor]


class SphericalHarmonics:
    r"""The harmonics of degree up to `T` and every order (triangular truncation) on a grid.

    Coefficients have shape `(..., T + 1, T + 1)`, degree first, and are zero where the order
    exceeds the degree. In memory the order runs slowest, then the degree, then the leading
    dimensions, as the products with the Legendre functions want it; pointwise work keeps that.

    Along longitude by fast Fourier transforms; along latitude by matrix products for all fields at
    once, on one hemisphere, for $\bar P_{lm}(-\mu) = (-1)^{l+m} \bar P_{lm}(\mu)$.

    Args:
        grid: The Gaussian sphere.
        truncation: `T`, at most `linear_truncation(grid)`, so that analysis undoes synthesis.
        dtype: float32 or float64; tables are made in float64.
        device: Where to compute.

    Raises:
        ValueError: If the grid cannot hold the truncation.

    References:
        Hack & Jakob (1992), *NCAR Tech. Note* TN-343+STR, §§2–4.
    """

    def __init__(
        self,
        grid: GaussianSphere,
        truncation: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        if not 1 <= truncation <= linear_truncation(grid):
            raise ValueError(
                f"{grid.num_points[0]} x {grid.num_points[1]} points hold harmonics of degree 1 to "
                f"{linear_truncation(grid)}, got the truncation {truncation}"
            )
        self.grid, self.truncation = grid, truncation
        self.dtype, self.device = dtype, torch.device(device)
        # Winds times the cosine reach one degree further than vorticity and divergence.
        self._num_degrees, self._num_orders = truncation + 2, truncation + 1
        degree = torch.arange(truncation + 2, dtype=torch.float64)[:, None]
        order = torch.arange(truncation + 1, dtype=torch.float64)[None, :]
        eigenvalues = -degree * (degree + 1)
        self.eigenvalues = self._real(eigenvalues[:-1])
        """Of the Laplacian on the unit sphere, $-l(l + 1)$, one row per degree."""
        inverse = torch.where(degree > 0, 1 / eigenvalues.clamp(max=-1), 0.0)
        self._inverse = self._real(inverse[:-1])
        self._turn = 1j * order.to(self.device, self._complex)
        above, below = coupling(degree + 1, order), coupling(degree, order)
        self._from_above = self._real((degree + 2) * above)
        self._from_below = self._real((degree - 1) * below)
        self._to_above = self._real((degree * above)[:-1])
        self._to_below = self._real(((degree + 1) * below)[:-1])
        self._sign = self._real(1 - 2 * (order.T[..., None] % 2))
        sine = torch.tensor(grid.sine_of_latitude)
        self._cosine = self._real(((1 - sine) * (1 + sine)).sqrt())[:, None]
        self._blocks = self._tables()

    @property
    def _complex(self) -> torch.dtype:
        return torch.complex64 if self.dtype == torch.float32 else torch.complex128

    def _real(self, values: Tensor) -> Tensor:
        return values.to(self.device, self.dtype)

    def _tables(self) -> list[_Block]:
        north = torch.tensor(self.grid.sine_of_latitude)[self.grid.num_points[0] // 2 :]
        functions = legendre_functions(north, self._num_degrees, self._num_orders)
        weights = 4 * math.pi * torch.tensor(self.grid.quadrature_weights)[-len(north) :, 0]
        blocks = []
        for first in range(0, self._num_orders, _ORDERS_PER_BLOCK):
            orders = slice(first, min(first + _ORDERS_PER_BLOCK, self._num_orders))
            even = slice(first + first % 2, None, 2)
            odd = slice(first + 1 - first % 2, None, 2)
            parts = [functions[orders, degrees] for degrees in (even, odd)]
            blocks.append(
                _Block(
                    orders,
                    even,
                    odd,
                    (self._table(parts[0].mT), self._table(parts[1].mT)),
                    (self._table(parts[0] * weights), self._table(parts[1] * weights)),
                )
            )
        return blocks

    def _table(self, values: Tensor) -> Tensor:
        return self._real(values).contiguous()

    def synthesise(self, coefficients: Complex[Tensor, "*lead l m"]) -> Float[Tensor, "*lead y x"]:
        """Evaluate the series on the grid.

        Args:
            coefficients: Of degrees up to `T`, or `T + 1` as those of `scaled_velocity`.
        """
        lead = coefficients.shape[:-2]
        latitudes, longitudes = self.grid.num_points
        rows, columns = coefficients.shape[-2:]
        ordered = coefficients.reshape(-1, rows, columns).permute(2, 1, 0).contiguous()
        spectrum = torch.view_as_real(ordered).flatten(-2)
        if rows < self._num_degrees:
            spectrum = torch.cat([spectrum, torch.zeros_like(spectrum[:, :1])], dim=1)
        even, odd = [], []
        for block in self._blocks:
            of_even, of_odd = block.synthesis
            even.append(torch.bmm(of_even, spectrum[block.orders, block.even]))
            odd.append(torch.bmm(of_odd, spectrum[block.orders, block.odd]))
        symmetric, rest = torch.cat(even), torch.cat(odd)
        south = (self._sign * (symmetric - rest)).flip(1)
        halves = torch.cat([south, symmetric + rest], dim=1)
        waves = torch.view_as_complex(halves.unflatten(-1, (-1, 2))).permute(2, 1, 0)
        # Padded by hand: `irfft` would pad along the strided axis, which is slower.
        whole = waves.new_zeros((*waves.shape[:-1], longitudes // 2 + 1))
        whole[..., : self._num_orders] = waves
        field = torch.fft.irfft(whole, n=longitudes, dim=-1, norm="forward")
        return field.reshape(*lead, latitudes, longitudes)

    def analyse(self, u: Float[Tensor, "*lead y x"]) -> Complex[Tensor, "*lead l m"]:
        r"""The coefficients $\int u\, Y_{lm}^*\, d\Omega$ up to `T`, by the grid's quadrature.

        Exact for fields of degree up to `2 n - 1 - T` on `n` latitudes; what lies above `T` is left
        out.
        """
        return self.analyse_beyond(u)[..., :-1, :]

    def analyse_beyond(self, u: Float[Tensor, "*lead y x"]) -> Complex[Tensor, "*lead k m"]:
        """The coefficients up to degree `T + 1`, as `divergence_of_scaled` wants them."""
        half = self.grid.num_points[0] // 2
        waves = torch.fft.rfft(u.reshape(-1, *u.shape[-2:]), dim=-1)[..., : self._num_orders]
        waves = torch.view_as_real(waves.permute(2, 1, 0).contiguous()).flatten(-2)
        north, south = waves[:, half:], self._sign * waves[:, :half].flip(1)
        sums, differences = north + south, north - south
        spectrum = sums.new_zeros(self._num_orders, self._num_degrees, sums.shape[-1])
        for block in self._blocks:
            even, odd = block.analysis
            spectrum[block.orders, block.even] = torch.bmm(even, sums[block.orders])
            spectrum[block.orders, block.odd] = torch.bmm(odd, differences[block.orders])
        coefficients = torch.view_as_complex(spectrum.unflatten(-1, (-1, 2)))
        return coefficients.permute(2, 1, 0).reshape(
            *u.shape[:-2], self._num_degrees, self._num_orders
        )

    def laplacian(self, coefficients: Complex[Tensor, "*lead l m"]) -> Complex[Tensor, "*lead l m"]:
        r"""$\nabla^2 u$ on the unit sphere."""
        return self.eigenvalues * coefficients

    def inverse_laplacian(
        self, coefficients: Complex[Tensor, "*lead l m"]
    ) -> Complex[Tensor, "*lead l m"]:
        r"""The solution of $\nabla^2 u = f$ with mean zero; the mean of `f` is ignored."""
        return self._inverse * coefficients

    def gradient(
        self, coefficients: Complex[Tensor, "*lead l m"]
    ) -> tuple[Float[Tensor, "*lead y x"], Float[Tensor, "*lead y x"]]:
        r"""$(\partial_\lambda u / \cos\varphi,\; \partial_\varphi u)$ at the grid's points.

        Returns:
            The parts towards east and north, on the unit sphere.
        """
        scaled = torch.stack([self._turn * self._extended(coefficients), self._slope(coefficients)])
        east, north = self.synthesise(scaled) / self._cosine
        return east, north

    def scaled_velocity(
        self, vorticity: Complex[Tensor, "*lead l m"], divergence: Complex[Tensor, "*lead l m"]
    ) -> tuple[Complex[Tensor, "*lead k m"], Complex[Tensor, "*lead k m"]]:
        r"""Coefficients of $u \cos\varphi$ and $v \cos\varphi$, which reach the degree `T + 1`.

        $$ u \cos\varphi = \partial_\lambda \chi - \cos\varphi\, \partial_\varphi \psi, \quad
           v \cos\varphi = \partial_\lambda \psi + \cos\varphi\, \partial_\varphi \chi, \qquad
           \nabla^2 \psi = \zeta, \; \nabla^2 \chi = \delta $$

        Returns:
            The parts towards east and north, on the unit sphere.
        """
        stream, potential = self._inverse * vorticity, self._inverse * divergence
        east = self._turn * self._extended(potential) - self._slope(stream)
        north = self._turn * self._extended(stream) + self._slope(potential)
        return east, north

    def velocity(
        self, vorticity: Complex[Tensor, "*lead l m"], divergence: Complex[Tensor, "*lead l m"]
    ) -> tuple[Float[Tensor, "*lead y x"], Float[Tensor, "*lead y x"]]:
        """The winds towards east and north at the grid's points, on the unit sphere.

        Args:
            vorticity: Coefficients; their mean, which no wind has, is ignored.
            divergence: Likewise.
        """
        scaled = torch.stack(self.scaled_velocity(vorticity, divergence))
        u, v = self.synthesise(scaled) / self._cosine
        return u, v

    def divergence(
        self, east: Float[Tensor, "*lead y x"], north: Float[Tensor, "*lead y x"]
    ) -> Complex[Tensor, "*lead l m"]:
        r"""Coefficients of $(\partial_\lambda u + \partial_\varphi(v \cos\varphi)) / \cos\varphi$.

        By partial integration: nothing is differentiated on the grid.

        Args:
            east: A vector's part towards east, not multiplied by any cosine.
            north: Its part towards north.
        """
        a, b = self.analyse_beyond(torch.stack([east, north]) / self._cosine)
        return self.divergence_of_scaled(a, b)

    def vorticity_and_divergence(
        self, east: Float[Tensor, "*lead y x"], north: Float[Tensor, "*lead y x"]
    ) -> tuple[Complex[Tensor, "*lead l m"], Complex[Tensor, "*lead l m"]]:
        r"""Coefficients of the curl and the divergence of a vector field on the grid.

        The curl is $(\partial_\lambda v - \partial_\varphi(u \cos\varphi)) / \cos\varphi$. This
        undoes `velocity`.

        Args:
            east: Part towards east, not multiplied by any cosine.
            north: Part towards north.
        """
        a, b = self.analyse_beyond(torch.stack([east, north]) / self._cosine)
        return self.divergence_of_scaled(b, -a), self.divergence_of_scaled(a, b)

    def divergence_of_scaled(
        self, a: Complex[Tensor, "*lead k m"], b: Complex[Tensor, "*lead k m"]
    ) -> Complex[Tensor, "*lead l m"]:
        r"""Coefficients of the divergence of a vector whose parts over the cosine are given.

        The curl of the same vector is that of `b` and `-a`.

        Args:
            a: Of $u / \cos\varphi$, up to degree `T + 1`.
            b: Of $v / \cos\varphi$, likewise.
        """
        below = torch.cat([torch.zeros_like(b[..., :1, :]), b[..., :-2, :]], dim=-2)
        along = self._turn * a[..., :-1, :]
        return along + self._to_above * b[..., 1:, :] - self._to_below * below

    def _extended(self, c: Tensor) -> Tensor:
        return torch.cat([c, torch.zeros_like(c[..., :1, :])], dim=-2)

    def _slope(self, c: Tensor) -> Tensor:
        r"""Coefficients of $\cos\varphi\, \partial_\varphi u$, up to degree `T + 1`."""
        nothing = torch.zeros_like(c[..., :1, :])
        above = torch.cat([c[..., 1:, :], nothing, nothing], dim=-2)
        below = torch.cat([nothing, c], dim=-2)
        return self._from_above * above - self._from_below * below


@made_once(maxsize=16)
def spherical_harmonics(
    grid: GaussianSphere,
    truncation: int,
    dtype: torch.dtype = torch.float32,
    device: torch.device = torch.device("cpu"),  # noqa: B008
) -> SphericalHarmonics:
    """`SphericalHarmonics` whose tables are made once for every setting."""
    return SphericalHarmonics(grid, truncation, dtype=dtype, device=device)
