"""What was run: the facts that a reader needs before believing a number."""

from __future__ import annotations

from pdesurrogate.report.methods import Study
from pdesurrogate.report.numbers import count, list_in_words, significant

__all__ = ["summary"]

_MATCHES = 1.1
"""Largest over smallest cost up to which models count as matched."""


def summary(study: Study) -> list[tuple[str, str]]:
    """Terms and their descriptions, in reading order."""
    attrs = study.table.attrs
    identity = str(attrs["dataset_sha256"])[:12]
    rows = [("Dataset", f"{attrs.get('dataset', 'unnamed')} (recipe {identity}…)")]
    if "physics" in attrs:
        rows.append(("Physics", str(attrs["physics"])))
    if attrs.get("trained_on", attrs.get("dataset")) != attrs.get("dataset"):
        rows.append(("Trained on other data", str(attrs["trained_on"])))
    rows += [
        ("Grids", list_in_words([study.size(n) for n in study.resolutions])),
        ("Trained on", _trained_on(study)),
        ("Task", _task(study)),
        (
            "Trajectories",
            f"{study.num_trajectories} of the {attrs.get('split', 'test')} split",
        ),
        ("Models", list_in_words([m.name for m in study.models]) or "none"),
        *_told(study),
        ("Seeds", _seeds(study)),
        ("Matched by", _matched_by(study)),
        ("Protocols", list_in_words(list(study.protocols))),
        ("Fields", list_in_words([_field(study, name) for name in study.fields])),
    ]
    return rows


def _trained_on(study: Study) -> str:
    grids = sorted({m.training_resolution for m in study.models if m.training_resolution})
    return list_in_words([study.size(n) for n in grids]) or "no grid"


def _task(study: Study) -> str:
    suffix = f" {study.time_unit}" if study.time_unit else ""
    history = int(study.table.attrs.get("history", 1))
    steps = len(study.lead_times)
    stride = int(study.table.attrs.get("frame_stride", 1))
    stored = f", {stride} stored frames a step" if stride > 1 else ""
    return (
        f"{history} frame{'s' if history > 1 else ''} given, {steps} predicted, lead times "
        f"{significant(study.lead_times[0])} to {significant(study.lead_times[-1])}{suffix}{stored}"
    )


def _told(study: Study) -> list[tuple[str, str]]:
    """What models know of a trajectory besides its fields, unless none is told anything."""
    by_told: dict[str, list[str]] = {}
    for model in study.models:
        by_told.setdefault(model.told, []).append(model.name)
    if not any(by_told):
        return []
    if len(by_told) == 1:
        return [("Told besides the fields", next(iter(by_told)))]
    each = [f"{list_in_words(names)}: {told or 'nothing'}" for told, names in by_told.items()]
    return [("Told besides the fields", "; ".join(each))]


def _seeds(study: Study) -> str:
    seeds = sorted({seed for m in study.models for seed in m.seeds})
    if not seeds:
        return "none"
    numbers = list_in_words([str(seed) for seed in seeds])
    return numbers if len(seeds) > 1 else f"{numbers} (one training per model)"


def _matched_by(study: Study) -> str:
    """Parameters if they agree within a tenth, else operations, else what the range is."""
    parameters = [m.parameters for m in study.models]
    flops = [m.flops for m in study.models]
    if len(parameters) < 2:
        return "nothing: there are no two models to compare"
    if max(parameters) <= _MATCHES * min(parameters):
        return f"parameters ({count(min(parameters))} to {count(max(parameters))})"
    if max(flops) <= _MATCHES * min(flops):
        return f"operations a step ({count(min(flops))} to {count(max(flops))} FLOPs)"
    return (
        f"neither: {count(min(parameters))} to {count(max(parameters))} parameters, "
        f"{count(min(flops))} to {count(max(flops))} FLOPs a step"
    )


def _field(study: Study, name: str) -> str:
    unit = study.field_units(name)
    return study.field_label(name) + ("" if unit == "1" else f" [{unit}]")
