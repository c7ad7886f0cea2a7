r"""An equilateral triangle of side 1, cut again and again into four congruent ones.

Depth `k` has $4^k$ triangles. Triangle `t` with vertices $a_0, a_1, a_2$ has the children
`4 t + j`: at its vertices for $j = 0, 1, 2$, and in its middle for $j = 3$, upside down. The
vertices of each are in such an order that its edge `j`, opposite vertex `j`, is parallel to edge
`j` of the whole triangle. So the neighbour across edge `j` lies in the same direction for all
triangles that stand upright, and in the opposite one for those that are upside down.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "WALL",
    "triangle_depth",
    "triangle_modes",
    "triangle_neighbours",
    "triangle_vertices",
]

WALL = -1
"""Stands for the neighbour of a triangle whose edge lies on the boundary."""

_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]])


def triangle_depth(num_triangles: int) -> int:
    """How often the whole triangle was cut.

    Raises:
        ValueError: If the number is no power of 4.
    """
    depth = max(num_triangles.bit_length() - 1, 0) // 2
    if num_triangles != 4**depth:
        raise ValueError(f"a triangle is cut into 1, 4, 16, ... triangles, not {num_triangles}")
    return depth


@lru_cache(maxsize=16)
def triangle_neighbours(depth: int) -> Int[np.ndarray, "triangle 3"]:
    """The neighbours of each triangle across its edges, `WALL` where there is none."""
    if depth == 0:
        return np.full((1, 3), WALL)
    coarse, t = triangle_neighbours(depth - 1), np.arange(4 ** (depth - 1))
    fine = np.full((len(t), 4, 3), WALL)
    for i in range(3):
        fine[:, 3, i] = 4 * t + i  # from the middle to a vertex
        fine[:, i, i] = 4 * t + 3  # and back
        for j in {0, 1, 2} - {i}:
            # Two triangles that share edge `i` have their vertices there the other way round.
            across = 4 * coarse[:, i] + 3 - i - j
            fine[:, j, i] = np.where(coarse[:, i] == WALL, WALL, across)
    return fine.reshape(-1, 3)


@lru_cache(maxsize=16)
def triangle_vertices(depth: int) -> Float[np.ndarray, "triangle 3 2"]:
    """The corners `(x, y)` of each triangle."""
    if depth == 0:
        return _CORNERS[None]
    a, b, c = np.moveaxis(triangle_vertices(depth - 1), 1, 0)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    children = [[a, ab, ca], [ab, b, bc], [ca, bc, c], [bc, ca, ab]]
    return np.stack([np.stack(child, axis=1) for child in children], axis=1).reshape(-1, 3, 2)


def triangle_modes(
    points: Float[np.ndarray, "point 2"], max_wavenumber: int
) -> tuple[Float[np.ndarray, "mode point"], Float[np.ndarray, " mode"]]:
    r"""Eigenfunctions of $-\nabla^2$ that vanish on the boundary, and their eigenvalues.

    $$ \phi_{mn} = \sum_{w} \det(w)\, e^{2\pi i \langle w (m, n), (s, t)\rangle}, \qquad
       \mu_{mn} = \tfrac{16}{9} \pi^2 (m^2 + m n + n^2) $$

    The sum runs over the six reflections and rotations of the triangular lattice; `s, t` are
    barycentric coordinates. Real and imaginary parts are eigenfunctions of their own; for
    $m = n$ there is one. Not normalised.

    Args:
        points: Where to evaluate.
        max_wavenumber: The modes are those with $m \ge n \ge 1$ and $m + n$ up to this.

    References:
        McCartin (2003), *Eigenstructure of the Equilateral Triangle, Part I*, SIAM Rev. 45.
    """
    t = points[:, 1] / _CORNERS[2, 1]
    s = points[:, 0] - 0.5 * t
    modes, eigenvalues = [], []
    for m in range(1, max_wavenumber):
        for n in range(1, min(m, max_wavenumber - m) + 1):
            images = [(m, n), (-m, m + n), (m + n, -n), (-m - n, m), (n, -m - n), (-n, -m)]
            total = sum(
                sign * np.exp(2j * math.pi / 3 * ((2 * p + q) * s + (p + 2 * q) * t))
                for sign, (p, q) in zip((1, -1, -1, 1, 1, -1), images, strict=True)
            )
            parts = [np.imag(total)] if m == n else [np.real(total), np.imag(total)]
            modes += parts
            eigenvalues += [16 / 9 * math.pi**2 * (m * m + m * n + n * n)] * len(parts)
    return np.stack(modes), np.array(eigenvalues)
