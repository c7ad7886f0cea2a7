"""Random problems on a triangle whose exact solutions are known."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from pdesurrogate.operators.triangle import triangle_modes, triangle_vertices

__all__ = ["poisson_problems"]


def poisson_problems(
    rng: np.random.Generator, count: int, depth: int, max_wavenumber: int = 12
) -> tuple[Float[np.ndarray, "problem triangle"], Float[np.ndarray, "problem triangle"]]:
    r"""Random right-hand sides and the exact solutions of $-\nabla^2 u = f$, $u = 0$ on the edges.

    Every mode of `f` has an independent normal amplitude whose deviation is inversely proportional
    to its wavenumber. Both are sampled at the centres of the triangles and scaled: `f` has mean
    square one over all problems, and so has `u`.

    Args:
        rng: Draws the amplitudes; the same for any depth.
        count: Number of problems.
        depth: Of the subdivision.
        max_wavenumber: See `triangle_modes`.

    Returns:
        Right-hand sides and solutions.
    """
    modes, eigenvalues = triangle_modes(triangle_vertices(depth).mean(axis=1), max_wavenumber)
    amplitudes = rng.standard_normal((count, len(eigenvalues))) / np.sqrt(eigenvalues)
    # Exact mean squares of a mode, the same for all but those with m = n, whatever the depth.
    fine, _ = triangle_modes(triangle_vertices(6).mean(axis=1), max_wavenumber)
    power = (fine**2).mean(axis=1) / eigenvalues
    f = amplitudes @ modes / math.sqrt(power.sum())
    u = (amplitudes / eigenvalues) @ modes / math.sqrt((power / eigenvalues**2).sum())
    return f, u
