"""Draw error over cost on the sphere: `python docs/_drawings/shallow_water_cost.py`.

From benchmarks/results/shallow_water_error.csv, which `benchmarks.shallow_water` writes; another
table may be named as the first argument. Writes docs/assets/shallow_water_cost.png.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["main"]

ROOT = Path(__file__).parent.parent.parent
TABLE = ROOT / "benchmarks" / "results" / "shallow_water_error.csv"
OUT = ROOT / "docs" / "assets" / "shallow_water_cost.png"
COLOURS = {"pdesurrogate": "#2166ac", "torch-harmonics": "#4d9221", "Dedalus": "#b2182b"}
STYLES = {"float32": ("o", "-"), "float64": ("s", ":")}

Row = dict[str, str]


def curves(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """For each code and precision the runs with the longest step, coarse grids first."""
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for row in sorted(rows, key=lambda row: float(row["dt"])):
        runs = found.setdefault((row["code"], row["dtype"]), {})
        runs[int(row["truncation"])] = row
    return {key: [runs[t] for t in sorted(runs)] for key, runs in found.items()}


def draw(axis: Axes, rows: list[Row], error: str) -> None:
    """Lines through the runs with the longest steps, a faint mark for every other run."""
    lines = curves(rows)
    for (code, dtype), runs in lines.items():
        marker, style = STYLES[dtype]
        axis.plot(
            [float(row["seconds"]) for row in runs],
            [float(row[error]) for row in runs],
            marker + style,
            color=COLOURS[code],
            markersize=5,
            label=f"{code}, {dtype}",
        )
    named = next(runs for runs in lines.values() if len(runs) == max(map(len, lines.values())))
    for row in named:
        at = float(row["seconds"]), float(row[error])
        axis.annotate(
            f"T{row['truncation']}", at, (-6, -6), textcoords="offset points", ha="right", va="top"
        )
    drawn = [id(row) for runs in lines.values() for row in runs]
    for row in rows:
        if id(row) not in drawn:
            marker, _ = STYLES[row["dtype"]]
            at = float(row["seconds"]), float(row[error])
            axis.plot(*at, marker, color=COLOURS[row["code"]], markersize=5, alpha=0.3)
    axis.set(xscale="log", yscale="log", xlabel="seconds until day 6")
    axis.margins(0.12)
    axis.grid(which="major", color="#d0d7de", linewidth=0.6)


def main(table: Path) -> None:
    """Draw `OUT` from a table."""
    lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, field in zip(figure.subplots(1, 2), ("vorticity", "height"), strict=True):
        draw(axis, rows, f"{field}_error")
        axis.set_title(f"relative error of {field} at day 6", fontsize=10)
    figure.axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(OUT, dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLE)
