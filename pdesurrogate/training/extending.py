"""Teaching a trained surrogate a finer grid from a few trajectories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from pdesurrogate.data import Ladder
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.surrogate import Extension, Surrogate, extension_directory
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.preparation import bound_loss, check_fit
from pdesurrogate.training.stages import PlannedStage
from pdesurrogate.training.trainer import carry_out

__all__ = ["EXTENSION_DEFAULTS", "extend"]

EXTENSION_DEFAULTS = TrainingConfig(
    epochs=20, batch_size=8, learning_rate=2e-3, validation_steps=2, validation_windows=8
)
"""How an extension is trained unless the user says otherwise."""


def extend(
    run: str | os.PathLike[str],
    data: Ladder,
    resolution: int,
    *,
    trajectories: int | None = None,
    extension: Extension | None = None,
    config: TrainingConfig | None = None,
    resume: bool = False,
    overwrite: bool = False,
    specs: tuple[Any, ...] = (),
) -> Surrogate:
    r"""Train a level for a finer grid on top of a finished run, which itself stays as it is.

    The level adds what transport of the detail by the resolved flow misses; see
    `surrogate.ExtensionModule`. It is trained on windows of the first few trajectories of the
    training split at the finer rung, whose number is what fine data cost, and lies in the run's
    directory, in `extensions/<resolution>`, as a run of its own: it is interrupted, resumed and
    replaced as one. `evaluate` uses it under the protocol `extended`.

    Args:
        run: Directory of the finished run.
        data: The dataset that it was trained on.
        resolution: A finer rung.
        trajectories: Training trajectories of the finer rung that are used, the first ones; None
            for a tenth of them, at least one.
        extension: What is trained; None for the defaults.
        config: How it is trained; what belongs to the run, such as fields and history, is taken
            from there. None for 20 epochs at a rate of 2e-3 with batches of 8.
        resume: Continue an interrupted training, or start it if there is none.
        overwrite: Replace the extension that is there.
        specs: Networks, specs and parts of your own that the run may be built from.

    Returns:
        The surrogate of the finer grid.

    Raises:
        ValueError: If the rung does not exist or is not finer, there are fewer trajectories,
            nothing is known of what carries the fields, the directory holds another extension, or
            another process trains there.
        FileNotFoundError: If the run is absent or unfinished.
    """
    base = Surrogate.load(run, specs=specs)
    if base.info.dataset_sha256 != data.sha256:
        raise ValueError(
            f"{run} was trained on dataset {base.info.dataset} ({base.info.dataset_sha256[:12]}), "
            f"not on {data.path}, which is {data.name} ({data.sha256[:12]})"
        )
    plan = _planned(base, data, resolution, trajectories, extension or Extension(), config)
    settings = {
        "data": str(data.path),
        "resolution": resolution,
        "trajectories": plan.stages[0].trajectories,
        "extension": asdict(plan.extension),
        "weights_of_the_run": base.weights_sha256,
        **parts_to_plain(plan.config),
    }
    out = extension_directory(run, resolution)
    unsaid: Mapping[str, Any] = {"weights_of_the_run": base.weights_sha256}
    # Held with the run: whoever replaced that meanwhile would replace what is extended.
    return carry_out(plan, out, settings, unsaid, resume=resume, overwrite=overwrite, home=run)


@dataclass(frozen=True)
class _ExtensionPlan:
    """See `TrainingPlan`."""

    base: Surrogate
    extension: Extension
    config: TrainingConfig
    data: Ladder
    stages: tuple[PlannedStage, ...]

    def first_surrogate(self, name: str) -> Surrogate:
        """The base, carried to the finer grid by transport alone."""
        (stage,) = self.stages
        torch.manual_seed(stage.seed)
        grid = self.data.grid(stage.resolution)
        carrier = self.data.equation.carrier(self.base.info.fields)
        extended = self.extension.on(self.base, grid, carrier)
        extended = Surrogate(extended.module, replace(extended.info, seed=stage.seed))
        bound_loss(extended, self.config, grid)
        return extended


def _planned(
    base: Surrogate,
    data: Ladder,
    resolution: int,
    trajectories: int | None,
    extension: Extension,
    config: TrainingConfig | None,
) -> _ExtensionPlan:
    info = base.info
    config = config or EXTENSION_DEFAULTS
    for option in ("stages", "mixture"):
        if getattr(config, option) is not None:
            raise ValueError(f"{option} is for trainings from the beginning, not for extensions")
    data = data.strided(round(info.time_step / data.time_step))
    config = replace(
        config,
        learning_rate=config.learning_rate or EXTENSION_DEFAULTS.learning_rate,
        frame_stride=data.frame_stride,
        history=info.history,
        bundle=info.bundle,
        predicts_change=info.predicts_change,
        fields=info.field_names,
        conditioning=info.condition_names,
    )
    check_fit(data, resolution, config)
    held = data.num_trajectories("train")
    used = max(1, held // 10) if trajectories is None else trajectories
    if not 1 <= used <= held:
        raise ValueError(
            f"trajectories must lie between 1 and {held}, those of the train split of "
            f"{data.path}, got {used}"
        )
    stage = PlannedStage(0, 1, None, resolution, {resolution: 1.0}, config, used)
    return _ExtensionPlan(base, extension, config, data, (stage,))
