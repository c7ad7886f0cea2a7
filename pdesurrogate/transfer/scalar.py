"""Moving a scalar field between the grids of a ladder: restriction `R` and prolongation `Q`.

The grid decides how: a periodic box through the Fourier series, a grid of cells by averages, a
sphere through spherical harmonics.
"""

from __future__ import annotations

from functools import singledispatch

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, OpenBox, PeriodicBox
from pdesurrogate.transfer.cell_average import average_cells, repeat_cells
from pdesurrogate.transfer.spectral import resample
from pdesurrogate.transfer.spherical import resample_sphere

__all__ = ["prolong", "restrict"]


def restrict(
    u: Float[Tensor, "*lead y x"], source: Grid, target: Grid
) -> Float[Tensor, "*lead m n"]:
    """`R`: observe a field of a finer grid on a coarser one; the orthogonal projection.

    Args:
        u: Field on `source`.
        source: The finer grid.
        target: The coarser grid of the same domain.

    Raises:
        ValueError: If `target` is finer than `source`, the domains differ, or cells of one do not
            fill those of the other.
        TypeError: If no transfer is known for this kind of grid.
    """
    _check(source, target)
    if target.resolution > source.resolution:
        raise ValueError(
            f"cannot restrict from {source.resolution} to {target.resolution} points: "
            "the target is finer"
        )
    return _moved(u, source, target)


def prolong(
    u: Float[Tensor, "*lead y x"], source: Grid, target: Grid
) -> Float[Tensor, "*lead m n"]:
    """`Q`: carry a field of a coarser grid to a finer one without adding to it.

    Args:
        u: Field on `source`.
        source: The coarser grid.
        target: The finer grid of the same domain.

    Raises:
        ValueError: If `target` is coarser than `source`, the domains differ, or cells of one do
            not fill those of the other.
        TypeError: If no transfer is known for this kind of grid.
    """
    _check(source, target)
    if target.resolution < source.resolution:
        raise ValueError(
            f"cannot prolong from {source.resolution} to {target.resolution} points: "
            "the target is coarser"
        )
    return _moved(u, source, target)


def _moved(u: Tensor, source: Grid, target: Grid) -> Tensor:
    """No fields are moved, too, which some libraries for Fourier transforms refuse."""
    if u.numel() == 0:
        return u.new_zeros((*u.shape[:-2], *target.num_points))
    return _transfer(source, u, target)


def _check(source: Grid, target: Grid) -> None:
    if type(source) is not type(target) or source.domain_extent != target.domain_extent:
        raise ValueError(f"{source} and {target} do not cover the same domain")


@singledispatch
def _transfer(source: Grid, u: Tensor, target: Grid) -> Tensor:
    raise TypeError(f"no transfer between grids is known for {type(source).__name__}")


@_transfer.register
def _(source: PeriodicBox, u: Tensor, target: Grid) -> Tensor:
    return resample(u, target.num_points)


@_transfer.register(ClosedBox)
@_transfer.register(Channel)
@_transfer.register(OpenBox)
def _(source: Grid, u: Tensor, target: Grid) -> Tensor:
    if target.resolution > source.resolution:
        return repeat_cells(u, target.num_points)
    return average_cells(u, target.num_points)


@_transfer.register
def _(source: GaussianSphere, u: Tensor, target: Grid) -> Tensor:
    assert isinstance(target, GaussianSphere)
    return resample_sphere(u, source, target)
