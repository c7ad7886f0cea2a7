r"""Associated Legendre functions, normalised, to any degree that a grid can hold."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["coupling", "legendre_functions"]

_SCALE = 1e-280
"""What the recursion starts from, so that its growth towards high degrees does not overflow."""


def coupling(
    degree: Float[Tensor, "*#shape"], order: Float[Tensor, "*#shape"]
) -> Float[Tensor, "*shape"]:
    r"""$\epsilon_{lm} = \sqrt{(l^2 - m^2) / (4 l^2 - 1)}$, and 0 where $l \le m$.

    It couples neighbouring degrees:

    $$ \mu \bar P_{lm} = \epsilon_{l+1,m} \bar P_{l+1,m} + \epsilon_{lm} \bar P_{l-1,m}, \qquad
       (1 - \mu^2) \frac{d \bar P_{lm}}{d\mu}
       = (l + 1)\, \epsilon_{lm} \bar P_{l-1,m} - l\, \epsilon_{l+1,m} \bar P_{l+1,m} $$

    References:
        Machenhauer (1979), in GARP Publications Series 17, vol. II.
    """
    return ((degree**2 - order**2).clamp(min=0) / (4 * degree**2 - 1).clamp(min=1)).sqrt()


def legendre_functions(
    sine: Float[Tensor, " y"], num_degrees: int, num_orders: int
) -> Float[Tensor, "order degree y"]:
    r"""$\bar P_{lm}(\mu)$ for $0 \le l <$ `num_degrees`, $0 \le m <$ `num_orders`; 0 where $l < m$.

    Normalised and signed so that the harmonics $Y_{lm} = \bar P_{lm}(\sin\varphi)\, e^{im\lambda}$
    are orthonormal on the unit sphere, with the phase of Condon and Shortley:

    $$ \int_{-1}^{1} \bar P_{lm} \bar P_{l'm}\, d\mu = \frac{\delta_{ll'}}{2\pi}, \qquad
       \bar P_{mm} = (-1)^m \cos^m\varphi\,
       \sqrt{\frac{1}{4\pi} \prod_{i=1}^{m} \frac{2i + 1}{2i}} $$

    Upwards in degree from $l = m$ by the recursion of `coupling`. The factor $\cos^m\varphi$, which
    vanishes near the poles beyond the range of the numbers, is multiplied last; until then the
    values are scaled down. Good to about 2700 degrees.

    Args:
        sine: $\mu = \sin\varphi$, float64.
        num_degrees: Of degrees, from 0.
        num_orders: Of orders, from 0.

    References:
        Holmes & Featherstone (2002), *J. Geodesy* 76, §2.4 (the scaling).
    """
    order = torch.arange(num_orders, dtype=torch.float64)[:, None]
    ratio = torch.zeros(num_orders, num_degrees, len(sine), dtype=torch.float64)
    below = two_below = torch.zeros(num_orders, len(sine), dtype=torch.float64)
    for number in range(num_degrees):
        degree = torch.tensor(float(number), dtype=torch.float64)
        epsilon = coupling(degree, order)
        value = sine * below - coupling((degree - 1).clamp(min=0), order) * two_below
        value = torch.where(epsilon > 0, value / epsilon.clamp(min=1e-300), 0.0)
        if number < num_orders:
            value[number] = _SCALE
        ratio[:, number] = value
        below, two_below = value, below
    cosine = (1 - sine) * (1 + sine)
    # Half of the power before and half after the scale, so that neither product underflows early.
    half_power = cosine ** (order / 4)
    steps = torch.arange(1, num_orders, dtype=torch.float64)
    growth = torch.cat([torch.ones(1).double(), 1 + 0.5 / steps]).cumprod(0)
    sign = 1 - 2 * (torch.arange(num_orders) % 2)
    seed = (sign * (growth / (4 * math.pi)).sqrt())[:, None]
    return ratio * half_power[:, None] * (seed * half_power / _SCALE)[:, None]
