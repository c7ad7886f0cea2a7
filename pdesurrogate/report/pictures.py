"""Fields side by side: the truth, each prediction, and what separates them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from pdesurrogate.report.colours import diverging_palette, sequential_palette
from pdesurrogate.report.gather import Example
from pdesurrogate.report.images import Fineness, palette_image, png_uri
from pdesurrogate.report.methods import Series, Study
from pdesurrogate.report.moments import Moment
from pdesurrogate.report.numbers import significant

__all__ = ["Gallery", "Scale", "Tile", "gallery", "shown_series", "value_scale"]

FINE = Fineness()
COARSE = Fineness(points=128, colours=64)
_MANY = 10
"""Pictures in a row from which on they are drawn coarser, to keep the page small."""


@dataclass(frozen=True)
class Scale:
    """What the colours of a row mean.

    Args:
        low: Value of the first colour.
        high: Value of the last colour.
        palette: The colours.
    """

    low: float
    high: float
    palette: UInt8[np.ndarray, "256 rgb"]

    def image(self, field: Float[np.ndarray, "y x"], fineness: Fineness = FINE) -> Image.Image:
        """A field in these colours."""
        return palette_image(field, self.low, self.high, self.palette, fineness)

    @property
    def bar(self) -> str:
        """The colours from low to high as a `data:` URI."""
        ramp = np.repeat(np.linspace(self.low, self.high, 256)[None, :], 12, axis=0)
        return png_uri(self.image(ramp))

    @property
    def ends(self) -> tuple[str, str]:
        """Both ends, as text."""
        return significant(self.low, 2), significant(self.high, 2)


@dataclass(frozen=True)
class Tile:
    """A prediction above its difference from the truth.

    Args:
        title: Method.
        subtitle: Protocol.
        prediction: `data:` URI of the prediction.
        prediction_alt: Alternative text of the prediction.
        difference: `data:` URI of prediction minus truth; empty for the truth itself.
        difference_alt: Alternative text of the difference.
        note: The error of this very frame.
    """

    title: str
    subtitle: str
    prediction: str
    prediction_alt: str
    difference: str = ""
    difference_alt: str = ""
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """One row of pictures that share their scales."""

    resolution: int
    size: str
    when: str
    trajectory: int
    tiles: tuple[Tile, ...]
    values: Scale
    differences: Scale
    is_map: bool = False


def gallery(
    study: Study, examples: Sequence[Example], resolution: int, field: str, moment: Moment
) -> Gallery | None:
    """The truth and every model, native and under its best other protocol.

    Returns:
        None if the files hold no pictures at this resolution.
    """
    if not examples:
        return None
    step = moment.step
    truth = examples[0].truth(step, field)
    if not np.isfinite(truth).all():
        return None
    frames = {
        series: frame
        for series in shown_series(study, resolution, field, step)
        if (frame := _frame(examples, series, step, field)) is not None
    }
    values = value_scale(truth, study.is_signed(field))
    spread = _difference_limit([frame - truth for frame in frames.values()], truth)
    differences = Scale(-spread, spread, diverging_palette())
    when = f"after {moment.after}"
    label = study.field_label(field)
    true_alt = (
        f"True {label} at {study.size(resolution)} {when}, from "
        f"{significant(float(truth.min()))} to {significant(float(truth.max()))}."
    )
    fineness = FINE if len(frames) < _MANY else COARSE
    tiles = [Tile("Truth", "", png_uri(values.image(truth, fineness)), true_alt)]
    where = f"at {study.size(resolution)} {when}"
    for series, frame in frames.items():
        difference = frame - truth
        pictures = values.image(frame, fineness), differences.image(difference, fineness)
        error = _relative(difference, truth, examples[0].weights)
        tiles.append(_tile(series, difference, error, pictures, where))
    return Gallery(
        resolution,
        study.size(resolution),
        when,
        examples[0].trajectory,
        tuple(tiles),
        values,
        differences,
        is_map=examples[0].is_map,
    )


def shown_series(study: Study, resolution: int, field: str, step: int) -> Iterator[Series]:
    """Of every model its native series and its best other one, and the solvers.

    Best means of least total error after `step + 1` steps.
    """
    there = list(study.series(resolution, field))
    for method in study.methods:
        own = [series for series in there if series.method == method]
        if method.is_baseline:
            yield from (s for s in own if method.model == "coarse solver")
            continue
        yield from (s for s in own if s.protocol == "native")
        others = [s for s in own if s.protocol != "native"]
        if others:
            yield min(
                others,
                key=lambda s: float(
                    study.scores("total_error", s, resolution, field)[..., step].mean()
                ),
            )


def value_scale(truth: Float[np.ndarray, "y x"], is_signed: bool) -> Scale:
    """Colours for a field: about zero if it takes both signs, from low to high if not."""
    if is_signed:
        limit = float(np.quantile(np.abs(truth), 0.998)) or 1.0
        return Scale(-limit, limit, diverging_palette())
    low, high = (float(q) for q in np.quantile(truth, [0.002, 0.998]))
    return Scale(low, high if high > low else low + 1.0, sequential_palette())


def _frame(
    examples: Sequence[Example], series: Series, step: int, field: str
) -> Float[np.ndarray, "y x"] | None:
    """The first run of the method of which a file holds this picture."""
    for example in examples:
        for run in series.method.runs:
            frame = example.prediction(run, series.protocol, step, field)
            if frame is not None:
                return frame
    return None


def _difference_limit(
    differences: Sequence[Float[np.ndarray, "y x"]], truth: Float[np.ndarray, "y x"]
) -> float:
    """A limit that shows the typical difference, and never more than the field's own amplitude."""
    amplitude = float(np.quantile(np.abs(truth), 0.998)) or 1.0
    sizes = [float(np.quantile(np.abs(d), 0.998)) for d in differences if np.isfinite(d).all()]
    return min(float(np.median(sizes)), amplitude) or amplitude if sizes else amplitude


def _relative(
    difference: Float[np.ndarray, "y x"],
    truth: Float[np.ndarray, "y x"],
    weights: Float[np.ndarray, "y 1"],
) -> float:
    return float(np.sqrt((weights * difference**2).sum() / (weights * truth**2).sum()))


def _tile(
    series: Series,
    difference: Float[np.ndarray, "y x"],
    error: float,
    pictures: tuple[Image.Image, Image.Image],
    where: str,
) -> Tile:
    """Both pictures, prediction and difference, with what they show in words."""
    largest = significant(float(np.abs(difference).max()))
    subtitle = "" if series.method.is_baseline else series.protocol
    return Tile(
        title=series.method.name,
        subtitle=subtitle,
        prediction=png_uri(pictures[0]),
        prediction_alt=f"{series.name} {where}: relative error {significant(error)}.",
        difference=png_uri(pictures[1]),
        difference_alt=f"{series.name} minus truth {where}: at most {largest} in magnitude.",
        note=f"error {significant(error)}",
    )
