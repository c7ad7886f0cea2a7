"""How far two states of a layer on a sphere are apart, whatever their grids."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics

__all__ = ["Fields", "relative_errors"]

Fields = Mapping[str, Tensor]


def relative_errors(seen: Fields, truth: Fields) -> dict[str, float]:
    """Relative L2 errors of vorticity and of the height's deviation from its mean.

    Both states hold `height`, `velocity_x` and `velocity_y` on Gaussian spheres. The difference
    covers every harmonic that one of them has: what a coarse grid cannot hold is an error, too.
    """
    return {
        f"{name}_error": _relative(ours, theirs)
        for name, ours, theirs in zip(
            ("vorticity", "height"), _harmonics(seen), _harmonics(truth), strict=True
        )
    }


def _harmonics(fields: Fields) -> tuple[Tensor, Tensor]:
    """Coefficients of vorticity and of height, up to what the grid holds."""
    height, east, north = (fields[name].double() for name in ("height", "velocity_x", "velocity_y"))
    grid = GaussianSphere((height.shape[-2], height.shape[-1]))
    sht = spherical_harmonics(grid, linear_truncation(grid), torch.float64)
    vorticity, _ = sht.vorticity_and_divergence(east, north)
    return vorticity, sht.analyse(height)


def _relative(ours: Tensor, theirs: Tensor) -> float:
    size = max(len(ours), len(theirs))
    a, b = (
        torch.nn.functional.pad(c, (0, size - len(c), 0, size - len(c))) for c in (ours, theirs)
    )
    return float((_power(a - b) / _power(b, first=1)).sqrt())


def _power(coefficients: Tensor, first: int = 0) -> Tensor:
    """Sum of squares from a degree on; every order but zero stands for its opposite, too."""
    power = coefficients[first:].abs().square()
    return 2 * power.sum() - power[:, 0].sum()
