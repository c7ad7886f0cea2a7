"""Exact solutions of the dam break on a flat bed."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

__all__ = ["ritter", "stoker"]


def ritter(xi: np.ndarray, depth: float, gravity: float) -> tuple[np.ndarray, np.ndarray]:
    """Depth and velocity at `x / t` behind and before a dam at 0; dry land on the right.

    Ritter (1892), *Z. Ver. Dtsch. Ing.* 36.
    """
    c = np.sqrt(gravity * depth)
    inside = np.clip(xi, -c, 2 * c)
    return (2 * c - inside) ** 2 / (9 * gravity), np.where(xi < 2 * c, 2 / 3 * (c + inside), 0.0)


def stoker(
    xi: np.ndarray, left: float, right: float, gravity: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same with shallower still water on the right: a rarefaction, a plateau and a bore.

    Stoker (1957), *Water Waves*, §10.8.
    """
    c_left = np.sqrt(gravity * left)

    def behind_the_bore(h):
        return (h - right) * np.sqrt(gravity / 2 * (1 / h + 1 / right))

    middle = brentq(lambda h: behind_the_bore(h) - 2 * (c_left - np.sqrt(gravity * h)), right, left)
    u = behind_the_bore(middle)
    bore = middle * u / (middle - right)
    h_fan, u_fan = ritter(xi, left, gravity)
    in_fan = xi < u - np.sqrt(gravity * middle)
    depth = np.where(in_fan, h_fan, np.where(xi < bore, middle, right))
    return depth, np.where(in_fan, u_fan, np.where(xi < bore, u, 0.0))
