"""One stage's loop: windows, gradient, step; validation, checkpoint; and again."""

from __future__ import annotations

import logging
import math
import operator
import signal
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from pdesurrogate.data import Ladder
from pdesurrogate.progress import ProgressDisplay, progress_display
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training.batches import Batches
from pdesurrogate.training.checkpoint import (
    Position,
    keep_as,
    load_snapshot,
    restore,
    save_checkpoint,
    snapshot,
)
from pdesurrogate.training.clock import TrainingClock
from pdesurrogate.training.distributed import Ranks
from pdesurrogate.training.epoch_metrics import EpochMetrics
from pdesurrogate.training.interruption import Interruption, stop_as_asked
from pdesurrogate.training.learner import Learner
from pdesurrogate.training.preparation import bound_loss, rollout_validation, window_source
from pdesurrogate.training.run_directory import RunDirectory
from pdesurrogate.training.schedule import WarmupCosine
from pdesurrogate.training.stages import PlannedStage
from pdesurrogate.training.tracking import Tracker
from pdesurrogate.training.validation import Verdict

__all__ = ["NonFiniteLossError", "Session", "TrainingLoop"]

log = logging.getLogger(__name__)

ROLLBACK_FACTOR = 0.5
"""What every rollback multiplies the learning rate by."""


LOSS_JUMP = 10.0
"""An epoch has collapsed whose mean loss is more than so many times that of the one before, and
higher than any of the stage's."""


class NonFiniteLossError(ValueError):
    """The loss or its gradient left the finite numbers, again and again."""


@dataclass(frozen=True)
class Session:
    """What all stages of a training share while this process lasts.

    Args:
        data: The dataset in the steps that are trained.
        run: Where the run's files lie.
        dataset: Identity of the dataset.
        ranks: The processes that train together.
        device: Where this one computes.
        interruption: Tells of Ctrl-C and SIGTERM.
        tracker: Takes the metrics of every epoch.
        clock: Knows how long all of it lasts.
    """

    data: Ladder
    run: RunDirectory
    dataset: Mapping[str, Any]
    ranks: Ranks
    device: torch.device
    interruption: Interruption
    tracker: Tracker
    clock: TrainingClock


class TrainingLoop:
    """Trains one stage, from the last checkpoint (if it is of this stage) to its end.

    Args:
        stage: What to do.
        surrogate: The untrained network, or the one that the stage begins with. It is changed.
        session: Data, files and processes.
    """

    def __init__(self, stage: PlannedStage, surrogate: Surrogate, session: Session) -> None:
        self.stage, self.config, self.session = stage, stage.config, session
        self.run, self.ranks = session.run, session.ranks
        config, data, device = stage.config, session.data, session.device
        criteria = {rung: bound_loss(surrogate, config, data.grid(rung)) for rung in stage.shares}
        sources = {
            rung: window_source(data, rung, config, device, stage.trajectories)
            for rung in stage.shares
        }
        self.batches = Batches(sources, config.batch_size, config.seed, stage.shares)
        self.validations = {
            rung: rollout_validation(data, rung, config, device) for rung in stage.shares
        }
        self.learner = Learner(surrogate, config, criteria, self.ranks)
        self.num_steps = config.epochs * len(self.batches)
        assert config.learning_rate is not None  # `completed` filled in the model's own
        self.schedule = WarmupCosine(
            peak=config.learning_rate,
            floor=config.min_learning_rate,
            warmup_steps=round(config.warmup * self.num_steps),
            num_steps=self.num_steps,
        )
        self.position = Position()
        self.clock = session.clock
        self.asked = _Asked()

    def train(self, position: Position, state: Mapping[str, Any] | None) -> Position:
        """Go on to the stage's end.

        Args:
            position: Where the training stands.
            state: The checkpoint of this stage to go on from; None to begin it.

        Returns:
            Where the training then stands. The weights to keep are in the run's best checkpoint.

        Raises:
            ValueError: If the checkpoint is of another dataset or network.
            NonFiniteLossError: If the loss is not finite more often than `rollbacks` allows.
            KeyboardInterrupt: On Ctrl-C, after the step under way and a checkpoint.
            SystemExit: On SIGTERM, likewise.
        """
        self.position = position
        if state is None:
            self._begin()
        else:
            self._take_up(state)
        if self.stage.number > 0 and self.position.is_at_its_beginning:
            self.position.before = self._judge()  # of the network that the stage extends
            self._checkpoint(begins_epoch=True)
        _, self.asked = self._agree(0.0)
        with self._progress() as progress:
            while not self._is_over():
                try:
                    self._run_epoch(progress)
                except _SetbackError as setback:
                    self._roll_back(setback)
        if self.position.best is None:  # the time was over before the first epoch was
            self._judge()
            self.ranks.wait()  # until the weights are written that all are about to read
            # These weights are kept, but are no rival to what whole epochs bring in more time.
            self.position.best, self.position.best_epoch = None, 0
        self._say_why_it_ended()
        return self.position

    @property
    def is_cut_short(self) -> bool:
        """Whether the time was over before the stage was."""
        return self.asked.is_out_of_time and self.position.epoch < self.config.epochs

    def _run_epoch(self, progress: ProgressDisplay) -> None:
        """The rest of an epoch: optimiser steps, then validation and checkpoint."""
        position, ranks = self.position, self.ranks
        batches = self.batches.epoch(
            position.epoch, first=position.batch, rank=ranks.rank, world=ranks.size
        )
        for batch in batches:
            objective = self.config.objective.at(position.step / self.num_steps)
            seed = (self.config.seed, self.stage.number, position.epoch, position.batch)
            loss, norm = self.learner.gradient(batch, objective, seed)
            loss, self.asked = self._agree(loss)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise _SetbackError(f"the loss became {loss:g} and its gradient's norm {norm:g}")
            self.learner.step(self._rate(position.step), position.step)
            position.finish_batch(loss, norm)
            progress.step()
            if any(self.asked):
                self._checkpoint()
            self._stop_if_asked()
            if self.asked.is_out_of_time:
                return
        self._finish_epoch(progress)

    def _finish_epoch(self, progress: ProgressDisplay) -> None:
        """Validate and write down how it went."""
        position, steps = self.position, len(self.batches)
        loss = position.loss_sum / steps
        before = self._collapsed_from(loss)
        if before is not None:
            raise _SetbackError(f"the mean loss rose from {before:g} to {loss:g}")
        verdict = self._judge()
        if not math.isfinite(verdict.one_step):  # the last step has spoilt the weights
            error = verdict.one_step
            raise _SetbackError(f"the loss became {loss:g} and the validation's error {error:g}")
        row = EpochMetrics(
            epoch=len(position.rows) + 1,
            step=position.steps_before + position.step,
            train_loss=loss,
            valid_one_step=verdict.one_step,
            valid_rollout=verdict.rollout,
            learning_rate=self._rate(position.step - 1),
            gradient_norm=position.gradient_norm_sum / steps,
            seconds=self.clock.seconds(),
            valid_blow_up=verdict.blow_up,
            stage=self.stage.number + 1,
            rollbacks=position.rollbacks,
        )
        position.finish_epoch(row)
        self._checkpoint(begins_epoch=True)
        if self.ranks.is_main:
            self.run.write_metrics(position.rows)
        self.session.tracker.log(row)
        progress.say(f"epoch {position.epoch}/{self.config.epochs}{self._where}: {row}")
        self._stop_if_asked()

    def _collapsed_from(self, loss: float) -> float | None:
        """The loss of the epoch before, if this one's is out of all proportion and can be mended.

        A finite loss stops nobody: the last rollback is kept for one that is not, and without
        another the training goes on. Nor are losses compared where the objective has changed.
        """
        position, stage, steps = self.position, self.stage.number + 1, len(self.batches)
        losses = [row.train_loss for row in position.rows if row.stage == stage]
        if not losses or position.rollbacks + 1 >= self.config.rollbacks:
            return None
        objective = self.config.objective
        then, now = (position.step - back for back in (2 * steps, 1))
        if objective.at(then / self.num_steps) != objective.at(now / self.num_steps):
            return None
        return losses[-1] if loss > LOSS_JUMP * losses[-1] and loss > max(losses) else None

    def _judge(self) -> Verdict:
        """Validate, and keep the weights on disk if they are the stage's best."""
        with self.learner.judged() as judged:
            verdict = self._validate(judged)
            _, self.asked = self._agree(0.0)
            if not self.asked.is_signalled and self.position.judge(verdict):
                # A checkpoint of an epoch names its best one: that must be on disk before it.
                weights = self.learner.weights()
                if self.ranks.is_main:
                    best = {"module": weights, "epoch": self.position.epochs_begun}
                    with self.clock.writing(is_resumable=False):
                        save_checkpoint(self.run.best_of(self.stage.number), best)
        if self.asked.is_signalled:  # the validation was cut short and will be repeated
            self._checkpoint()
            self._stop_if_asked()
        return verdict

    def _validate(self, judged: Surrogate) -> Verdict:
        """Rollouts on every rung of the training, weighted as its batches are."""
        # Sharded networks are gone through together: nobody may leave a window out.
        together = self.learner.is_sharded
        verdicts = [
            validate(
                judged,
                Ranks() if together else self.ranks,
                is_cut_short=lambda: not together and bool(self.session.interruption.requested),
            )
            for validate in self.validations.values()
        ]
        if len(verdicts) == 1:
            return verdicts[0]
        shares = self.stage.shares.values()
        return Verdict(
            *(sum(map(operator.mul, shares, found)) for found in zip(*verdicts, strict=True))
        )

    def _begin(self) -> None:
        """Make the first checkpoint of the stage."""
        if self.ranks.rank > 0:  # networks that draw random numbers draw others in each process
            torch.manual_seed(self.stage.seed + self.ranks.rank)
        self._checkpoint(begins_epoch=True)

    def _take_up(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, with the files that a killed process may not have written."""
        self._restore(state)
        if self.ranks.is_main:
            if self.position.batch == 0:
                keep_as(self.run.last, self.run.epoch)
            self.run.write_metrics(self.position.rows)

    def _restore(self, state: Mapping[str, Any]) -> None:
        path, dataset = self.run.last, self.session.dataset
        self.position = restore(state, self.learner, dataset, self.ranks, path)

    def _roll_back(self, setback: _SetbackError) -> None:
        """Go back to where the epoch began, to try again at a lower rate."""
        position = self.position
        step = position.step + (position.batch < len(self.batches))  # the one that was not taken
        where = f"{setback} in epoch {len(position.rows) + 1}, step {position.steps_before + step}"
        if position.rollbacks >= self.config.rollbacks:
            tries = f" after {position.rollbacks} rollbacks" if position.rollbacks else ""
            raise NonFiniteLossError(
                f"{where}{tries}: lower the learning_rate or the gradient_clip "
                f"({self.run.epoch} holds the last good state)"
            )
        rollbacks = position.rollbacks + 1
        self._restore(load_snapshot(self.run.epoch))
        self.position.rollbacks = rollbacks
        self._checkpoint(begins_epoch=True)
        if self.ranks.is_main:
            log.warning(
                "%s: back to the beginning of the epoch, at %g times the rate (%d of %d)",
                where,
                ROLLBACK_FACTOR**rollbacks,
                rollbacks,
                self.config.rollbacks,
            )

    def _checkpoint(self, *, begins_epoch: bool = False) -> None:
        """Write down where the training stands; what begins an epoch is kept until the next."""
        self.position.seconds = self.clock.seconds()
        with self.clock.writing(is_resumable=True):
            state = snapshot(self.learner, self.position, self.session.dataset, self.ranks)
            if self.ranks.is_main:
                save_checkpoint(self.run.last, state)
                if begins_epoch:
                    keep_as(self.run.last, self.run.epoch)
            self.ranks.wait()

    def _agree(self, loss: float) -> tuple[float, _Asked]:
        """The batch's whole loss, and what is asked of all processes: the same for all of them."""
        signalled, is_main = self.session.interruption.requested, self.ranks.is_main
        budget, seconds = self.config.time_budget, self.clock.seconds()
        is_due = self.clock.is_checkpoint_due(self.config.checkpoint_seconds)
        is_out_of_time = budget is not None and seconds > budget
        loss, *asked = self.ranks.totals(
            loss,
            float(signalled == signal.SIGINT),
            float(signalled == signal.SIGTERM),
            float(is_main and is_due),
            float(is_main and is_out_of_time),
            device=self.session.device,
        )
        return loss, _Asked(*(bool(number) for number in asked))

    def _stop_if_asked(self) -> None:
        if self.asked.interrupt:
            stop_as_asked(signal.SIGINT)
        if self.asked.terminate:
            stop_as_asked(signal.SIGTERM)

    def _say_why_it_ended(self) -> None:
        position, config = self.position, self.config
        if position.epoch >= config.epochs or not self.ranks.is_main:
            return
        why = "the time is over" if self.asked.is_out_of_time else "nothing got better"
        log.info("%s after %d of %d epochs%s", why, position.epoch, config.epochs, self._where)

    @property
    def _where(self) -> str:
        """The stage, if there are several."""
        stage = self.stage
        if stage.count == 1:
            return ""
        return f", stage {stage.number + 1} of {stage.count} on rung {stage.resolution}"

    def _is_over(self) -> bool:
        position, patience = self.position, self.config.patience
        is_stuck = patience is not None and position.epoch - position.best_epoch >= patience
        return position.epoch >= self.config.epochs or is_stuck or self.asked.is_out_of_time

    def _progress(self) -> AbstractContextManager[ProgressDisplay]:
        if not self.ranks.is_main:
            return nullcontext(_Silence())
        label = f"training {self.learner.surrogate.info.name}"
        return progress_display(label, self.num_steps, log, done=self.position.step)

    def _rate(self, step: int) -> float:
        return self.schedule(step) * ROLLBACK_FACTOR**self.position.rollbacks


class _SetbackError(Exception):
    """Why an epoch is to be begun again, as the beginning of a sentence."""


class _Silence:
    """The progress of processes that say nothing."""

    def step(self) -> None: ...

    def say(self, line: str) -> None: ...


class _Asked(NamedTuple):
    """What is asked of a training between two steps."""

    interrupt: bool = False
    terminate: bool = False
    is_due: bool = False
    is_out_of_time: bool = False

    @property
    def is_signalled(self) -> bool:
        return self.interrupt or self.terminate
