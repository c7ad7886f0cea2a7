"""Draw the picture of the front page from a finished demo.

    python docs/_drawings/front_page.py demo/evaluation.nc

writes docs/assets/front-page.png: the same forecast on a grid four times finer than the training
grid, native and projected, and the errors of all models over the ladder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pdesurrogate.report.colours import diverging_palette

__all__ = ["main"]

OUT = Path(__file__).parent.parent / "assets" / "front-page.png"
SHOWN, STEP = "multi-resnet", 3
COLOURS = {"multi-resnet": "#0072b2", "residual-unet": "#d55e00", "fno": "#009e73"}
NAMES = {"multi-resnet": "MultiResNet", "residual-unet": "ResidualUNet", "fno": "FNO"}


def main(evaluation: Path) -> None:
    """Draw `OUT` from an evaluation file of the demo."""
    table = xr.open_dataset(evaluation)
    finest = int(table["resolution"].max())
    example = xr.open_dataset(evaluation, group=f"example_{finest}").isel(field=0, lead_time=STEP)
    prediction = example["prediction"].sel(run=SHOWN)
    tiles = {
        f"truth, {finest} × {finest}": example["truth"],
        f"{NAMES[SHOWN]}, native": prediction.sel(protocol="native"),
        f"{NAMES[SHOWN]}, projected": prediction.sel(protocol="projected"),
    }
    figure = Figure(figsize=(10.5, 2.95), dpi=96, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.25])
    limit = float(np.abs(example["truth"]).max())
    for axis, (title, values) in zip(axes, tiles.items(), strict=False):
        _tile(axis, title, values.values, limit)
    _errors(axes[3], table)
    figure.savefig(OUT, pil_kwargs={"optimize": True})


def _tile(axis: Axes, title: str, values: np.ndarray, limit: float) -> None:
    colours = ListedColormap(diverging_palette() / 255)
    axis.imshow(values, origin="lower", cmap=colours, vmin=-limit, vmax=limit)
    axis.set_title(title, fontsize=9.5)
    axis.set_xticks([])
    axis.set_yticks([])


def _errors(axis: Axes, table: xr.Dataset) -> None:
    """Total error after one step over the ladder, native dotted and projected solid."""
    errors = table["total_error"].isel(lead_time=0, field=0).mean("trajectory")
    rungs = table["resolution"].values
    for run, colour in COLOURS.items():
        native = errors.sel(run=run, protocol="native").values
        projected = errors.sel(run=run, protocol="projected").values
        projected = np.where(np.isnan(projected), native, projected)
        axis.plot(rungs, native, ":o", color=colour, markersize=4, markerfacecolor="white")
        axis.plot(rungs, projected, "-o", color=colour, markersize=4, label=NAMES[run])
    floor = errors.sel(run="truncation floor 32", protocol="projected").values
    axis.plot(rungs, np.nan_to_num(floor), "--", color="0.4", label="truncation floor")
    axis.set_xscale("log", base=2)
    axis.set_xticks(rungs, [f"{n}²" for n in rungs])
    axis.set_ylim(0, None)
    axis.set_title("error after one step", fontsize=9.5)
    axis.set_xlabel("evaluation grid (dotted: native, solid: projected)", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.legend(fontsize=7.5, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
