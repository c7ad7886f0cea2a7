"""Draw one frame of each dataset: `python docs/_drawings/datasets.py FOLDER`.

FOLDER holds datasets under the names of their recipes; those of `TILES` are needed. Writes
docs/assets/datasets.png.
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pdesurrogate.data import open_dataset
from pdesurrogate.report.colours import diverging_palette

__all__ = ["main"]

OUT = Path(__file__).parent.parent / "assets" / "datasets.png"
TILES = (
    ("kolmogorov", "vorticity"),
    ("decaying_turbulence", "vorticity"),
    ("stochastic_turbulence", "vorticity"),
    ("stochastic_turbulence", "tracer"),
    ("buoyant_smoke", "smoke"),
    ("buoyant_smoke_pdearena", "smoke"),
    ("cylinder_wake", "vorticity"),
    ("random_obstacles", "vorticity"),
)
SHARE = 0.985
"""Quantile of the magnitude at which the colours end: walls hold a few very large values."""


def main(folder: Path) -> None:
    """Draw `OUT` from the datasets below `folder`."""
    figure = Figure(figsize=(12, 5.9))
    FigureCanvasAgg(figure)
    rows = figure.subfigures(2, 1, height_ratios=(3.3, 2.3), hspace=0)
    for row, tiles in zip(rows, (TILES[:4], TILES[4:]), strict=True):
        data = [open_dataset(folder / name) for name, _ in tiles]
        grids = [ladder.grid(max(ladder.resolutions)) for ladder in data]
        widths = [grid.domain_extent[1] / grid.domain_extent[0] for grid in grids]
        axes = row.subplots(1, len(tiles), width_ratios=widths)
        row.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.88, wspace=0.06)
        for axis, (name, field), ladder in zip(axes, tiles, data, strict=True):
            values = ladder.train[max(ladder.resolutions)][field][0, -1]
            largest = float(abs(values).quantile(SHARE))
            signed = ladder.fields[field].is_signed
            axis.imshow(
                values,
                origin="lower",
                cmap=ListedColormap(diverging_palette() / 255) if signed else "magma",
                vmin=-largest if signed else 0,
                vmax=largest,
                interpolation="bilinear",
            )
            for body in ladder.static_fields:
                mask = ladder.train[max(ladder.resolutions)][body][0]
                axis.contourf(mask, levels=[0.5, 1.5], colors="#6a737d")
            axis.set_title(f"{name}: {field}", fontsize=9)
            axis.set_axis_off()
    figure.savefig(OUT, dpi=75, bbox_inches="tight", pad_inches=0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
