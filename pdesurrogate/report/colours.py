"""Colour maps for fields: perceptually uniform and safe for colour-blind readers."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps

__all__ = ["diverging_palette", "sequential_palette"]

_BLUE, _RED = np.deg2rad(258.0), np.deg2rad(32.0)
_LIGHT, _DARK = 0.97, 0.34
_CHROMA = 0.145


@cache
def diverging_palette() -> UInt8[np.ndarray, "256 rgb"]:
    """Blue through near-white to red, for fields of both signs.

    In OKLab coordinates lightness falls linearly and equally on both sides of zero, so that equal
    steps of the field look equally large and the sign is told by hue alone.

    References:
        Ottosson (2020), *A perceptual color space for image processing*.
    """
    signed = np.linspace(-1.0, 1.0, 256)
    amount = np.abs(signed)
    lightness = _LIGHT + (_DARK - _LIGHT) * amount
    chroma = _CHROMA * np.sin(0.72 * np.pi * amount**0.8)  # stays inside sRGB from end to end
    hue = np.where(signed < 0, _BLUE, _RED)
    return _from_oklab(np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1))


@cache
def sequential_palette() -> UInt8[np.ndarray, "256 rgb"]:
    """Viridis, for fields of one sign."""
    rgba = colormaps["viridis"](np.linspace(0.0, 1.0, 256))
    return np.round(255 * rgba[:, :3]).astype(np.uint8)


def _from_oklab(lab: Float[np.ndarray, "256 lab"]) -> UInt8[np.ndarray, "256 rgb"]:
    to_cones = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_linear_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((lab @ to_cones.T) ** 3 @ to_linear_rgb.T, 0.0, 1.0)
    gamma = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * gamma).astype(np.uint8)
