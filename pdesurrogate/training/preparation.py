"""What a training needs before its first step, made from the data and the user's choices."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pdesurrogate import models
from pdesurrogate.data import (
    Ladder,
    RandomSeed,
    Windows,
    condition_statistics,
    field_statistics,
    load_frames,
)
from pdesurrogate.devices import check_device
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.models import ModelSpec, count_flops, count_parameters
from pdesurrogate.models.part import chosen_options, default_options, parts_to_plain
from pdesurrogate.models.user_code import answering_for, answering_for_part, try_out
from pdesurrogate.models.user_model import described
from pdesurrogate.surrogate import CarriedFrame, Surrogate, SurrogateInfo, shares_of
from pdesurrogate.training.batches import FramesInMemory, WindowsOnDisk, WindowSource
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.losses import Criterion, LossSetting
from pdesurrogate.training.optimiser import rate_shares
from pdesurrogate.training.precision import check_precision, resolved_precision
from pdesurrogate.training.run_directory import FREE
from pdesurrogate.training.tracking import check_trackers
from pdesurrogate.training.validation import RolloutValidation, spread_windows

__all__ = [
    "IN_MEMORY_BYTES",
    "bound_loss",
    "carried_frame",
    "check_fit",
    "completed",
    "dataset_identity",
    "horizon",
    "rollout_validation",
    "run_settings",
    "unsaid_settings",
    "untrained_surrogate",
    "window_source",
]

HOW_NOT_WHAT = (*(name for name in FREE if name != "data"), "compile", "shard")
"""Choices that say how a training is done and not what comes out, but for rounding."""

IN_MEMORY_BYTES = 2**30
"""A training split smaller than this is read once and kept."""

_SHARE_TRAJECTORIES, _SHARE_PAIRS, _SHARE_POINTS = 16, 64, 2**19
"""Frames and their points, at most, that the shares of carried change are fitted to.

They are numbers of two digits.
"""


def completed(config: TrainingConfig, spec: ModelSpec, data: Ladder) -> TrainingConfig:
    """The user's choices with what they leave to the model and the data filled in.

    Args:
        config: The user's choices.
        spec: The model.
        data: The dataset in the steps that are trained: its stride is noted, counted from the
            stored frames, should a view have been given.
    """
    conditioning = config.conditioning
    if conditioning is None:
        conditioning = (*_telling_parameters(data), *data.static_fields)
    return replace(
        config,
        frame_stride=data.frame_stride,
        fields=config.fields or data.prognostic_fields,
        conditioning=conditioning,
        learning_rate=config.learning_rate or spec.learning_rate,
    )


def _telling_parameters(data: Ladder) -> tuple[str, ...]:
    """Parameters whose value says something: a random seed is but a name."""
    return tuple(
        name
        for name, path in data.manifest.parameters.items()
        if not isinstance(data.recipe.parameters[path], RandomSeed)
    )


def check_fit(data: Ladder, resolution: int, config: TrainingConfig) -> None:
    """Refuse a training that the data or the machine do not allow.

    Args:
        data: The dataset.
        resolution: The rung to train on.
        config: The user's choices, completed.

    Raises:
        ValueError: Says in one sentence what does not fit.
    """
    for rung in {resolution, *(config.mixture or ())}:
        data.grid(rung)
    if config.mixture is not None and resolution not in config.mixture:
        raise ValueError(
            f"mixture must give the resolution {resolution}, of the grid that the surrogate is "
            f"for, a share; it names {', '.join(map(str, config.mixture))}"
        )
    data.check_fields(config.fields or ())
    for name in config.fields or ():
        if name in data.static_fields:
            raise ValueError(
                f"fields must not name {name!r}, which never changes: name it in conditioning"
            )
    for split, following, what in (
        ("train", horizon(config), f"the {horizon(config)} frames of the objective"),
        ("valid", config.validation_steps, f"validation_steps {config.validation_steps}"),
    ):
        if data.num_trajectories(split) == 0:
            raise ValueError(f"the {split} split of {data.path} is empty")
        stride = f" at frame_stride {data.frame_stride}" if data.frame_stride > 1 else ""
        if data.num_frames < config.history + following:
            raise ValueError(
                f"history {config.history} and {what} need trajectories of "
                f"{config.history + following} frames, those of {data.path} have "
                f"{data.num_frames}{stride}"
            )
    check_device(config.device)
    device = torch.device(config.device)
    check_precision(resolved_precision(config.precision, device), device)
    check_trackers(config.trackers)


def run_settings(
    spec: ModelSpec, data: Ladder, resolution: int, config: TrainingConfig
) -> dict[str, Any]:
    """What was chosen of a run, as the command line takes it: `train --config config.yaml`."""
    kind = type(spec)
    is_exported = getattr(models, kind.__name__, None) is kind
    return {
        "data": str(data.path),
        "model": {
            "class_path": kind.__name__ if is_exported else f"{kind.__module__}.{kind.__name__}",
            "init_args": parts_to_plain(spec),
        },
        "resolution": resolution,
        **parts_to_plain(config),
    }


def unsaid_settings(spec: ModelSpec, config: TrainingConfig) -> dict[str, Any]:
    """What a run's settings mean by not naming an option, because it came later."""
    return {
        **default_options(config),
        "conditioning": [],  # before there was such an option no network was told anything
        "slows_wide_layers": False,  # and all layers learned at one rate
        "model": {"init_args": default_options(spec)},
    }


def dataset_identity(data: Ladder) -> dict[str, Any]:
    """What must not change under a run: the dataset and the size of its splits."""
    return {
        "name": data.name,
        "sha256": data.sha256,
        "train": data.num_trajectories("train"),
        "valid": data.num_trajectories("valid"),
    }


def untrained_surrogate(
    spec: ModelSpec,
    data: Ladder,
    resolution: int,
    config: TrainingConfig,
    name: str,
    earlier: SurrogateInfo | None = None,
) -> Surrogate:
    """A surrogate with fresh weights, normalised by the training split.

    Draws from torch's global generator.

    Args:
        spec: The network.
        data: The dataset.
        resolution: The rung of its grid.
        config: The user's choices, completed.
        name: How tables call it.
        earlier: Of the surrogate that it extends, whose normalisation it takes over; else None.

    Raises:
        ValueError: If the model could not promise for these fields what it is built to.
    """
    names = config.fields or ()
    grid = data.grid(resolution)
    model, options = described(spec)
    fields = tuple(data.fields[field] for field in names)
    info = SurrogateInfo(
        name=name,
        model=model,
        options=options,
        fields=fields,
        history=config.history,
        bundle=config.bundle,
        time_step=data.time_step,
        statistics=earlier.statistics if earlier else field_statistics(data, resolution, names),
        predicts_change=config.predicts_change,
        grid=grid.to_dict(),
        dataset=data.name,
        dataset_sha256=data.sha256,
        parameters=0,
        flops=0,
        training_seconds=0.0,
        epochs=0,
        seed=config.seed,
        settings="",
        conditioning=(
            earlier.conditioning
            if earlier
            else condition_statistics(data, resolution, config.conditioning or ())
        ),
        carried=_carried(spec, data, resolution, config, earlier),
    )
    spec.check_fields(info.fields, info.statistics, info.predicts_change, info.bundle)
    model, _ = described(spec)
    with answering_for(spec, model):
        module = spec.build_conditioned(
            info.in_channels, info.out_channels, grid, info.parameter_channels
        )
    try_out(spec, model, module, info.in_channels, info.out_channels, grid)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ValueError(f"{model} has no parameters that could be trained")
    slows_any = config.slows_wide_layers and bool(rate_shares(module))
    info = replace(
        info,
        settings=_fingerprint(spec, config, slows_any=slows_any),
        parameters=count_parameters(module),
        flops=count_flops(module, info.in_channels, grid),
    )
    return Surrogate(module, info)


def _carried(
    spec: ModelSpec,
    data: Ladder,
    resolution: int,
    config: TrainingConfig,
    earlier: SurrogateInfo | None,
) -> CarriedFrame | None:
    """What the network is shown of transport, if anything."""
    if earlier is not None:
        return earlier.carried
    if not config.sees_transport:
        return None
    if spec.keeps_to_a_space:
        raise ValueError(
            f"sees_transport must be false for {type(spec).__name__}: what is carried does not "
            "keep to the output space that the network keeps to"
        )
    return carried_frame(data, resolution, tuple(data.fields[name] for name in config.fields or ()))


def carried_frame(data: Ladder, resolution: int, fields: Sequence[Field]) -> CarriedFrame:
    """What transport makes of a frame, with each field's share in it from the training split.

    Args:
        data: The dataset, which knows the physics.
        resolution: The rung to train on.
        fields: The predicted fields.

    Raises:
        ValueError: If nothing is known of what carries the fields, or no run could keep it.
    """
    names = [field.name for field in fields]
    carrier = data.equation.carrier(fields)
    if carrier is None:
        raise ValueError(
            f"sees_transport must be false: nothing is known of what carries {', '.join(names)}"
        )
    unweighted = CarriedFrame(carrier, (1.0,) * len(fields))
    try:
        unweighted.to_dict()
    except ValueError as error:
        raise ValueError(f"sees_transport must be false: a run cannot keep its {error}") from error
    grid = data.grid(resolution)
    transport = unweighted.transport(grid, grid, fields, data.time_step)
    wanted = max(4, min(_SHARE_PAIRS, _SHARE_POINTS // math.prod(grid.num_points)))
    trajectories = slice(0, min(wanted, _SHARE_TRAJECTORIES))
    frames = load_frames(data, "train", resolution, names, trajectories)
    before, after = (u.flatten(0, 1) for u in (frames[:, :-1], frames[:, 1:]))
    chosen = torch.arange(0, len(before), -(-len(before) // wanted))
    u, true = before[chosen], after[chosen] - before[chosen]
    with torch.no_grad():
        carried = torch.cat([transport.foreseen_change(piece) for piece in u.split(4)])
    return replace(unweighted, shares=shares_of(carried, true, grid))


def _fingerprint(spec: ModelSpec, config: TrainingConfig, *, slows_any: bool) -> str:
    """What trainings share that differ by their seed alone.

    Whether wide layers are slowed counts only where there are any, and then also by default: before
    there was that option, none were.
    """
    said = {
        **chosen_options(config),
        "model": type(spec).__name__,
        "options": chosen_options(spec),
    }
    for free in ("seed", "slows_wide_layers", *HOW_NOT_WHAT):
        said.pop(free, None)
    if slows_any:
        said["slows_wide_layers"] = True
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def bound_loss(surrogate: Surrogate, config: TrainingConfig, grid: Grid) -> Criterion:
    """The chosen loss of the predicted fields; channels beyond them are conditions.

    Args:
        surrogate: Knows the fields and their units.
        config: The user's choices.
        grid: Where the frames are sampled.

    Raises:
        ValueError: If fields or grid lack what the loss is about.
    """
    info = surrogate.info
    with answering_for_part(config.loss):
        compare = config.loss.on(LossSetting(info.fields, grid, surrogate.change_std))

    def of_fields(prediction: Tensor, truth: Tensor) -> Tensor:
        channels = slice(len(info.fields))
        # Whatever the network's precision is, losses are float32.
        with answering_for_part(config.loss), torch.autocast(truth.device.type, enabled=False):
            return compare(prediction[:, :, channels], truth[:, :, channels])

    return of_fields


def window_source(
    data: Ladder,
    resolution: int,
    config: TrainingConfig,
    device: torch.device,
    trajectories: int | None = None,
) -> WindowSource:
    """The training windows: in memory if the split fits there, else on disk.

    Args:
        data: The dataset.
        resolution: The rung.
        config: The user's choices, completed.
        device: Where they are wanted.
        trajectories: How many are used, the first ones; None for all.
    """
    stored, stride = data.stored, data.frame_stride
    names, told, length = config.fields or (), config.conditioning, config.history + horizon(config)
    used = slice(0, trajectories)
    count = len(range(data.num_trajectories("train"))[used])
    ny, nx = data.grid(resolution).num_points
    held = count * (stored.num_frames * len(names) + len(told or ()))
    if 4 * held * ny * nx < IN_MEMORY_BYTES:
        frames = load_frames(stored, "train", resolution, names, trajectories=used).to(device)
        if not told:
            return FramesInMemory(frames, length, frame_stride=stride)
        conditions = load_frames(data, "train", resolution, told, used, time=slice(0, 1))
        return FramesInMemory(frames, length, conditions[:, 0].to(device), stride)
    windows = Windows(data, "train", resolution, _channels(config), config.history, horizon(config))
    return WindowsOnDisk(windows, device, trajectories)


def horizon(config: TrainingConfig) -> int:
    """Frames of a training window after the given ones."""
    return config.objective.num_steps * config.bundle


def _channels(config: TrainingConfig) -> tuple[str, ...]:
    """Channels of a window: the fields, then the conditions."""
    return (*(config.fields or ()), *(config.conditioning or ()))


def rollout_validation(
    data: Ladder, resolution: int, config: TrainingConfig, device: torch.device
) -> RolloutValidation:
    """Rollouts of the validation split that do not overlap, held in memory."""
    windows = Windows(
        data, "valid", resolution, _channels(config), config.history, config.validation_steps
    )
    numbers = spread_windows(
        data.num_trajectories("valid"),
        windows.per_trajectory,
        (config.history + config.validation_steps) * data.frame_stride,
        config.validation_windows,
    )
    (held,) = WindowsOnDisk(windows, device).read([numbers])
    return RolloutValidation(
        held, config.history, data.grid(resolution), config.batch_size, config.validation_lead
    )
