"""What becomes of a surrogate on finer grids, by protocol: the tables of the experiment.

    python -m benchmarks.resolution_transfer --data DIR --runs RUN RUN ... --resolutions 32,64,128 \
        --out benchmarks/results/transfer_kolmogorov.csv

Runs that differ by their seed alone are one model. Each row is a model (or a baseline) on a grid
under a protocol, with the in-band, out-of-band and total errors after some frames: means over seeds
and trajectories, of the total error with its 95% interval; the total error over that at the
training grid; the detail skill; and the milliseconds of a frame. With `--without_trust` there is a
row for `transported` whose detail keeps its strength, with `--polyphase` one for that protocol, and
for networks that are shown transport one in which they are not told what the fine grid knows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch
import xarray as xr

import pdesurrogate as ps
from benchmarks.measuring import write_table
from pdesurrogate.evaluation import nested_interval
from pdesurrogate.evaluation.protocols import (
    Polyphase,
    Setting,
    TransferProtocol,
    Transported,
    named,
)

LEADS = (1, 4, 8, 12)


class Unshrunk(Transported):
    """Detail that keeps its strength."""


class Uninformed(Transported):
    """A network that sees transport on its own grid."""

    def reason_against(self, setting: Setting) -> str | None:
        """Where nobody sees it, there is no difference."""
        return super().reason_against(setting) or (
            "nobody is told" if setting.informed is None else None
        )


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    data = ps.open_dataset(options.data)
    protocols: list[TransferProtocol] = [named("native"), named("projected"), Transported()]
    if any((Path(run) / "extensions").is_dir() for run in options.runs):
        protocols.append(named("extended"))
    if options.without_trust:
        protocols.append(Unshrunk(shrinks=False))
    if any(_is_transporting(run) for run in options.runs):
        protocols.append(Uninformed(informs=False))
    if options.polyphase:
        protocols.append(Polyphase())
    table = ps.evaluate(
        options.runs,
        data,
        options.resolutions,
        protocols,
        num_steps=max(LEADS),
        num_trajectories=options.num_trajectories,
        specs=[resolve_name(path) for path in options.models],
    ).to_dataset()
    fields = options.fields or [str(name) for name in table["field"].values]
    rows = [row for name in fields for row in _rows(table.sel(field=name))]
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    versions = {"torch": torch.__version__}
    write_table(rows, f"{data.name}, {len(options.runs)} runs, one thread", versions, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument(
        "--resolutions", type=lambda text: [int(n) for n in text.split(",")], required=True
    )
    parser.add_argument(
        "--models", nargs="+", default=[], help="networks of your own that a run is built from"
    )
    parser.add_argument("--fields", nargs="+", default=None, help="by default all that are scored")
    parser.add_argument("--num_trajectories", type=int, default=None)
    parser.add_argument("--without_trust", action="store_true")
    parser.add_argument("--polyphase", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _is_transporting(run: str) -> bool:
    description = json.loads((Path(run) / "surrogate.json").read_text())
    return description.get("carried") is not None


def _rows(table: xr.Dataset) -> Iterator[dict[str, Any]]:
    """One per model, resolution and protocol that was run, for one field."""
    floors = {
        int(n): _mean(table.sel(resolution=n), _floor_run(table), "projected", "out_of_band_error")
        for n in table["resolution"].values
    }
    for model, all_runs in _models(table).items():
        home = np.array([])
        for resolution in map(int, table["resolution"].values):
            at = table.sel(resolution=resolution)
            for protocol in map(str, table["protocol"].values):
                total = _values(at, all_runs, protocol, "total_error")
                was_run = ~np.isnan(total).any((1, 2))
                if not was_run.any():
                    continue
                runs, total = list(np.array(all_runs)[was_run]), total[was_run]
                if not home.size:
                    home = total  # the coarsest grid of a model is its training grid
                # An extension, say, that only some have is compared with all at the training grid.
                row = {"model": model, "seeds": len(runs), "field": str(table["field"].values)}
                row |= {"resolution": resolution, "protocol": protocol}
                yield row | _numbers(at, runs, protocol, total, home, floors[resolution])


def _numbers(
    at: xr.Dataset,
    runs: Sequence[str],
    protocol: str,
    total: np.ndarray,
    home: np.ndarray,
    floor: np.ndarray,
) -> dict[str, Any]:
    """Errors after each of the leads."""
    numbers: dict[str, Any] = {}
    for lead in LEADS:
        k = lead - 1
        interval = nested_interval(total[:, :, k])
        numbers[f"in_{lead}"] = _short(_mean(at, runs, protocol, "in_band_error")[k])
        out = _mean(at, runs, protocol, "out_of_band_error")[k]
        numbers[f"out_{lead}"] = _short(out)
        numbers[f"total_{lead}"] = _short(interval.mean)
        numbers[f"low_{lead}"], numbers[f"high_{lead}"] = map(_short, (interval.low, interval.high))
        numbers[f"skill_{lead}"] = _short(1 - out / floor[k]) if floor[k] > 0 else ""
    numbers["total_over_trained_1"] = _short(total[:, :, 0].mean() / home[:, :, 0].mean())
    seconds = at["seconds_per_step"].sel(run=list(runs), protocol=protocol).values
    numbers["ms_per_frame"] = (
        _short(1e3 * float(np.nanmin(seconds))) if np.isfinite(seconds).any() else ""
    )
    return numbers


def _models(table: xr.Dataset) -> dict[str, list[str]]:
    """Runs by model: those whose settings are the same.

    Several settings of one model go by the name of their first run.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for run in table["run"].values:
        label = table.sel(run=run)
        key = (str(label["model"].values), str(label["settings"].values) or str(run))
        found.setdefault(key, []).append(str(run))
    models = [model for model, _ in found]
    return {
        model if model and models.count(model) == 1 else runs[0]: runs
        for (model, _), runs in found.items()
    }


def _floor_run(table: xr.Dataset) -> list[str]:
    return [str(run) for run in table["run"].values if str(run).startswith("truncation floor")][:1]


def _values(at: xr.Dataset, runs: Sequence[str], protocol: str, name: str) -> np.ndarray:
    """Over seed, trajectory and lead time."""
    chosen = at[name].sel(run=list(runs), protocol=protocol)
    return chosen.transpose("run", "trajectory", "lead_time").values


def _mean(at: xr.Dataset, runs: Sequence[str], protocol: str, name: str) -> np.ndarray:
    return np.asarray(_values(at, runs, protocol, name).mean((0, 1)))


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")


if __name__ == "__main__":
    main()
