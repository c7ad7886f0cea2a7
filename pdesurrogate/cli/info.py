"""What a path holds, in words or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pdesurrogate.data import Ladder
from pdesurrogate.data.schema import MANIFEST, SPLITS
from pdesurrogate.evaluation import open_evaluation, open_scaling
from pdesurrogate.evaluation.scaling.store import is_scaling_file
from pdesurrogate.surrogate import EXTENSION, Surrogate, SurrogateInfo, read_info

__all__ = ["describe"]


def describe(
    path: Path,
    *,
    as_json: bool = False,
    verify: bool = False,
    specs: Sequence[type[Any]] = (),
) -> str:
    """Describe a dataset, a run, an extension, an evaluation or a scaling file.

    Args:
        path: A folder or a file.
        as_json: One JSON object instead of lines of text.
        verify: Recompute the checksums of a dataset.
        specs: Classes of the user's own that may be built from a run.

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        ValueError: If it is something else, or damaged.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is nothing at {path}")
    if (path / MANIFEST).is_file():
        facts = _dataset(path, verify)
    elif (path / "surrogate.json").is_file():
        kind, info = _surrogate(path, specs)
        facts = {"kind": kind, **(info.to_dict() if as_json else _in_words(info))}
    elif path.is_file():
        facts = _scaling(path) if is_scaling_file(path) else _evaluation(path)
    else:
        raise ValueError(f"{path} is no dataset, finished run, extension or evaluation")
    if as_json:
        return json.dumps(facts, indent=2)
    width = max(map(len, facts))
    return "\n".join(f"{key:{width}}  {_words(value)}" for key, value in facts.items())


def _dataset(path: Path, verify: bool) -> dict[str, Any]:
    data = Ladder(path)
    checked = {}
    if verify:
        data.verify()
        checked = {"verified": f"all {len(data.manifest.shards)} checksums agree"}
    shards = data.manifest.shards
    last_error = {
        n: {name: marks["first_frame"] for name, marks in by_name.items()}
        for n, by_name in data.accuracy.get("relative_l2_error", {}).items()
    }
    return {
        "kind": "dataset",
        "name": data.name,
        "title": data.recipe.title,
        "sha256": data.sha256,
        "trajectories": {split: data.num_trajectories(split) for split in SPLITS},
        "failed": sum(len(s.failed) for s in shards),
        "frames": data.num_frames,
        "time_step": data.time_step,
        "time_units": data.equation.time_units,
        "resolutions": list(data.resolutions),
        "reference_resolution": data.reference_resolution,
        "fields": {f.name: f.units for f in data.fields.values()},
        "static_fields": list(data.static_fields),
        "diagnostics": {d.name: d.units for d in data.manifest.diagnostics},
        "parameters": {
            name: [float(values.min()), float(values.max())] if values.size else []
            for name, values in data.parameter_values("train").items()
        },
        "error_after_one_frame": last_error,
        "megabytes": round(sum(s.size for s in shards) / 1e6, 3),
        "wall_seconds": round(data.manifest.wall_seconds, 1),
        "versions": data.manifest.versions,
        **checked,
    }


def _surrogate(path: Path, specs: Sequence[type[Any]]) -> tuple[str, SurrogateInfo]:
    """Whether it is a run or an extension, and what it is."""
    info = read_info(path)
    if info.model == EXTENSION:
        return "extension", info  # its network stands on that of its run, and on the physics
    return "run", Surrogate.load(path, specs=specs).info


def _in_words(info: SurrogateInfo) -> dict[str, Any]:
    """What a person wants to know of a surrogate; the rest is in `surrogate.json`."""
    grid = info.training_grid
    moments = info.statistics
    return {
        "name": info.name,
        "model": info.model,
        "options": info.options,
        "parameters": f"{info.parameters:,}",
        "flops": f"{info.flops:.4g} a step{_of_frames(info)}",
        "fields": {f.name: f.units for f in info.fields},
        "told_besides": list(info.condition_names),
        "history": f"{info.history} frame{'s' if info.history > 1 else ''}",
        "time_step": info.time_step,
        "predicts": _predicts(info),
        "dataset": f"{info.dataset} ({info.dataset_sha256[:12]})",
        "grid": f"{type(grid).__name__}, {grid.num_points[0]} x {grid.num_points[1]} points",
        "trained": f"{info.epochs} epochs in {info.training_seconds:.0f} s, seed {info.seed}",
        "mean": dict(zip(moments.fields, moments.mean, strict=True)),
        "std": dict(zip(moments.fields, moments.std, strict=True)),
        "change_std": dict(zip(moments.fields, moments.change_std, strict=True)),
    }


def _of_frames(info: SurrogateInfo) -> str:
    return f" of {info.bundle} frames" if info.bundle > 1 else ""


def _predicts(info: SurrogateInfo) -> str:
    """What the network's output is."""
    if info.carried is not None and info.predicts_change:
        return "the change of the last frame beyond what transport makes of it"
    if info.bundle == 1:
        return "the change of the last frame" if info.predicts_change else "the next frame"
    if info.predicts_change:
        return f"the changes from the last frame to the next {info.bundle}, at once"
    return f"the next {info.bundle} frames at once"


def _evaluation(path: Path) -> dict[str, Any]:
    root = open_evaluation(path).to_dataset()
    return {
        "kind": "evaluation",
        "title": str(root.attrs["title"]),
        "runs": [str(run) for run in root["run"].values],
        "protocols": [str(protocol) for protocol in root["protocol"].values],
        "resolutions": [int(n) for n in root["resolution"].values],
        "trajectories": int(root.sizes["trajectory"]),
        "lead_times": [round(float(t), 6) for t in root["lead_time"].values],
        "fields": [str(name) for name in root["field"].values],
        "dataset_sha256": str(root.attrs["dataset_sha256"]),
    }


def _scaling(path: Path) -> dict[str, Any]:
    scaling = open_scaling(path)
    orders = scaling["order"].isel(field=0)
    return {
        "kind": "scaling",
        "title": str(scaling.attrs["title"]),
        "runs": [str(run) for run in scaling["run"].values],
        "resolutions": [int(n) for n in scaling["resolution"].values],
        "trajectories": int(scaling.sizes["trajectory"]),
        "starts": [round(float(t), 6) for t in scaling["start"].values],
        "fields": [str(name) for name in scaling["field"].values],
        "orders": {
            str(run): round(float(order), 3)
            for run, order in zip(orders["run"].values, orders.values, strict=True)
            if np.isfinite(order)
        },
        "dataset_sha256": str(scaling.attrs["dataset_sha256"]),
    }


def _words(value: Any) -> str:
    if value in ({}, [], ()):
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
