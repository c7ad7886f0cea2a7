from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pdesurrogate.report.colours import diverging_palette
from pdesurrogate.report.images import (
    Fineness,
    figure_uri,
    palette_image,
    palette_indices,
    png_uri,
)


def _content(uri: str, media_type: str) -> bytes:
    prefix = f"data:{media_type};base64,"
    assert uri.startswith(prefix)
    return base64.b64decode(uri.removeprefix(prefix))


def test_values_find_their_colour_and_y_points_up() -> None:
    field = np.array([[-1.0, 0.0, 1.0], [-9.0, np.inf, np.nan]], dtype=np.float32)
    indices = palette_indices(field, -1.0, 1.0)
    assert indices.tolist() == [[0, 255, 255], [0, 128, 255]]


def test_picture_has_the_colours_of_its_points() -> None:
    field = np.linspace(-2, 2, 12).reshape(3, 4)
    image = palette_image(field, -2.0, 2.0, diverging_palette(), Fineness())
    content = _content(png_uri(image), "image/png")
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    expected = diverging_palette()[palette_indices(field, -2.0, 2.0)]
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize(("side", "drawn"), [(256, 256), (320, 160), (1024, 256)])
def test_large_grids_are_averaged_down(side: int, drawn: int) -> None:
    columns = np.broadcast_to(np.arange(side) % 2 * 2.0 - 1, (side, side))
    image = palette_image(columns, -1.0, 1.0, diverging_palette(), Fineness())
    assert image.size == (drawn, drawn)
    if drawn < side:
        assert np.unique(np.asarray(image)).tolist() == [128]


def test_fewer_colours_are_those_in_the_middle_of_their_step() -> None:
    ramp = np.linspace(-1, 1, 256)[None].repeat(2, axis=0)
    image = palette_image(ramp, -1.0, 1.0, diverging_palette(), Fineness(colours=64))
    assert np.unique(np.asarray(image)).tolist() == list(range(2, 256, 4))


def test_numbers_are_cut_to_hundredths_and_scales_are_not() -> None:
    figure = Figure(figsize=(2, 2))
    figure.add_subplot().plot([0, 1 / 3], [0, 1 / 7])
    svg = _content(figure_uri(figure), "image/svg+xml").decode()
    assert not re.search(r"\b[1-9]\d*\.\d{3}", svg)
    assert "scale(0.1 -0.1)" in svg


def test_the_same_figure_is_the_same_bytes() -> None:
    def draw() -> str:
        figure = Figure(figsize=(2, 2))
        figure.add_subplot().plot([0, 1])
        return figure_uri(figure)

    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "same"}):
        first, second = draw(), draw()
    assert first == second
    assert b"<svg" in _content(first, "image/svg+xml")
