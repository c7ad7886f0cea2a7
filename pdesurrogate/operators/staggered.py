r"""The staggered (marker-and-cell) grid: velocities on cell faces, scalars at cell centres.

A box of `ny x nx` cells has `velocity_x` on its vertical faces, shape `(..., ny, nx + 1)`, and
`velocity_y` on its horizontal faces, shape `(..., ny + 1, nx)`; the outermost faces lie on the
boundary. `y` is the first axis and points up; axis -1 is x, axis -2 is y, and spacings are given
along y and x.

References:
    Harlow & Welch (1965), *Phys. Fluids* 8.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "average_to_centres",
    "divergence",
    "midpoints",
    "mirror_about_faces",
    "mirror_about_nodes",
    "momentum_speeds_x",
    "momentum_speeds_y",
    "no_slip_ghosts",
    "pressure_gradient",
]


def divergence(
    velocity_x: Float[Tensor, "*lead y x_faces"],
    velocity_y: Float[Tensor, "*lead y_faces x"],
    spacing: tuple[float, float],
) -> Float[Tensor, "*lead y x"]:
    """The net outflow of every cell per unit of area; exact for the fluxes through its faces."""
    hy, hx = spacing
    across = velocity_x[..., 1:] - velocity_x[..., :-1]
    up = velocity_y[..., 1:, :] - velocity_y[..., :-1, :]
    return torch.add(across * (1 / hx), up, alpha=1 / hy)


def pressure_gradient(
    pressure: Float[Tensor, "*lead y x"], spacing: tuple[float, float]
) -> tuple[Float[Tensor, "*lead y x_interior"], Float[Tensor, "*lead y_interior x"]]:
    """The gradient on interior faces, along x and along y: minus the adjoint of `divergence`."""
    hy, hx = spacing
    along_x = pressure[..., 1:] - pressure[..., :-1]
    along_y = pressure[..., 1:, :] - pressure[..., :-1, :]
    return along_x * (1 / hx), along_y * (1 / hy)


def midpoints(u: Float[Tensor, "*lead y x"], axis: int) -> Float[Tensor, "*lead m n"]:
    """Means of neighbours along an axis, one entry fewer than `u`; second order.

    Takes centres to interior faces and faces to centres.

    Args:
        u: Values at regular intervals.
        axis: -1 for x, -2 for y.
    """
    n = u.shape[axis] - 1
    return torch.lerp(u.narrow(axis, 0, n), u.narrow(axis, 1, n), 0.5)


def average_to_centres(
    velocity_x: Float[Tensor, "*lead y x_faces"], velocity_y: Float[Tensor, "*lead y_faces x"]
) -> tuple[Float[Tensor, "*lead y x"], Float[Tensor, "*lead y x"]]:
    """Both velocity components at the cell centres."""
    return midpoints(velocity_x, -1), midpoints(velocity_y, -2)


def momentum_speeds_x(
    velocity_x: Float[Tensor, "*lead y x_faces"], velocity_y: Float[Tensor, "*lead y_faces x"]
) -> tuple[Float[Tensor, "*lead y x"], Float[Tensor, "*lead y_faces x_interior"]]:
    """The velocities that carry `velocity_x` through the sides of its control volumes.

    The control volume of an interior vertical face reaches from one cell centre to the next. Its
    net outflow is the mean of the two cells', so it is zero where theirs is, and advection in flux
    form leaves a uniform velocity as it is.

    Returns:
        Along x, at cell centres; along y, at the cell corners between interior vertical faces.
    """
    return midpoints(velocity_x, -1), midpoints(velocity_y, -1)


def momentum_speeds_y(
    velocity_x: Float[Tensor, "*lead y x_faces"], velocity_y: Float[Tensor, "*lead y_faces x"]
) -> tuple[Float[Tensor, "*lead y_interior x_faces"], Float[Tensor, "*lead y x"]]:
    """The velocities that carry `velocity_y` through the sides of its control volumes.

    Returns:
        Along x, at the cell corners between interior horizontal faces; along y, at cell centres.
    """
    return midpoints(velocity_x, -2), midpoints(velocity_y, -2)


def mirror_about_faces(
    u: Float[Tensor, "*lead y x"], axis: int, width: int, *, low: float = 1.0, high: float = 1.0
) -> Float[Tensor, "*lead m n"]:
    """Add ghost values beyond walls half a spacing outside the first and the last entry.

    Args:
        u: What has no value on the wall itself, such as a scalar at cell centres, or the velocity
            along the wall.
        axis: -1 for x, -2 for y.
        width: Ghost values at either end, at most as many as there are entries.
        low: Sign of the mirror image at the low end: 1 for no flux, -1 for zero at the wall.
        high: Sign of the mirror image at the high end.
    """
    n = u.shape[axis]
    first, last = u.narrow(axis, 0, width), u.narrow(axis, n - width, width)
    return torch.cat([_image(first, axis, low), u, _image(last, axis, high)], dim=axis)


def mirror_about_nodes(
    u: Float[Tensor, "*lead y x"], axis: int, width: int, *, low: float = 1.0, high: float = 1.0
) -> Float[Tensor, "*lead m n"]:
    """Add ghost values beyond walls through the first and the last entry.

    Args:
        u: What has its first and last entries on the wall, such as the velocity through it. By
            continuity that has no slope at a no-slip wall, which an even image keeps.
        axis: -1 for x, -2 for y.
        width: Ghost values at either end, fewer than there are entries.
        low: Sign of the mirror image at the low end.
        high: Sign of the mirror image at the high end.
    """
    if width == 0:
        return u
    n = u.shape[axis]
    first, last = u.narrow(axis, 1, width), u.narrow(axis, n - 1 - width, width)
    return torch.cat([_image(first, axis, low), u, _image(last, axis, high)], dim=axis)


def no_slip_ghosts(
    u: Float[Tensor, "*lead y x"], axis: int, width: int
) -> Float[Tensor, "*lead m n"]:
    r"""Add ghost values to the velocity along resting walls half a spacing outside its ends.

    The first is on the parabola through the wall's zero and the two nearest values,
    $u_{-1} = u_1 / 3 - 2 u_0$, so that the shear stress at the wall is of second order; the
    others are odd images.

    Args:
        u: Velocity component along the wall.
        axis: -1 for x, -2 for y, across the wall.
        width: Ghost values at either end, at least 1 and at most as many as there are entries.
    """
    n = u.shape[axis]
    low = torch.sub(u.narrow(axis, 1, 1) * (1 / 3), u.narrow(axis, 0, 1), alpha=2)
    high = torch.sub(u.narrow(axis, n - 2, 1) * (1 / 3), u.narrow(axis, n - 1, 1), alpha=2)
    below = _image(u.narrow(axis, 1, width - 1), axis, -1.0)
    above = _image(u.narrow(axis, n - width, width - 1), axis, -1.0)
    return torch.cat([below, low, u, high, above], dim=axis)


def _image(u: Tensor, axis: int, sign: float) -> Tensor:
    image = u.flip(axis)
    return image if sign == 1 else image * sign
