r"""Transport in flux form: what crosses the sides of control volumes, by upwind-biased values.

Along one axis, `m` sides lie between control volumes, and a field `q` extended by `w` ghost values
at either end has $m + 2 w - 1$ entries: side $j$ lies between the entries $w - 1 + j$ and $w + j$.
The caller decides what the ghosts are: the image in a wall, an inflow, the neighbour in a periodic
box. All values are averages over control volumes.

In the formulas $q_0$ and $q_1$ are the values before and after a side, $q_{-1}$ and $q_2$ the ones
beyond, $d_j = q_{j+1} - q_j$, and $U$ is the speed through the side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "AdvectiveFlux",
    "KorenLimiter",
    "ThirdOrderUpwind",
    "transport",
]


@runtime_checkable
class AdvectiveFlux(Protocol):
    """What speeds carry through the sides of control volumes along one axis."""

    ghost_values: ClassVar[int]
    """How many values the scheme needs beyond either end."""

    def __call__(
        self, q: Float[Tensor, "*lead y x"], speed: Float[Tensor, "*lead m n"], axis: int
    ) -> Float[Tensor, "*lead m n"]:
        """The flux through every side.

        Args:
            q: Field, extended by `ghost_values` along `axis` only.
            speed: Velocity through the sides, positive towards higher indices.
            axis: -1 for x, -2 for y.
        """
        ...


@dataclass(frozen=True)
class ThirdOrderUpwind:
    r"""Third order, linear. Steep fields overshoot a little.

    $$ F = U \left[\frac{q_0 + q_1}{2} - \frac{1}{6} \begin{cases}
       q_1 - 2 q_0 + q_{-1} & U > 0 \\ q_2 - 2 q_1 + q_0 & U < 0 \end{cases} \right] $$

    References:
        Wicker & Skamarock (2002), *Mon. Weather Rev.* 130.
    """

    ghost_values: ClassVar[int] = 2

    def __call__(
        self, q: Float[Tensor, "*lead y x"], speed: Float[Tensor, "*lead m n"], axis: int
    ) -> Float[Tensor, "*lead m n"]:
        """The flux through every side."""
        _, here, there, _ = _neighbours(q, axis, speed.shape[axis], 4)
        before, after = _curvatures(q, axis)
        value = torch.lerp(here, there, 0.5)
        return value.sub_(_upwind_of(speed, before, after), alpha=1 / 6).mul_(speed)


@dataclass(frozen=True)
class KorenLimiter:
    r"""Third order where the field is smooth, limited so that no extremum grows.

    For $U > 0$ the value at a side is $q_0 + \operatorname{minmod}(d_{-1},\,
    (2 d_0 + d_{-1}) / 6,\, d_0)$, for $U < 0$ the mirror image. A forward Euler step keeps a field
    within its bounds, along any number of axes, if the velocity is free of divergence and no
    control volume loses more than half of its volume.

    References:
        Koren (1993), in *Numerical Methods for Advection-Diffusion Problems*, Vieweg.
    """

    ghost_values: ClassVar[int] = 2

    def __call__(
        self, q: Float[Tensor, "*lead y x"], speed: Float[Tensor, "*lead m n"], axis: int
    ) -> Float[Tensor, "*lead m n"]:
        """The flux through every side."""
        _, here, there, _ = _neighbours(q, axis, speed.shape[axis], 4)
        before, step, after = _differences(q, axis)
        upwind = _upwind_of(speed, before, after)
        correction = torch.add(upwind, step, alpha=2).mul_(1 / 6)
        return _limited_flux(here + there, speed, step, correction, upwind)


def transport(
    q_along_x: Float[Tensor, "*lead y x_extended"],
    q_along_y: Float[Tensor, "*lead y_extended x"],
    speeds: tuple[Float[Tensor, "*lead y x_sides"], Float[Tensor, "*lead y_sides x"]],
    spacing: tuple[float, float],
    flux: AdvectiveFlux,
    diffusivity: float | Tensor | None = None,
) -> Float[Tensor, "*lead y x"]:
    r"""$-\nabla \cdot (u q - \kappa \nabla q)$ for a scalar or for a velocity component.

    What leaves one control volume enters its neighbour. Diffusion is the 5-point Laplacian.

    Args:
        q_along_x: The field, extended by the scheme's ghost values along x only.
        q_along_y: The same field, extended along y only.
        speeds: Velocities through the sides along x and along y.
        spacing: Distance between control volumes along y and x.
        flux: The advection scheme.
        diffusivity: $\kappa$, one number or one per trajectory in a shape that broadcasts; None for
            none.
    """
    hy, hx = spacing
    across = _flux(q_along_x, speeds[0], -1, hx, flux, diffusivity)
    up = _flux(q_along_y, speeds[1], -2, hy, flux, diffusivity)
    inflow = (across[..., :-1] - across[..., 1:]).mul_(1 / hx)
    return inflow.add_(up[..., :-1, :] - up[..., 1:, :], alpha=1 / hy)


def _flux(
    q: Tensor,
    speed: Tensor,
    axis: int,
    spacing: float,
    flux: AdvectiveFlux,
    diffusivity: float | Tensor | None,
) -> Tensor:
    carried = flux(q, speed, axis)
    if diffusivity is None:
        return carried
    here, there = _neighbours(q, axis, speed.shape[axis], 2)
    return carried.sub_((there - here).mul_(diffusivity * (1 / spacing)))


def _upwind_of(speed: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """`before` where the speed is positive, `after` elsewhere."""
    # Several times faster on CPUs than `torch.where`, and as exact.
    return torch.lerp(after, before, speed.sign().clamp_(min=0))


def _neighbours(q: Tensor, axis: int, sides: int, count: int) -> list[Tensor]:
    """The `count` values around every side, in order."""
    first = (q.shape[axis] - sides + 1 - count) // 2
    return [q.narrow(axis, first + i, sides) for i in range(count)]


def _differences(q: Tensor, axis: int) -> list[Tensor]:
    """The steps before, across and after every side of a scheme with two ghost values."""
    n = q.shape[axis] - 1
    steps = q.narrow(axis, 1, n) - q.narrow(axis, 0, n)
    return [steps.narrow(axis, i, n - 2) for i in range(3)]


def _curvatures(q: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Second differences at the values before and after every side, for two ghost values."""
    n = q.shape[axis] - 1
    steps = q.narrow(axis, 1, n) - q.narrow(axis, 0, n)
    curvature = steps.narrow(axis, 1, n - 1) - steps.narrow(axis, 0, n - 1)
    return curvature.narrow(axis, 0, n - 2), curvature.narrow(axis, 1, n - 2)


def _limited_flux(
    pair: Tensor, speed: Tensor, step: Tensor, correction: Tensor, upwind: Tensor
) -> Tensor:
    """The upwind flux plus `correction`, kept between 0 and the lesser of the two steps.

    With `pair` the sum of the two values, the upwind one is `(pair - sign(U) step) / 2`.
    """
    most = torch.minimum(step, upwind).clamp_(min=0)
    least = torch.maximum(step, upwind).clamp_(max=0)
    limited = torch.clamp(correction, least, most).sub_(step, alpha=0.5)
    return torch.addcmul(limited.mul_(speed.abs()), speed, pair, value=0.5)
