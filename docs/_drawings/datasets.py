"""Draw one frame of each dataset: `python docs/_drawings/datasets.py FOLDER [PICTURE ...]`.

FOLDER holds datasets under the names of their recipes; those of the pictures' tiles are needed.
Writes docs/assets/PICTURE.png, by default all of `PICTURES`. Small versions of the datasets do: one
trajectory on one rung.
"""

from __future__ import annotations

import sys
from pathlib import Path

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pdesurrogate.data import Ladder, open_dataset
from pdesurrogate.report.colours import diverging_palette

__all__ = ["main"]

ASSETS = Path(__file__).parent.parent / "assets"
PICTURES = {
    "datasets": (
        (
            ("kolmogorov", "vorticity"),
            ("decaying_turbulence", "vorticity"),
            ("stochastic_turbulence", "vorticity"),
            ("stochastic_turbulence", "tracer"),
        ),
        (
            ("buoyant_smoke", "smoke"),
            ("buoyant_smoke_pdearena", "smoke"),
            ("cylinder_wake", "vorticity"),
            ("random_obstacles", "vorticity"),
        ),
    ),
    "shallow_water": (
        (
            ("shallow_water_sphere", "vorticity"),
            ("galewsky", "vorticity"),
            ("planetswe_like", "velocity_x"),
        ),
        (
            ("shallow_water_pdearena_corrected", "vorticity"),
            ("geostrophic_turbulence", "vorticity"),
            ("radial_dam_break", "height"),
            ("random_dam_breaks", "height"),
        ),
    ),
}
"""The tiles of each picture, row by row: a dataset and the field that shows it best."""

WIDTH = 12.0
SHARE = 0.985
"""Quantile of the magnitude at which the colours end: walls hold a few very large values."""

SOLID = "#6a737d"


def main(folder: Path, names: list[str]) -> None:
    """Draw the pictures from the datasets below `folder`."""
    for name in names:
        draw_picture(folder, name)


def draw_picture(folder: Path, name: str) -> None:
    """Write one of `PICTURES`."""
    tiles = PICTURES[name]
    data = [[open_dataset(folder / dataset) for dataset, _ in row] for row in tiles]
    widths = [[_width(ladder) for ladder in row] for row in data]
    heights = [WIDTH / sum(row) + 0.25 for row in widths]
    figure = Figure(figsize=(WIDTH, sum(heights)))
    FigureCanvasAgg(figure)
    rows = figure.subfigures(len(tiles), 1, height_ratios=heights, hspace=0)
    for row, ladders, columns, labels in zip(rows, data, widths, tiles, strict=True):
        axes = row.subplots(1, len(ladders), width_ratios=columns)
        row.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.88, wspace=0.06)
        for axis, ladder, (dataset, field) in zip(axes, ladders, labels, strict=True):
            draw_tile(axis, ladder, field)
            axis.set_title(f"{dataset}: {field}", fontsize=9)
            axis.set_axis_off()
    path = ASSETS / f"{name}.png"
    figure.savefig(
        path, dpi=75, bbox_inches="tight", pad_inches=0.05, pil_kwargs={"optimize": True}
    )


def draw_tile(axis: Axes, ladder: Ladder, field: str) -> None:
    """The last frame of the first trajectory on the finest rung."""
    frame = ladder.train[max(ladder.resolutions)].isel(trajectory=0, time=-1)
    values = frame[field]
    largest = float(abs(values).quantile(SHARE))
    signed = ladder.fields[field].is_signed
    axis.imshow(
        values,
        origin="lower",
        cmap=ListedColormap(diverging_palette() / 255) if signed else "magma",
        vmin=-largest if signed else float(values.quantile(1 - SHARE)),
        vmax=largest,
        interpolation="bilinear",
    )
    for name in ladder.static_fields:
        draw_ground(axis, frame, name)


def draw_ground(axis: Axes, frame: xr.Dataset, name: str) -> None:
    """Bodies and dry land are filled, coasts of mountains drawn."""
    ground = frame[name]
    if name == "orography":
        axis.contour(ground, levels=[1000.0], colors=SOLID, linewidths=0.5)
    elif name == "bathymetry":
        axis.contourf(frame.height < 1e-3, levels=[0.5, 1.5], colors=SOLID)
    else:
        axis.contourf(ground, levels=[0.5, 1.5], colors=SOLID)


def _width(ladder: Ladder) -> float:
    """Of a tile that is one high."""
    height, width = ladder.grid(max(ladder.resolutions)).domain_extent
    return width / height


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(PICTURES))
