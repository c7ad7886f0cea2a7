"""What the search for a learning rate found, as a table."""

from __future__ import annotations

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

__all__ = ["show_rates"]

_ROWS = 20


def show_rates(found: xr.Dataset) -> None:
    """Print some of the rates with their losses, and the suggestion.

    Args:
        found: What `find_learning_rate` returned.
    """
    suggested = float(found["suggested"])
    table = Table(
        "learning rate", "loss", "smoothed", title=found.attrs["model"], title_justify="left"
    )
    count = found.sizes["learning_rate"]
    for step in np.unique(np.linspace(0, count - 1, min(count, _ROWS)).round().astype(int)):
        at = found.isel(learning_rate=step)
        table.add_row(
            f"{float(at['learning_rate']):.2e}",
            f"{float(at['loss']):.4g}",
            f"{float(at['smoothed_loss']):.4g}",
        )
    Console().print(table)
    print(f"--learning_rate {suggested:.2g}")
