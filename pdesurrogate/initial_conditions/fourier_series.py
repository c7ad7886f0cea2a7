"""Random Fourier coefficients, drawn in an order that no grid enters."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from pdesurrogate.operators.spectral import FourierBasis

__all__ = ["random_coefficients"]


def random_coefficients(
    rng: np.random.Generator, max_wavenumber: tuple[int, int]
) -> Complex[Tensor, "ky kx"]:
    r"""White noise $\hat u_k = (\xi + i\eta) / \sqrt 2$ with $\hat u_{-k} = \hat u_k^*$, mean zero.

    Every coefficient has unit variance; multiply by the amplitudes of the field that is wanted.
    Drawn shell by shell of $\max(|k_x|, |k_y|)$, so that raising `max_wavenumber` of a square basis
    adds small scales and leaves the large ones as they were.

    Args:
        rng: Source of the standard normal numbers.
        max_wavenumber: Highest wavenumbers along y and x, whole waves per domain.

    Returns:
        Coefficients in the storage order of `FourierBasis`, complex128.
    """
    rows = max_wavenumber[0]
    ky, kx = torch.broadcast_tensors(*FourierBasis(max_wavenumber).wavenumbers)
    shell = torch.maximum(ky.abs(), kx).flatten().numpy()
    order = np.lexsort((ky.flatten().numpy(), kx.flatten().numpy(), shell))
    drawn = rng.standard_normal((order.size, 2))
    values = np.empty(order.size, dtype=np.complex128)
    values[order] = (drawn[:, 0] + 1j * drawn[:, 1]) / math.sqrt(2)
    noise = torch.from_numpy(values).reshape(ky.shape)
    # The column kx = 0 holds both k and -k: the first determines the second.
    noise[rows + 1 :, 0] = noise[1 : rows + 1, 0].flip(0).conj()
    noise[0, 0] = 0
    return noise
