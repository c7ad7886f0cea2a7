"""Time integrators for stiff semilinear equations. They know nothing of the physics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

__all__ = ["SemilinearEquation", "etdrk4"]


@runtime_checkable
class SemilinearEquation(Protocol):
    r"""$\dot u = L u + N(u)$ with `L` diagonal in the basis in which `u` is stored."""

    @property
    def linear(self) -> Tensor:
        """The diagonal of `L`, real, float64, of the state's trailing shape."""
        ...

    def nonlinear(self, state: Tensor) -> Tensor:
        """`N(u)`, forcing included."""
        ...


def etdrk4(equation: SemilinearEquation, dt: float) -> Callable[[Tensor], Tensor]:
    r"""One step of the fourth-order exponential Runge–Kutta scheme of Cox and Matthews.

    The linear part is integrated exactly, so that its stiffness sets no limit on `dt`; the
    coefficients $\varphi(L\,dt)$ are mean values over a circle in the complex plane, which avoids
    the cancellation near $L\,dt = 0$.

    Args:
        equation: The equation in semilinear form.
        dt: Time step, in the equation's unit of time.

    Returns:
        A function from the state to the state `dt` later, differentiable by autograd.

    References:
        Cox & Matthews (2002), *J. Comput. Phys.* 176, eqs. 26–29.
        Kassam & Trefethen (2005), *SIAM J. Sci. Comput.* 26, §2 (the contour integral).
    """
    coefficients = [c.to(equation.linear.device) for c in _etdrk4_coefficients(equation.linear, dt)]
    cache: dict[torch.dtype, list[Tensor]] = {}

    def step(u: Tensor) -> Tensor:
        # A real coefficient would be promoted to complex at every product: promote it once.
        if u.dtype not in cache:
            cache[u.dtype] = [c.to(u.dtype) for c in coefficients]
        decay, half_decay, half, f1, f2, f3 = cache[u.dtype]
        n_u = equation.nonlinear(u)
        half_u = half_decay * u
        a = torch.addcmul(half_u, half, n_u)
        n_a = equation.nonlinear(a)
        n_b = equation.nonlinear(torch.addcmul(half_u, half, n_a))
        c = torch.addcmul(half_decay * a, half, torch.sub(2 * n_b, n_u))
        n_c = equation.nonlinear(c)
        out = torch.addcmul(decay * u, f1, n_u)
        out = torch.addcmul(out, f2, n_a + n_b)
        return torch.addcmul(out, f3, n_c)

    return step


def _etdrk4_coefficients(linear: Tensor, dt: float, num_points: int = 32) -> tuple[Tensor, ...]:
    """`exp(L dt)`, `exp(L dt / 2)` and the four weights of the stages, float64."""
    angles = 2 * math.pi * (torch.arange(num_points, dtype=torch.float64) + 0.5) / num_points
    z = (linear.cpu().double() * dt)[..., None] + torch.exp(1j * angles)
    exp_z = torch.exp(z)

    def mean(values: Tensor) -> Tensor:
        return dt * values.mean(dim=-1).real

    return (
        torch.exp(linear.cpu().double() * dt),
        torch.exp(linear.cpu().double() * dt / 2),
        mean((torch.exp(z / 2) - 1) / z),
        mean((-4 - z + exp_z * (4 - 3 * z + z**2)) / z**3),
        2 * mean((2 + z + exp_z * (z - 2)) / z**3),
        mean((-4 - 3 * z - z**2 + exp_z * (4 - z)) / z**3),
    )
