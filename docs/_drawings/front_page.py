"""Draw the picture of the front page from a finished demo.

    python docs/_drawings/front_page.py demo/evaluation.nc

writes docs/assets/front-page.png: the truth and the same forecast on a grid twice as fine as the
training grid under every protocol, and the errors of all models over the ladder.
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
SHOWN, STEP = "multi-resnet", 1
PROTOCOLS = ("native", "projected", "transported", "extended")
STYLES = {"native": ":o", "projected": "--o", "transported": "-o"}
COLOURS = {"multi-resnet": "#0072b2", "residual-unet": "#d55e00", "fno": "#009e73"}
NAMES = {"multi-resnet": "MultiResNet", "residual-unet": "ResidualUNet", "fno": "FNO"}


def main(evaluation: Path) -> None:
    """Draw `OUT` from an evaluation file of the demo."""
    table = xr.open_dataset(evaluation)
    shown = int(table["resolution"].values[1])
    example = xr.open_dataset(evaluation, group=f"example_{shown}").isel(field=0, lead_time=STEP)
    prediction = example["prediction"].sel(run=SHOWN)
    tiles = {f"truth, {shown} × {shown}": example["truth"]}
    tiles |= {protocol: prediction.sel(protocol=protocol) for protocol in PROTOCOLS}
    figure = Figure(figsize=(11.0, 4.6), dpi=96, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, width_ratios=[3, 1.75])
    axes = left.subplots(2, 3).ravel()
    limit = float(np.abs(example["truth"]).max())
    order = [axes[0], axes[1], axes[2], axes[4], axes[5]]
    for axis, (title, values) in zip(order, tiles.items(), strict=True):
        _tile(axis, title, values.values, limit)
    axes[3].axis("off")
    axes[3].text(0, 0.5, _caption(shown), fontsize=9, va="center", transform=axes[3].transAxes)
    _errors(right.subplots(), table)
    figure.savefig(OUT, pil_kwargs={"optimize": True})


def _caption(shown: int) -> str:
    return (
        f"Vorticity, {STEP + 1} frames ahead.\n\n"
        f"{NAMES[SHOWN]} was trained\non 32 × 32 points and\nis used on {shown} × {shown}."
    )


def _tile(axis: Axes, title: str, values: np.ndarray, limit: float) -> None:
    colours = ListedColormap(diverging_palette() / 255)
    axis.imshow(values, origin="lower", cmap=colours, vmin=-limit, vmax=limit)
    axis.set_title(title, fontsize=9.5)
    axis.set_xticks([])
    axis.set_yticks([])


def _errors(axis: Axes, table: xr.Dataset) -> None:
    """Total error after one step over the ladder, a line style for each protocol."""
    errors = table["total_error"].isel(lead_time=0, field=0).mean("trajectory")
    rungs = table["resolution"].values
    for run, colour in COLOURS.items():
        native = errors.sel(run=run, protocol="native").values
        for protocol, style in STYLES.items():
            values = errors.sel(run=run, protocol=protocol).values
            values = np.where(rungs == rungs[0], native, values)
            label = NAMES[run] if protocol == "transported" else None
            axis.plot(rungs, values, style, color=colour, markersize=4, label=label)
        extended = errors.sel(run=run, protocol="extended").values
        if np.isfinite(extended).any():
            axis.plot(rungs, extended, "*", color=colour, markersize=11, label="… extended")
    floor = errors.sel(run="truncation floor 32", protocol="projected").values
    axis.plot(rungs, np.nan_to_num(floor), color="0.4", linewidth=1, label="truncation floor")
    axis.set_xscale("log", base=2)
    axis.set_xticks(rungs, [f"{n}²" for n in rungs])
    axis.set_ylim(0, 0.8)
    axis.set_title("error after one step", fontsize=9.5)
    axis.set_xlabel(
        "evaluation grid\ndotted: native, dashed: projected, solid: transported", fontsize=8
    )
    axis.tick_params(labelsize=8)
    axis.legend(fontsize=7.5, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
