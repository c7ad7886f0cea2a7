"""Arrays and figures as `data:` URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["Fineness", "data_uri", "figure_uri", "palette_image", "palette_indices", "png_uri"]

_FINE_DIGITS = re.compile(rb"\b([1-9]\d*\.\d\d)\d+")
"""What Matplotlib writes beyond hundredths of a point; numbers below 1 (scales) are kept."""


@dataclass(frozen=True)
class Fineness:
    """How much of a field a picture keeps; half the points and colours is an eighth of the bytes.

    Args:
        points: Points per side beyond which the grid is averaged down.
        colours: Steps of the palette, a power of two up to 256.
    """

    points: int = 256
    colours: int = 256


def data_uri(content: bytes, media_type: str) -> str:
    """Bytes as a `data:` URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def figure_uri(figure: Figure) -> str:
    """A figure as SVG, the same bytes for the same numbers."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return data_uri(_FINE_DIGITS.sub(rb"\1", buffer.getvalue()), "image/svg+xml")


def palette_indices(
    field: Float[np.ndarray, "y x"], low: float, high: float
) -> UInt8[np.ndarray, "y x"]:
    """Place in a 256-colour palette of every point, first row at the bottom of the picture.

    Values beyond the limits take the outermost colours, as does what is not finite (the upper).
    """
    scaled = np.nan_to_num((field - low) / (high - low), nan=1.0, posinf=1.0, neginf=0.0)
    return np.round(255 * np.clip(scaled, 0.0, 1.0)).astype(np.uint8)[::-1]


def palette_image(
    field: Float[np.ndarray, "y x"],
    low: float,
    high: float,
    palette: UInt8[np.ndarray, "256 rgb"],
    fineness: Fineness,
) -> Image.Image:
    """A field as a picture of one pixel a point.

    Args:
        field: On a grid, first row at the bottom of the picture.
        low: Value of the first colour.
        high: Value of the last colour.
        palette: The colours.
        fineness: Points and colours of the picture.
    """
    indices = palette_indices(_at_most(field, fineness.points), low, high)
    step = 256 // fineness.colours
    image = Image.fromarray(indices // step * step + step // 2)
    image.putpalette(palette.tobytes())
    return image


def png_uri(image: Image.Image) -> str:
    """A picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")


def _at_most(field: Float[np.ndarray, "y x"], most_points: int) -> Float[np.ndarray, "row column"]:
    """Block averages with the smallest factor that leaves at most so many points a side."""
    factor = -(-max(field.shape) // most_points)
    rows, columns = (n // factor for n in field.shape)
    blocks = field[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return blocks.mean(axis=(1, 3))
