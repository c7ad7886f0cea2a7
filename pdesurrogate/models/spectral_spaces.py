"""Nested spaces of smooth functions: the lowest modes of the basis that is natural to a grid."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Padding
from pdesurrogate.models.single_precision import in_single_precision
from pdesurrogate.models.spaces import Embedding, Projection, Space
from pdesurrogate.operators.tables import made_once
from pdesurrogate.transfer import resample_sphere

__all__ = ["Spectral", "SpectralEmbedding", "SpectralProjection"]


class Spectral(Space):
    r"""The modes that a grid resolves: Fourier, cosines or spherical harmonics, as its edges say.

    - Along a periodic axis the Fourier modes $|k| < n/2$ of $n$ points.
    - Between walls the cosines $\cos(\pi k (i + 1/2) / n)$, $0 \le k < n$.
    - On a sphere, polar along y and circular along x, the spherical harmonics up to the degree
      that `linear_truncation` gives for the grid; its latitudes are taken to be Gauss-Legendre's.

    The rule of sizes: half as many points, rounded up. A side needs at least 3 points, odd numbers
    work as well as even ones. On a sphere both are even and stay so (half, rounded up to an even
    number), and there are at least 4 latitudes and 6 longitudes.

    Projection and embedding keep what both grids resolve and drop the rest: the embedded projection
    is an orthogonal projector, exact on fields that the coarser grid resolves. It acts on the whole
    domain at once, so that a jump rings everywhere (Gibbs' phenomenon).

    References:
        Canuto et al. (2006), *Spectral Methods: Fundamentals in Single Domains*, §§2.1 and 5.1.
    """

    acts_on_each_channel = True

    def projection(self, channels: int, edges: tuple[Padding, Padding]) -> Projection:
        """Truncation to what the coarser grid resolves."""
        return SpectralProjection(edges)

    def embedding(self, channels: int, edges: tuple[Padding, Padding]) -> Embedding:
        """The same modes on more points."""
        return SpectralEmbedding(edges)


class SpectralProjection(Projection):
    """Truncate a field to the modes of the next coarser grid; see `Spectral`.

    Args:
        edges: How fields continue along y and x.

    Raises:
        ValueError: If there is no basis for such edges.
    """

    def __init__(self, edges: tuple[Padding, Padding]) -> None:
        super().__init__()
        _check_edges(edges)
        self._edges = edges

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c m n"]:
        """The same field, so far as it is resolved, on the points of the coarser grid."""
        return _transferred(v, self.coarsened((v.shape[-2], v.shape[-1])), self._edges)

    def coarsened(self, num_points: tuple[int, int]) -> tuple[int, int]:
        """Half as many points, rounded up; on a sphere to even numbers.

        Raises:
            ValueError: If there are fewer than 3 points along a side, or on a sphere odd numbers or
                fewer than 4 x 6.
        """
        ny, nx = num_points
        if "polar" not in self._edges:
            if min(num_points) < 3:
                raise ValueError(f"a side needs at least 3 points, got {ny} x {nx}")
            return (ny + 1) // 2, (nx + 1) // 2
        if ny % 2 or nx % 2 or ny < 4 or nx < 6:
            raise ValueError(
                f"a sphere needs even numbers of points, at least 4 x 6, got {ny} x {nx}"
            )
        return 2 * ((ny + 3) // 4), 2 * ((nx + 3) // 4)

    def extra_repr(self) -> str:
        """What `print(network)` shows of this part."""
        return " x ".join(self._edges)


class SpectralEmbedding(Embedding):
    """Read the modes of a coarse field as those of a finer one; see `Spectral`.

    Args:
        edges: How fields continue along y and x.

    Raises:
        ValueError: If there is no basis for such edges.
    """

    def __init__(self, edges: tuple[Padding, Padding]) -> None:
        super().__init__()
        _check_edges(edges)
        self._edges = edges

    def forward(
        self, coarse: Float[Tensor, "batch c m n"], fine: Float[Tensor, "batch c_fine y x"]
    ) -> Float[Tensor, "batch c y x"]:
        """The coarse field on the points of `fine`."""
        return _transferred(coarse, (fine.shape[-2], fine.shape[-1]), self._edges)

    def extra_repr(self) -> str:
        """What `print(network)` shows of this part."""
        return " x ".join(self._edges)


def _check_edges(edges: tuple[Padding, Padding]) -> None:
    if edges != ("polar", "circular") and any(e not in ("circular", "replicate") for e in edges):
        raise ValueError(
            "spectral spaces exist on spheres, periodic axes and between walls, not on a grid with "
            f"{edges[0]} and {edges[1]} edges"
        )


def _transferred(v: Tensor, num_points: tuple[int, int], edges: tuple[Padding, Padding]) -> Tensor:
    """The modes of `v` that both grids resolve, on the other grid."""
    # Rounded further, the modes would no longer be orthogonal, and a projection none.
    return in_single_precision(partial(_resampled, num_points=num_points, edges=edges), v)


def _resampled(v: Tensor, num_points: tuple[int, int], edges: tuple[Padding, Padding]) -> Tensor:
    ny, nx = v.shape[-2:]
    if edges[0] == "polar":
        return resample_sphere(v, GaussianSphere((ny, nx)), GaussianSphere(num_points))
    # One matrix product an axis: any two bases go together, on any size, at about the cost of fast
    # transforms on the grids that networks see.
    along_y = _axis_matrix(edges[0], ny, num_points[0], v.dtype, v.device)
    along_x = _axis_matrix(edges[1], nx, num_points[1], v.dtype, v.device)
    return along_y @ v @ along_x.T


@made_once(maxsize=128)
def _axis_matrix(
    edge: Padding, source: int, target: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "target source"]:
    """From values on one grid of an axis to values on another, through the modes of both."""
    values = _cosines if edge == "replicate" else _waves
    # By numpy: products of torch would be counted as work of the network that asks first.
    matrix = values(target, min(source, target)) @ values(source, min(source, target)).conj().T
    return torch.from_numpy(matrix.real / source).to(device, dtype)


def _cosines(num_points: int, num_modes: int) -> np.ndarray:
    """Cosines at cell centres, a column each, with mean square 1."""
    place, mode = (np.arange(num_points) + 0.5) / num_points, np.arange(num_modes)
    return np.where(mode > 0, math.sqrt(2), 1.0) * np.cos(math.pi * np.outer(place, mode))


def _waves(num_points: int, num_modes: int) -> np.ndarray:
    """Fourier modes at the points of a circle, a column each, but no Nyquist mode."""
    highest = (num_modes - 1) // 2
    place, mode = np.arange(num_points) / num_points, np.arange(-highest, highest + 1)
    return np.exp(2j * math.pi * np.outer(place, mode))
