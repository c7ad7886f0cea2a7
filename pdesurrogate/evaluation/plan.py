"""What an evaluation will do, and whether it can: every check of the user's wishes is here."""

from __future__ import annotations

import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pdesurrogate.data import Ladder
from pdesurrogate.devices import check_device
from pdesurrogate.evaluation.baselines import Persistence, TruncationFloor, solver_on
from pdesurrogate.evaluation.entries import Entry, SurrogateEntry
from pdesurrogate.evaluation.extensions import extensions_of
from pdesurrogate.evaluation.protocol_choice import (
    applicable,
    chosen_protocols,
    require_applicable,
    with_trust,
)
from pdesurrogate.evaluation.protocols import Native, TransferProtocol
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.models import ModelSpec, Part
from pdesurrogate.surrogate import Surrogate, SurrogateInfo
from pdesurrogate.transfer import restrict

__all__ = ["Plan", "plan_evaluation"]


@dataclass(frozen=True)
class Plan:
    """Who is evaluated, where, and on what.

    Args:
        data: The dataset in the surrogates' time steps.
        entries: Surrogates first, then baselines.
        protocols: `native` first: the trained grid is always a row.
        native_everywhere: Whether `native` was asked for on finer grids, too.
        resolutions: Rungs, ascending.
        band_grid: The grid whose band all errors are split by: the coarsest that was trained on.
        fields: What is scored.
        loaded_fields: What is read: the scored fields, those that a solver starts from, and what
            surrogates are conditioned on.
        split: Which split of the dataset.
        trajectories: Indices in the split of the trajectories, the first ones.
        history: Frames given, the largest history of the surrogates.
        num_steps: Frames predicted.
    """

    data: Ladder
    entries: tuple[Entry, ...]
    protocols: tuple[TransferProtocol, ...]
    native_everywhere: bool
    resolutions: tuple[int, ...]
    band_grid: Grid
    fields: tuple[Field, ...]
    loaded_fields: tuple[str, ...]
    split: str
    trajectories: tuple[int, ...]
    history: int
    num_steps: int

    def takes_part(self, entry: Entry, protocol: TransferProtocol, resolution: int) -> bool:
        """Whether this combination is run."""
        is_unwanted = (
            isinstance(protocol, Native)
            and not self.native_everywhere
            and isinstance(entry, SurrogateEntry)
            and resolution > entry.training_grid.resolution
        )
        return not is_unwanted and entry.takes_part(protocol, resolution)


def plan_evaluation(
    surrogates: Sequence[Surrogate | str | os.PathLike[str]],
    data: Ladder,
    resolutions: Sequence[int],
    protocols: Sequence[TransferProtocol | str] | None,
    *,
    split: str,
    num_trajectories: int | None,
    num_steps: int | None,
    device: str,
    other_data: bool = False,
    specs: Sequence[type[ModelSpec | Part | nn.Module]] = (),
) -> Plan:
    """Check everything that was asked for and lay out the evaluation; see `evaluate`."""
    check_device(device)
    loaded = [_load(item, specs) for item in surrogates]
    infos = [surrogate.info for surrogate in loaded]
    for info in infos:
        _check_dataset(info, data, other_data)
    data = _in_steps_of(infos, data)
    rungs = _checked_resolutions(resolutions, infos, data)
    trained = sorted({info.training_grid.resolution for info in infos}) or [rungs[0]]
    _check_transfer([data.grid(n) for n in trained], [data.grid(n) for n in rungs])
    fields = _scored_fields(infos, data)
    history = max([info.history for info in infos], default=1)
    num_steps = _at_most(
        "num_steps",
        num_steps,
        data.num_frames - history,
        f"{data.path} holds {data.num_frames} frames {data.time_step:g} apart, the first "
        f"{history} of them given",
    )
    wanted = chosen_protocols(protocols)
    paths = [None if isinstance(item, Surrogate) else Path(item) for item in surrogates]
    band_grid = data.grid(trained[0])
    entries = _entries(loaded, paths, band_grid, data, rungs, device)
    if protocols is None:
        wanted = applicable(wanted, entries, rungs)
    else:
        require_applicable(wanted, entries, rungs)
    entries = with_trust(entries, wanted, rungs, data, num_steps)
    is_native = [isinstance(protocol, Native) for protocol in wanted]
    return Plan(
        data=data,
        entries=(*entries, *_baselines(tuple(fields.values()), trained, data, device)),
        protocols=wanted if any(is_native) else (Native(), *wanted),
        native_everywhere=any(is_native),
        resolutions=rungs,
        band_grid=band_grid,
        fields=tuple(fields.values()),
        loaded_fields=_loaded_fields(fields, infos, data),
        split=split,
        trajectories=_trajectories(split, num_trajectories, data),
        history=history,
        num_steps=num_steps,
    )


def _loaded_fields(
    scored: Iterable[str], infos: Sequence[SurrogateInfo], data: Ladder
) -> tuple[str, ...]:
    """What is read: what is scored, what the solver needs, and what the surrogates are told."""
    told = {name for info in infos for name in info.condition_names}
    needed = {*scored, *data.prognostic_fields, *told}
    known = (*data.fields, *data.parameters, *data.fixed_parameters)
    return tuple(name for name in known if name in needed)


def _entries(
    surrogates: Sequence[Surrogate],
    paths: Sequence[Path | None],
    band_grid: Grid,
    data: Ladder,
    rungs: tuple[int, ...],
    device: str,
) -> list[SurrogateEntry]:
    """The surrogates with their labels, the physics, and what they were extended by."""
    labels = _labels([surrogate.info for surrogate in surrogates], paths)
    return [
        SurrogateEntry(
            surrogate.to(device),
            label,
            band_grid,
            data.equation,
            extensions={} if path is None else extensions_of(surrogate, path, data, rungs, device),
        )
        for surrogate, label, path in zip(surrogates, labels, paths, strict=True)
    ]


def _load(
    item: Surrogate | str | os.PathLike[str], specs: Sequence[type[ModelSpec | Part | nn.Module]]
) -> Surrogate:
    surrogate = item if isinstance(item, Surrogate) else Surrogate.load(item, specs=specs)
    surrogate.module.eval()
    return surrogate


def _check_dataset(info: SurrogateInfo, data: Ladder, other_data: bool) -> None:
    """Refuse a surrogate of another dataset, or if others are welcome, one that does not fit."""
    if info.dataset_sha256 == data.sha256:
        return
    if not other_data:
        raise ValueError(
            f"{info.name} was trained on dataset {info.dataset} ({info.dataset_sha256[:12]}), "
            f"not on {data.path}, which is {data.name} ({data.sha256[:12]}); give "
            "--other_data (in Python other_data=True) to evaluate it all the same"
        )
    data.check_fields(info.field_names)
    for condition in info.conditioning:
        known = data.static_fields
        if not condition.is_field:
            known = (*data.parameters, *data.fixed_parameters)
        if condition.name not in known:
            raise ValueError(
                f"{info.name} is told {condition.name!r} besides the fields, which {data.path} has "
                "neither as a parameter of its equation nor as a static field"
            )
        value = data.fixed_parameters.get(condition.name, 1.0)
        if condition.is_logarithmic and not value > 0:
            raise ValueError(
                f"{info.name} is told the logarithm of {condition.name!r}, which is {value:g} in "
                f"{data.path}"
            )
    trained = info.training_grid
    if trained.resolution not in data.resolutions or data.grid(trained.resolution) != trained:
        raise ValueError(f"{info.name} was trained on {trained}, which is no rung of {data.path}")


def _in_steps_of(infos: Sequence[SurrogateInfo], data: Ladder) -> Ladder:
    """Every k-th frame of the dataset, as the surrogates step; refuse steps that do not agree."""
    if not infos:
        return data
    for one, other in itertools.pairwise(infos):
        if not math.isclose(one.time_step, other.time_step):
            raise ValueError(
                f"{one.name} steps by {one.time_step:g} in time, {other.name} by "
                f"{other.time_step:g}: runs of different time steps are evaluated apart"
            )
    name, step = infos[0].name, infos[0].time_step
    stride = round(step / data.time_step)
    if not math.isclose(step, stride * data.time_step):
        raise ValueError(
            f"{name} steps by {step:g} in time, which is no multiple of {data.time_step:g}, the "
            f"time between the frames of {data.path}"
        )
    if stride > 1 and stride >= data.num_frames:
        raise ValueError(
            f"{name} steps by {step:g} in time, the trajectories of {data.path} last "
            f"{data.time_step * (data.num_frames - 1):g}"
        )
    return data.strided(stride)


def _checked_resolutions(
    resolutions: Sequence[int], infos: Sequence[SurrogateInfo], data: Ladder
) -> tuple[int, ...]:
    if not resolutions:
        raise ValueError("an evaluation needs at least one resolution")
    for resolution in resolutions:
        if resolution not in data.resolutions:
            rungs = ", ".join(map(str, data.resolutions))
            raise ValueError(
                f"resolution {resolution} is not in {data.path}; its rungs are {rungs}"
            )
    trained = [info.training_grid.resolution for info in infos]
    if trained and min(resolutions) < min(trained):
        raise ValueError(
            f"resolution {min(resolutions)} is below {min(trained)}, the coarsest grid that a "
            "surrogate here was trained on"
        )
    return tuple(sorted({*resolutions, *trained}))


def _check_transfer(trained: Sequence[Grid], rungs: Sequence[Grid]) -> None:
    """Refuse rungs that cannot be restricted to a training grid: cells must fill cells."""
    for coarse, fine in itertools.product(trained, rungs):
        try:
            if fine.resolution > coarse.resolution:
                restrict(torch.zeros(fine.num_points), fine, coarse)
        except ValueError as error:
            raise ValueError(
                f"resolution {fine.resolution} does not go with the training grid of "
                f"{coarse.resolution}: {error}"
            ) from None


def _scored_fields(infos: Sequence[SurrogateInfo], data: Ladder) -> dict[str, Field]:
    """What a surrogate predicts, in the dataset's order; without surrogates all that changes."""
    predicted = {name for info in infos for name in info.field_names}
    predicted = predicted or set(data.fields) - set(data.static_fields)
    return {name: field for name, field in data.fields.items() if name in predicted}


def _trajectories(split: str, wanted: int | None, data: Ladder) -> tuple[int, ...]:
    """Indices of the first trajectories of the split."""
    count = data.num_trajectories(split)
    reason = f"the {split} split of {data.path} holds {count}"
    count = _at_most("num_trajectories", wanted, count, reason)
    return tuple(int(index) for index in data.reader(split).indices[:count])


def _at_most(key: str, wanted: int | None, available: int, reason: str) -> int:
    if available < 1:
        raise ValueError(f"there is nothing to evaluate: {reason}")
    if wanted is None:
        return available
    if not 1 <= wanted <= available:
        raise ValueError(f"{key} must lie between 1 and {available}, got {wanted}: {reason}")
    return wanted


def _labels(infos: Sequence[SurrogateInfo], paths: Sequence[Path | None]) -> list[RunLabel]:
    """Labels with unique names: told apart by seed, else by directory, else by number."""
    names = [info.name for info in infos]
    names = _told_apart(names, [f"seed {info.seed}" for info in infos])
    names = _told_apart(names, ["" if path is None else path.name for path in paths])
    names = _told_apart(names, [f"({i + 1})" for i in range(len(names))])
    return [
        RunLabel(
            name=name,
            kind="surrogate",
            model=info.model,
            training_resolution=info.training_grid.resolution,
            seed=info.seed,
            parameters=info.parameters,
            flops=info.flops / info.bundle,
            training_seconds=info.training_seconds,
            settings=info.settings,
            conditioning=info.condition_names,
        )
        for name, info in zip(names, infos, strict=True)
    ]


def _told_apart(names: Sequence[str], suffixes: Sequence[str]) -> list[str]:
    """Add the suffixes where names occur more than once and the suffixes differ."""
    count = Counter(names)
    kinds = {name: {s for n, s in zip(names, suffixes, strict=True) if n == name} for name in count}
    return [
        f"{name} {suffix}".strip() if count[name] > 1 and len(kinds[name]) > 1 else name
        for name, suffix in zip(names, suffixes, strict=True)
    ]


def _baselines(
    fields: tuple[Field, ...], trained: Sequence[int], data: Ladder, device: str
) -> list[Entry]:
    """Persistence, and a floor and a solver for every training grid."""
    grids = [data.grid(resolution) for resolution in trained]
    return [
        Persistence(tuple(field.name for field in fields), grids[0]),
        *(TruncationFloor(fields, grid) for grid in grids),
        *(solver_on(grid, data, fields, band_grid=grids[0], device=device) for grid in grids),
    ]
