"""Moving several fields at once, of which some are the parts of a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field, vectors
from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.operators.spherical_harmonics import linear_truncation, spherical_harmonics
from pdesurrogate.transfer.scalar import prolong, restrict

__all__ = ["prolong_fields", "resample_wind", "restrict_fields"]


def restrict_fields(
    u: Float[Tensor, "*lead channel y x"], fields: Sequence[Field], source: Grid, target: Grid
) -> Float[Tensor, "*lead channel m n"]:
    """`R` of several fields; on a sphere winds go through vorticity and divergence.

    Args:
        u: Fields of a finer grid.
        fields: What the first channels are; any further ones are taken for scalars.
        source: The finer grid.
        target: The coarser grid of the same domain.

    Raises:
        ValueError: As `restrict` does.
    """
    return _moved(u, fields, source, target, restrict)


def prolong_fields(
    u: Float[Tensor, "*lead channel y x"], fields: Sequence[Field], source: Grid, target: Grid
) -> Float[Tensor, "*lead channel m n"]:
    """`Q` of several fields; on a sphere winds go through vorticity and divergence.

    Args:
        u: Fields of a coarser grid.
        fields: What the first channels are; any further ones are taken for scalars.
        source: The coarser grid.
        target: The finer grid of the same domain.

    Raises:
        ValueError: As `prolong` does.
    """
    return _moved(u, fields, source, target, prolong)


def resample_wind(
    wind: Float[Tensor, "*lead part=2 y x"], source: GaussianSphere, target: GaussianSphere
) -> Float[Tensor, "*lead part=2 m n"]:
    r"""Carry a vector field to another Gaussian sphere through its vorticity and divergence.

    Their harmonics are cut where those of a scalar are, see `resample_sphere`. Both are smooth at
    the poles, where the wind's parts jump. As for scalars `R Q` is the identity and `Q R` an
    orthogonal projection, in the norm of both parts together.

    Args:
        wind: Parts towards east and north on `source`.
        source: Where it is sampled.
        target: Where it is wanted.
    """
    if source == target:
        return wind
    truncation = min(linear_truncation(source), linear_truncation(target))
    here, there = (
        spherical_harmonics(grid, truncation, wind.dtype, wind.device) for grid in (source, target)
    )
    east, north = wind.unbind(-3)
    return torch.stack(there.velocity(*here.vorticity_and_divergence(east, north)), dim=-3)


def _moved(
    u: Tensor,
    fields: Sequence[Field],
    source: Grid,
    target: Grid,
    scalar: Callable[[Tensor, Grid, Grid], Tensor],
) -> Tensor:
    moved = scalar(u, source, target)
    if source == target:
        return moved
    if isinstance(source, GaussianSphere) and isinstance(target, GaussianSphere):
        for channels in vectors(fields):
            parts = sorted(channels, key=lambda channel: fields[channel].vector_part or "")
            if [fields[channel].vector_part for channel in parts] == ["x", "y"]:
                moved[..., parts, :, :] = resample_wind(u[..., parts, :, :], source, target)
    return moved
