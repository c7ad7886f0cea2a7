"""A random force, smooth in time and the same function whatever the grid and the step."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions.fourier_series import random_coefficients
from pdesurrogate.operators.spectral import FourierBasis
from pdesurrogate.solvers.forcing import UnsteadyForcing

__all__ = ["StochasticForcing"]

_MEAN_SQUARE = 151 / 315
r"""$\int B^2$ of the cubic B-spline with unit spacing, the variance of $\sum_j \xi_j B(s - j)$."""


@dataclass(frozen=True)
class StochasticForcing(UnsteadyForcing):
    r"""A random vorticity source on a ring of wavenumbers, a stationary Gaussian process in time.

    $$ \hat g_k(t) = \frac{A}{\sqrt M} \sqrt{\tfrac{315}{151}}
       \sum_j \xi_{k,j}\, B\!\left(\frac{t}{h} + \phi - j\right) $$

    $B$ is the cubic B-spline, so that the source is twice continuously differentiable in time and
    four neighbours determine it at any time; $\xi_{k,j}$ are independent complex normals of unit
    variance, drawn by a generator keyed by the seed and $j$; $M$ is the number of modes on the
    ring; $\phi$, uniform on $[0, 1)$ and drawn from the seed, makes the process stationary. The
    covariance in time is the B-spline of order 8. At $t = 0$ the force is at full strength.

    With a linear damping $\lambda$ and no advection, the enstrophy fed in is
    $A^2 \int_0^\infty \rho(s) e^{-\lambda s} ds$ per unit of time, close to $A^2 T$ when
    $\lambda T \ll 1$, and the energy that divided by $k^2$.

    Args:
        amplitude: `A`, the root mean square of the source over space, time and seeds; a vorticity
            per unit of time.
        min_wavenumber: Inner radius of the ring, whole waves per domain height.
        max_wavenumber: Outer radius. The ring is a circle in physical wavenumbers, whatever the
            shape of the domain.
        correlation_time: $T = \int_0^\infty \rho(s)\,ds$ of the correlation in time $\rho$; the
            spacing of the splines is $h = \frac{302}{315} T$, and $\rho$ vanishes beyond `4 h`.
        seed: What the realisation depends on, and nothing else.

    Raises:
        ValueError: If a value is out of its range.

    References:
        Alvelius (1999), *Phys. Fluids* 11 (forcing a ring of modes at random); de Boor (1978),
        *A Practical Guide to Splines*, ch. IX.
    """

    amplitude: float = 1.0
    min_wavenumber: int = 3
    max_wavenumber: int = 5
    correlation_time: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("amplitude", "correlation_time"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"the forcing's {name} must be positive and finite, got {value}")
        if not 1 <= self.min_wavenumber <= self.max_wavenumber:
            raise ValueError(
                "the forcing's wavenumbers must satisfy 1 <= min_wavenumber <= max_wavenumber, "
                f"got {self.min_wavenumber} and {self.max_wavenumber}"
            )
        if self.seed < 0:
            raise ValueError(f"the forcing's seed must not be negative, got {self.seed}")

    def highest_wavenumbers(self, domain_extent: tuple[float, float]) -> tuple[int, int]:
        """The ring's outer radius along y and x."""
        ly, lx = domain_extent
        return (self.max_wavenumber, math.floor(self.max_wavenumber * lx / ly + 1e-9))

    def weights(self, time: float) -> dict[int, float]:
        """The four splines that do not vanish at `time`, at least 0."""
        position = time / (self.correlation_time * 302 / 315) + _phase(self.seed)
        j = math.floor(position)
        s = position - j
        spline = (
            (1 - s) ** 3 / 6,
            (3 * s**3 - 6 * s**2 + 4) / 6,
            (-3 * s**3 + 3 * s**2 + 3 * s + 1) / 6,
            s**3 / 6,
        )
        # The first spline that counts at time 0 has index 0.
        return {j + i: weight / math.sqrt(_MEAN_SQUARE) for i, weight in enumerate(spline)}

    def pattern(self, index: int, grid: Grid) -> Float[Tensor, "y x"]:
        r"""$\sum_k \xi_{k,j} e^{i k x}$ times $A / \sqrt M$."""
        highest = self.highest_wavenumbers(grid.domain_extent)
        basis = FourierBasis(highest)
        ly, lx = grid.domain_extent
        ky, kx = basis.wavenumbers
        radius = (ky**2 + (kx * ly / lx) ** 2).sqrt()
        on_ring = (radius > self.min_wavenumber - 1e-9) & (radius < self.max_wavenumber + 1e-9)
        # Columns with kx > 0 stand for themselves and their mirror images.
        num_modes = (on_ring * torch.where(kx > 0, 2.0, 1.0)).sum()
        key = np.random.SeedSequence(self.seed, spawn_key=(1, index))
        noise = random_coefficients(np.random.default_rng(key), highest)
        return basis.synthesise(
            noise * on_ring * (self.amplitude / num_modes.sqrt()), grid.num_points
        )


@functools.lru_cache(maxsize=1024)
def _phase(seed: int) -> float:
    """Where between two splines time 0 lies."""
    key = np.random.SeedSequence(seed, spawn_key=(0,))
    return float(np.random.default_rng(key).random())
