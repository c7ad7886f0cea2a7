"""A rollout in motion: the truth beside the models at the finest grid, as one animated picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from pdesurrogate.report.gather import Example
from pdesurrogate.report.images import data_uri
from pdesurrogate.report.methods import Series, Study
from pdesurrogate.report.numbers import list_in_words, significant
from pdesurrogate.report.pictures import Scale, value_scale

__all__ = ["Animation", "animate"]

_SIDE = 288
_GAP = 14
_TITLE = 26
_FOOTER = 30
_FRAME_MS = 220
_LAST_FRAME_MS = 1600
_MOST_TILES = 9
_INK, _PALE = "#222222", "#666666"


@dataclass(frozen=True)
class Animation:
    """A looping picture, and the one that stands in for it where motion is not wanted."""

    moving: str
    still: str
    alt: str
    width: int
    height: int
    resolution: int
    size: str
    trajectory: int
    num_frames: int
    ends: tuple[str, str]


def animate(
    study: Study, examples: Sequence[Example], resolution: int, field: str
) -> Animation | None:
    """Every predicted frame of the truth and, for each model, of its best protocol.

    Returns:
        None if the files hold no pictures at this resolution.
    """
    if not examples:
        return None
    shown = _shown(study, examples, resolution, field)
    num_steps = len(study.lead_times)
    scale = value_scale(examples[0].truth(0, field), study.is_signed(field))
    canvases = [_canvas(study, examples[0], shown, scale, field, step) for step in range(num_steps)]
    names = list_in_words(["the truth", *(series.name for series in shown)])
    width, height = canvases[0].size
    return Animation(
        moving=_webp(canvases),
        still=_webp(canvases[num_steps // 2 : num_steps // 2 + 1]),
        alt=(
            f"{num_steps} frames of the {study.field_label(field)} at {study.size(resolution)}, "
            f"lead time {significant(study.lead_times[0])} to "
            f"{significant(study.lead_times[-1])} {study.time_unit}".rstrip()
            + f": {names}."
        ),
        width=width,
        height=height,
        resolution=resolution,
        size=study.size(resolution),
        trajectory=examples[0].trajectory,
        num_frames=num_steps,
        ends=scale.ends,
    )


def _shown(
    study: Study, examples: Sequence[Example], resolution: int, field: str
) -> dict[Series, tuple[Example, str]]:
    """For each model the series of least error after the first step, and where its frames are."""
    shown: dict[Series, tuple[Example, str]] = {}
    for method in study.methods:
        if method.is_baseline and method.model != "coarse solver":
            continue
        candidates = {
            series: (example, run)
            for series in study.series(resolution, field)
            if series.method == method
            for example in reversed(examples)
            for run in reversed(method.runs)
            if example.prediction(run, series.protocol, 0, field) is not None
        }
        if candidates and len(shown) < _MOST_TILES - 1:
            best = min(
                candidates,
                key=lambda s: float(
                    study.scores("total_error", s, resolution, field)[..., 0].mean()
                ),
            )
            shown[best] = candidates[best]
    return shown


def _canvas(
    study: Study,
    example: Example,
    shown: dict[Series, tuple[Example, str]],
    scale: Scale,
    field: str,
    step: int,
) -> Image.Image:
    truth = example.truth(step, field)
    tiles: list[tuple[str, Float[np.ndarray, "y x"] | None]] = [("Truth", truth)]
    tiles += [
        (series.name, source.prediction(run, series.protocol, step, field))
        for series, (source, run) in shown.items()
    ]
    columns = 2 if len(tiles) in (2, 4) else 3
    rows = -(-len(tiles) // columns)
    width = columns * (_SIDE + _GAP) - _GAP
    row_height = _TITLE + round(_SIDE * truth.shape[0] / max(truth.shape)) + _GAP
    canvas = Image.new("RGB", (width, rows * row_height + _FOOTER), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (title, frame) in enumerate(tiles):
        left = index % columns * (_SIDE + _GAP)
        top = index // columns * row_height
        draw.text((left, top + 3), _fitting(title), fill=_INK, font=_font(15))
        if frame is not None:
            picture = scale.image(frame).convert("RGB")
            canvas.paste(_enlarged(picture), (left, top + _TITLE))
    _draw_clock(draw, study, step, width, canvas.height)
    return canvas


def _draw_clock(
    draw: ImageDraw.ImageDraw, study: Study, step: int, width: int, height: int
) -> None:
    """Lead time in words and as a bar that fills."""
    num_steps = len(study.lead_times)
    text = f"lead time {study.lead_times[step]:.4g} {study.time_unit}".rstrip()
    draw.text((0, height - _FOOTER + 6), text, fill=_PALE, font=_font(14))
    left, y = 190, height - _FOOTER + 14
    draw.line([(left, y), (width - 1, y)], fill="#dddddd", width=4)
    filled = left + (width - 1 - left) * (step + 1) // num_steps
    draw.line([(left, y), (filled, y)], fill=_INK, width=4)


def _enlarged(picture: Image.Image) -> Image.Image:
    """The picture at the tile's size, its longer side filling it."""
    factor = _SIDE / max(picture.size)
    size = tuple(max(1, round(side * factor)) for side in picture.size)
    return picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)


def _fitting(title: str) -> str:
    """A title no wider than its tile."""
    font = _font(15)
    while font.getlength(title) > _SIDE and len(title) > 1:
        title = title.rstrip("…")[:-1] + "…"
    return title


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def _webp(canvases: Sequence[Image.Image]) -> str:
    buffer = io.BytesIO()
    durations = [_FRAME_MS] * (len(canvases) - 1) + [_LAST_FRAME_MS]
    canvases[0].save(
        buffer,
        format="WEBP",
        save_all=len(canvases) > 1,
        append_images=list(canvases[1:]),
        duration=durations,
        loop=0,
        quality=82,
        method=3,
    )
    return data_uri(buffer.getvalue(), "image/webp")
