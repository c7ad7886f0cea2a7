from __future__ import annotations

import numpy as np

from pdesurrogate.report.colours import diverging_palette, sequential_palette


def _lightness(palette: np.ndarray) -> np.ndarray:
    """OKLab's L of sRGB colours."""
    rgb = palette / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    cones = np.cbrt(linear @ to_cones.T)
    return cones @ np.array([0.2104542553, 0.7936177850, -0.0040720468])


def test_lightness_falls_evenly_from_the_middle_to_both_ends() -> None:
    lightness = _lightness(diverging_palette())
    assert lightness[127:129].min() > 0.95
    steps = np.diff(lightness)
    assert (steps[:127] > 0).all()
    assert (steps[128:] < 0).all()
    np.testing.assert_allclose(lightness, lightness[::-1], atol=0.02)
    straight = np.interp(np.arange(128), [0, 127], lightness[[0, 127]])
    np.testing.assert_allclose(lightness[:128], straight, atol=0.02)


def test_the_sign_is_told_by_blue_and_red() -> None:
    palette = diverging_palette().astype(int)
    assert (palette[:100, 2] > palette[:100, 0]).all()
    assert (palette[156:, 0] > palette[156:, 2]).all()


def test_sequential_palette_only_brightens() -> None:
    lightness = _lightness(sequential_palette())
    assert (np.diff(lightness[::5]) > 0).all()  # neighbours are rounded to whole numbers
