"""Moving a periodic field between grids through its Fourier series."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.operators.spectral import FourierBasis

__all__ = ["resample"]


def resample(u: Float[Tensor, "*lead y x"], shape: tuple[int, int]) -> Float[Tensor, "*lead m n"]:
    r"""Carry a periodic field to a grid of `shape` points through its Fourier series.

    $$ u_m(x) = \sum_{|k_x| < \min(n_x, m_x)/2,\; |k_y| < \min(n_y, m_y)/2}
       \hat u_k \, e^{2\pi i k \cdot x / L} $$

    Downwards this is the orthogonal projection onto what the coarser grid resolves (`R`), upwards
    its adjoint embedding (`Q`): `R Q` is the identity on fields without a Nyquist mode and `Q R`
    an orthogonal projection. The Nyquist mode itself, whose sine part a grid cannot see, is
    dropped. Units and domain are unchanged; a field already on `shape` is returned as it is.

    Args:
        u: Field on a regular periodic grid, left edge included, right edge excluded.
        shape: Points along y and x of the target grid, each at least 2.

    Returns:
        The same field on the target grid.

    Raises:
        ValueError: If a side of the target has fewer than 2 points.

    References:
        Trefethen (2000), *Spectral Methods in MATLAB*, ch. 3.

    Example:
        >>> import torch
        >>> x = torch.arange(8) * (2 * torch.pi / 8)
        >>> coarse = resample(torch.cos(x).expand(8, 8), (4, 4))
        >>> torch.allclose(coarse[0], torch.tensor([1.0, 0.0, -1.0, 0.0]), atol=1e-6)
        True
    """
    if min(shape) < 2:
        raise ValueError(f"a grid needs at least 2 points a side, got {shape}")
    source = (u.shape[-2], u.shape[-1])
    if source == tuple(shape):
        return u
    held = tuple((min(n, m) - 1) // 2 for n, m in zip(source, shape, strict=True))
    basis = FourierBasis((held[0], held[1]))
    return basis.synthesise(basis.analyse(u), shape)
