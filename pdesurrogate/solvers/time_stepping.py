"""Time integrators for stiff semilinear equations. They know nothing of the physics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

__all__ = ["SemilinearEquation", "advised_step", "etdrk4"]

_CHUNK = 1 << 15
"""Values of `L dt` that are worked on at a time; each takes some kilobytes on the way."""

_FURTHEST_TURN = 2.5
"""Radians: waves that turn no further in a step grow by less than 1 % while a flow turns them by up
to a radian and a half."""

_NEGLIGIBLE_DECAY = 0.05
"""Of a wave in a step. With more, no wave grows, however far it turns, while a flow turns it by up
to a radian."""


@runtime_checkable
class SemilinearEquation(Protocol):
    r"""$\dot u = L u + N(u, t)$ with `L` diagonal in the basis in which `u` is stored."""

    @property
    def linear(self) -> Tensor:
        """The diagonal of `L`, float64 or, where waves turn, complex128, of the state's trailing
        shape; a leading dimension may hold one diagonal per trajectory of the batch."""
        ...

    def nonlinear(self, state: Tensor, time: Tensor) -> Tensor:
        """`N(u, t)`, forcing included."""
        ...


def etdrk4(
    equation: SemilinearEquation, dt: float, dtype: torch.dtype
) -> Callable[[Tensor, Tensor], Tensor]:
    r"""One step of the fourth-order exponential Runge–Kutta scheme of Cox and Matthews.

    The linear part is integrated exactly, so that its stiffness sets no limit on `dt`; the
    coefficients $\varphi(L\,dt)$ are mean values over a circle in the complex plane, which avoids
    the cancellation near $L\,dt = 0$. `N` is evaluated at $t$, twice at $t + dt/2$ and at
    $t + dt$.

    Args:
        equation: The equation in semilinear form.
        dt: Time step, in the equation's unit of time.
        dtype: Of the state; a complex state wants complex weights, promoted once and not at every
            product.

    Returns:
        A function from the state and its time to the state `dt` later, differentiable by autograd.

    References:
        Cox & Matthews (2002), *J. Comput. Phys.* 176, eqs. 26–29.
        Kassam & Trefethen (2005), *SIAM J. Sci. Comput.* 26, §2 (the contour integral).
    """
    decay, half_decay, half, f1, f2, f3 = (
        weight.to(equation.linear.device, dtype) for weight in _etdrk4_weights(equation.linear, dt)
    )

    def step(u: Tensor, time: Tensor) -> Tensor:
        middle, end = time + dt / 2, time + dt
        n_u = equation.nonlinear(u, time)
        half_u = half_decay * u
        a = torch.addcmul(half_u, half, n_u)
        n_a = equation.nonlinear(a, middle)
        n_b = equation.nonlinear(torch.addcmul(half_u, half, n_a), middle)
        c = torch.addcmul(half_decay * a, half, torch.sub(n_u, n_b, alpha=2), value=-1)
        n_c = equation.nonlinear(c, end)
        out = torch.addcmul(decay * u, f1, n_u)
        out = torch.addcmul(out, f2, n_a + n_b)
        return torch.addcmul(out, f3, n_c)

    return step


def advised_step(frequency: float, damping: float, dt: float) -> float:
    r"""The longest step up to `dt` in which `etdrk4` hardly amplifies waves that a flow carries.

    That $\pm i\omega$ is integrated exactly makes waves no stabler than an explicit scheme would:
    beside an explicit $i c$ they grow by up to 7 % a step where $\omega\, dt = 5$ and
    $|c|\, dt < 1.5$. Damping of 5 % a step is taken for enough, and any step then advised.

    Args:
        frequency: $\omega$ of the fastest wave, in radians per unit of time.
        damping: Its decay, per unit of time.
        dt: Time step.

    References:
        Buvoli & Minion (2022), *J. Comput. Appl. Math.* 409.
    """
    if frequency * dt <= _FURTHEST_TURN or damping * dt >= _NEGLIGIBLE_DECAY:
        return dt
    return _FURTHEST_TURN / frequency


def _etdrk4_weights(linear: Tensor, dt: float) -> list[Tensor]:
    """`exp(L dt)`, `exp(L dt / 2)` and the four weights of the stages, in double precision.

    They lie in memory as `linear` does.
    """
    values = linear.cpu().to(torch.complex128 if linear.is_complex() else torch.float64)
    chunks = [_weights_of(chunk * dt, dt) for chunk in values.flatten().split(_CHUNK)]
    return [
        torch.empty_like(values).copy_(torch.cat(weight).reshape(values.shape))
        for weight in zip(*chunks, strict=True)
    ]


def _weights_of(z: Tensor, dt: float, num_points: int = 32) -> tuple[Tensor, ...]:
    angles = 2 * math.pi * (torch.arange(num_points, dtype=torch.float64) + 0.5) / num_points
    circle = z[..., None] + torch.exp(1j * angles)
    exp_circle = torch.exp(circle)

    def mean(values: Tensor) -> Tensor:
        average = dt * values.mean(dim=-1)
        return average if z.is_complex() else average.real

    return (
        torch.exp(z),
        torch.exp(z / 2),
        mean((torch.exp(circle / 2) - 1) / circle),
        mean((-4 - circle + exp_circle * (4 - 3 * circle + circle**2)) / circle**3),
        2 * mean((2 + circle + exp_circle * (circle - 2)) / circle**3),
        mean((-4 - 3 * circle - circle**2 + exp_circle * (4 - circle)) / circle**3),
    )
