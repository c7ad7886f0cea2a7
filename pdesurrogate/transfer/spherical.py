"""Moving a scalar field between Gaussian spheres through its spherical harmonics."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics

__all__ = ["resample_sphere"]


def resample_sphere(
    u: Float[Tensor, "*lead y x"], source: GaussianSphere, target: GaussianSphere
) -> Float[Tensor, "*lead m n"]:
    r"""Carry a scalar field to another Gaussian sphere through its spherical harmonics.

    $$ u' = \sum_{l \le T} \sum_{|m| \le l} c_{lm} Y_{lm}, \qquad
       c_{lm} = \int u\, Y_{lm}^*\, d\Omega \text{ by the quadrature of } source $$

    `T` is the lower of both grids' `linear_truncation`: all that a grid can tell apart, more than a
    solver free of aliasing steps on it, so that a solver's state is observed on its own rung as it
    is. To that degree the quadrature is exact. So this is the orthogonal projection downwards
    (`R`), and upwards its adjoint embedding (`Q`), in the norms of the grids' weights: `R Q` is the
    identity on what the coarser grid resolves, and `Q R` an orthogonal projection. Truncation keeps
    rotations: no point of the sphere is special. A field already on `target` is returned as it is.

    The parts of a wind are no scalars and jump at the poles: carry them with `resample_wind`.

    Args:
        u: Field on `source`.
        source: Where it is sampled.
        target: Where it is wanted.

    Raises:
        ValueError: If a grid cannot hold harmonics of degree 1.
    """
    if source == target:
        return u
    truncation = min(linear_truncation(source), linear_truncation(target))
    here, there = (
        spherical_harmonics(grid, truncation, u.dtype, u.device) for grid in (source, target)
    )
    return there.synthesise(here.analyse(u))
