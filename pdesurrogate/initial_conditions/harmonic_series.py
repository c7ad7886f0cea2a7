"""Random spherical harmonics, drawn in an order that no grid enters."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

__all__ = ["random_harmonics"]


def random_harmonics(rng: np.random.Generator, max_degree: int) -> Complex[Tensor, "l m"]:
    r"""White noise $c_{lm} = (\xi + i\eta) / \sqrt 2$ and real $c_{l0}$, unit variance, mean zero.

    Every degree holds the variance $\sum_m |c_{lm}|^2 = 2l + 1$ on average, spread evenly over the
    sphere; multiply by the amplitudes of the field that is wanted. Drawn degree by degree, so that
    raising `max_degree` adds small scales and leaves the large ones as they were.

    Args:
        rng: Source of the standard normal numbers.
        max_degree: Highest degree.

    Returns:
        Coefficients as `SphericalHarmonics` holds them, complex128.
    """
    degree, order = np.tril_indices(max_degree + 1)
    drawn = rng.standard_normal((degree.size, 2))
    values = np.where(order > 0, (drawn[:, 0] + 1j * drawn[:, 1]) / math.sqrt(2), drawn[:, 0])
    noise = torch.zeros(max_degree + 1, max_degree + 1, dtype=torch.complex128)
    noise[degree, order] = torch.from_numpy(values)
    noise[0, 0] = 0
    return noise
