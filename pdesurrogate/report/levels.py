"""What each level of a U-Net adds, as a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from pdesurrogate.report.looks import surrogate_look
from pdesurrogate.report.plotting import panels

__all__ = ["plot_levels"]

_TITLES = {
    "residual_energy": "Residual over the level's answer",
    "output_change": "Change of the output without it",
}


def plot_levels(energies: Mapping[str, xr.Dataset], out: str | os.PathLike[str]) -> Path:
    """Draw the energy of each level's residual, and what the output loses without it.

    Lines are medians over the samples, bands run from the first to the last decile.

    Args:
        energies: Results of `pdesurrogate.models.residual_energy` by the name of the network.
        out: Picture to write; the ending says the format.

    Returns:
        The picture's path.

    Raises:
        ValueError: If there is nothing to draw.
    """
    if not energies:
        raise ValueError("give at least one network's energies")
    out = Path(out)
    with panels(len(_TITLES)) as (figure, all_axes):
        for axes, (variable, title) in zip(all_axes, _TITLES.items(), strict=True):
            for i, (name, energy) in enumerate(energies.items()):
                _draw(axes, energy[variable], name, i)
            axes.set_title(title)
            axes.set_xlabel("grid of the level")
            axes.set_ylim(0, None)
        all_axes[0].set_ylabel("ratio of energies")
        all_axes[-1].legend(frameon=False, fontsize=9)
        figure.savefig(out)
    return out


def _draw(axes: Axes, energy: xr.DataArray, name: str, index: int) -> None:
    """One network's line and band over the points along y of its levels' grids."""
    look, points = surrogate_look(index), energy["num_points_y"].values
    low, middle, high = (energy.quantile(share, "sample").values for share in (0.1, 0.5, 0.9))
    axes.fill_between(points, low, high, color=look.colour, alpha=0.13, lw=0)
    axes.plot(points, middle, color=look.colour, marker=look.marker, lw=1.8, label=name)
    axes.set_xscale("log", base=2)
    sizes = zip(points, energy["num_points_x"].values, strict=True)
    axes.set_xticks(points, [f"{ny} × {nx}" for ny, nx in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
