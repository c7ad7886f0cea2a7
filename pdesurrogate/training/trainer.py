"""Training a surrogate: from a description, a dataset and choices to a run's directory."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from pdesurrogate.data import Ladder
from pdesurrogate.locks import held
from pdesurrogate.models import ModelSpec
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training.checkpoint import Position, load_best, load_snapshot, position_of
from pdesurrogate.training.clock import TrainingClock
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.distributed import Ranks, joined, local_device
from pdesurrogate.training.interruption import Interruption
from pdesurrogate.training.loop import Session, TrainingLoop
from pdesurrogate.training.precision import computing_in, resolved_precision
from pdesurrogate.training.preparation import dataset_identity, run_settings, unsaid_settings
from pdesurrogate.training.rehearsal import planned, untrained
from pdesurrogate.training.run_directory import RunDirectory
from pdesurrogate.training.stages import PlannedStage, continue_from, reported
from pdesurrogate.training.tracking import open_trackers

__all__ = ["TrainingPlan", "carry_out", "train"]


def train(
    spec: ModelSpec,
    data: Ladder,
    resolution: int,
    out: str | os.PathLike[str],
    config: TrainingConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    name: str | None = None,
) -> Surrogate:
    """Train a model on one rung of a ladder, or on several.

    The same arguments give the same weights, bit for bit, on one machine's CPU with one number of
    processes; also when the training was interrupted (Ctrl-C, SIGTERM, a crash, a power cut) and
    resumed. Under `torchrun` the processes train together, and all of them return the surrogate.

    Args:
        spec: The model.
        data: The dataset.
        resolution: The rung to train on; of a staged training, the first one.
        out: Run directory; it receives `config.yaml`, `model.safetensors`, `surrogate.json`,
            `metrics.csv` and `checkpoint/`.
        config: How to train; None for the defaults.
        resume: Continue the run in `out` from its last checkpoint, or start it if there is none.
        overwrite: Replace the run in `out`.
        name: How tables and pictures call the surrogate; None for the name of `out`.

    Returns:
        The surrogate with the weights that did best on the validation rollouts, as saved in `out`.

    Raises:
        ValueError: If the arguments do not fit the data, the machine or the directory, or another
            process trains there.
        NonFiniteLossError: If the loss or its gradient becomes infinite or NaN more often than
            `config.rollbacks` allows. The checkpoints hold finite weights.
        KeyboardInterrupt: On Ctrl-C, after the step under way and a checkpoint.
        SystemExit: On SIGTERM, likewise, with the exit code 143.
    """
    plan = planned(spec, data, resolution, config or TrainingConfig())
    settings = run_settings(spec, plan.data, resolution, plan.config)
    unsaid = unsaid_settings(spec, plan.config)
    return carry_out(plan, out, settings, unsaid, resume=resume, overwrite=overwrite, name=name)


@runtime_checkable
class TrainingPlan(Protocol):
    """What `carry_out` does: a training, or the extension of what was trained."""

    @property
    def config(self) -> TrainingConfig:
        """The user's choices, completed."""
        ...

    @property
    def data(self) -> Ladder:
        """The dataset in the steps that are trained."""
        ...

    @property
    def stages(self) -> tuple[PlannedStage, ...]:
        """At least one."""
        ...

    def first_surrogate(self, name: str) -> Surrogate:
        """The surrogate that the first stage begins with; sets the seed of torch's generator."""
        ...


def carry_out(
    plan: TrainingPlan,
    out: str | os.PathLike[str],
    settings: Mapping[str, Any],
    unsaid: Mapping[str, Any],
    *,
    resume: bool,
    overwrite: bool,
    name: str | None = None,
    home: str | os.PathLike[str] | None = None,
) -> Surrogate:
    """Do what was planned, in a run directory.

    Args:
        plan: What.
        out: Where.
        settings: What was chosen, as plain nested data.
        unsaid: What a run to be continued had where its settings lack an option.
        resume: See `train`.
        overwrite: See `train`.
        name: See `train`.
        home: Folder that is kept from other processes meanwhile, around `out`; None for `out`.

    Returns:
        The surrogate, as saved in `out`.

    Raises:
        ValueError: As `train` does.
    """
    data, config = plan.data, plan.config
    run, dataset = RunDirectory(Path(out)), dataset_identity(data)

    def check() -> None:
        run.check(settings, resume=resume, overwrite=overwrite, unsaid=unsaid)

    check()
    if resume and run.is_finished and not run.last.exists():
        raise ValueError(
            f"{run.path} holds a finished run without its checkpoints: there is nothing to resume"
        )
    device = local_device(config.device)
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        joined(device) as ranks,
        computing_in(resolved_precision(config.precision, device)),
        Interruption() as interruption,
        ExitStack() as until_the_end,
    ):
        first = plan.first_surrogate(name or run.path.resolve().name)
        # Nothing is written before it is known that there is a network to train.
        ranks.wait()
        _hold(Path(home or out), ranks, check, until_the_end)
        if ranks.is_main:
            run.prepare(settings, dataset, overwrite=overwrite)
        ranks.wait()
        resumed = bool(ranks.gathered(run.last.exists())[0])
        names = config.trackers if ranks.is_main else ()
        with open_trackers(names, run.path, first.info.name, settings, resumed=resumed) as tracker:
            state = load_snapshot(run.last) if resumed else None
            ranks.wait()  # until all have read it
            position = Position() if state is None else position_of(state)
            clock = TrainingClock(position.seconds)
            session = Session(data, run, dataset, ranks, device, interruption, tracker, clock)
            finished, position = _train_stages(plan.stages, first, session, position, state)
        info = replace(finished.info, training_seconds=position.seconds)
        finished = Surrogate(finished.module.eval().requires_grad_(False), info)
        if ranks.is_main:
            finished.save(run.path)
        ranks.wait()
    return finished.to(device)


def _hold(folder: Path, ranks: Ranks, check: Callable[[], None], until_the_end: ExitStack) -> None:
    """Let the main process keep others from a run; all refuse together.

    Args:
        folder: What is to be held.
        ranks: The processes that train together.
        check: Looks at the run once more: another process may just have left it.
        until_the_end: Lets go of it.

    Raises:
        ValueError: If another process has it, or what that one has left does not do.
        OSError: If there can be no such folder.
    """
    refusal: Exception | None = None
    if ranks.is_main:
        try:
            until_the_end.enter_context(held(folder))
            check()
        except (ValueError, OSError) as error:
            refusal = error
    refusal = ranks.gathered(refusal)[0]
    if refusal is not None:
        raise refusal


def _train_stages(
    stages: Sequence[PlannedStage],
    first: Surrogate,
    session: Session,
    position: Position,
    state: Mapping[str, Any] | None,
) -> tuple[Surrogate, Position]:
    """Train each stage, the next one from the best weights of the one before.

    Returns:
        The last stage's surrogate with its best weights, on the CPU, and where the training ends.
    """
    run, surrogate = session.run, first
    if position.stage >= len(stages):
        raise ValueError(
            f"{run.last} was made in stage {position.stage + 1} of a training; this one has "
            f"{len(stages)}"
        )
    for stage in stages:
        if stage.number > 0:
            info = surrogate.info
            extended = untrained(stage, session.data, info.name, info)
            surrogate = continue_from(surrogate, extended, freeze=stage.freeze)
        is_cut_short = False
        if position.stage <= stage.number:
            # The loop has a copy of its own, which it may spread over processes.
            copied = Surrogate(copy.deepcopy(surrogate.module), surrogate.info)
            loop = TrainingLoop(stage, copied.to(session.device), session)
            position = loop.train(position, state)
            state, is_cut_short = None, loop.is_cut_short
            if len(stages) > 1 and not is_cut_short:
                position.reports.append(reported(stage, surrogate, session.data, position))
                if session.ranks.is_main:
                    run.write_stages(position.reports)
        best = load_best(run.best_of(stage.number))
        surrogate.module.load_state_dict(best["module"])
        surrogate = Surrogate(surrogate.module, replace(surrogate.info, epochs=best["epoch"]))
        session.ranks.wait()
        if position.stage == stage.number:
            ended, position = position, position.next_stage()
        if is_cut_short:
            break
    return surrogate, ended
