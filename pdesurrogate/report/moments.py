"""The lead times at which numbers are told: the first, and the last at which they still tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pdesurrogate.report.methods import Series, Study

__all__ = ["FIRST", "LAST", "USEFUL_ERROR", "Moment", "moments"]

FIRST, LAST = 0, -1
USEFUL_ERROR = 0.5
"""Total error from which on a forecast of a chaotic flow has little to do with the truth: a random
state of the right amplitude has √2, zero has 1."""


@dataclass(frozen=True)
class Moment:
    """A lead time.

    Args:
        step: Its index among the predicted frames.
    """

    step: int

    @property
    def after(self) -> str:
        """How many steps that is."""
        return f"{self.step + 1} step{'s' if self.step else ''}"


def moments(study: Study, field: str) -> tuple[Moment, ...]:
    """The first lead time, and a later one if there are several.

    The later one is the last at which a model's mean total error at its training grid is below
    `USEFUL_ERROR`: of numbers from after that time, most are equally wrong. If no model ever is,
    or none was evaluated there, it is the very last.
    """
    num_steps = len(study.lead_times)
    if num_steps == 1:
        return (Moment(FIRST),)
    useful = [
        np.flatnonzero(
            study.scores("total_error", Series(m, "native"), n0, field).mean(axis=(0, 1))
            < USEFUL_ERROR
        )
        for m in study.models
        if (n0 := study.trained_grid(m, field)) is not None
    ]
    last = max((int(steps[-1]) for steps in useful if steps.size), default=num_steps - 1)
    return (Moment(FIRST), Moment(max(last, 1)))
