"""What every surrogate is measured against."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.entries import Frames
from pdesurrogate.evaluation.protocols import Native, Projected, TransferProtocol
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.rollout import repeat, rollout
from pdesurrogate.solvers import Equation, Solver
from pdesurrogate.transfer import prolong_fields, restrict_fields

__all__ = ["CoarseSolver", "Persistence", "TruncationFloor"]


@dataclass(frozen=True)
class Persistence:
    """Tomorrow is like today: the last given frame, for ever.

    Args:
        fields: What it predicts.
        band_grid: The grid whose band its error is split by; it is trained on none.
    """

    fields: tuple[str, ...]
    band_grid: Grid
    is_forecast: bool = True
    bundle: int = 1

    @property
    def label(self) -> RunLabel:
        """The baseline `persistence`."""
        return RunLabel("persistence", "baseline", "persistence", flops=0.0)

    def takes_part(self, protocol: TransferProtocol, resolution: int) -> bool:
        """Everywhere, as `native`."""
        return isinstance(protocol, Native)

    def predict(
        self, frames: Frames, protocol: TransferProtocol
    ) -> Iterator[Float[Tensor, "batch channel y x"]]:
        """The last given frame."""
        return rollout(
            lambda frame: frame, frames.select(self.fields).given[:, -1], frames.num_steps
        )


@dataclass(frozen=True)
class TruncationFloor:
    r"""The truth as far as the training grid resolves it, $Q R\, y$.

    Not a forecast but a limit: no prediction that lives on the training grid has a smaller
    out-of-band error than this.

    Args:
        shown: What it shows.
        band_grid: The training grid.
    """

    shown: tuple[Field, ...]
    band_grid: Grid
    is_forecast: bool = False
    bundle: int = 1

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of what it shows."""
        return tuple(field.name for field in self.shown)

    @property
    def label(self) -> RunLabel:
        """The baseline `truncation floor`, named by its grid."""
        n = self.band_grid.resolution
        return RunLabel(f"truncation floor {n}", "baseline", "truncation floor", n)

    def takes_part(self, protocol: TransferProtocol, resolution: int) -> bool:
        """On finer grids, as `projected`."""
        return isinstance(protocol, Projected) and resolution > self.band_grid.resolution

    def predict(
        self, frames: Frames, protocol: TransferProtocol
    ) -> Iterator[Float[Tensor, "batch channel y x"]]:
        """The truncated truth."""
        truth = frames.select(self.fields).truth
        for step in range(frames.num_steps):
            band = restrict_fields(truth[:, step], self.shown, frames.grid, self.band_grid)
            yield prolong_fields(band, self.shown, self.band_grid, frames.grid)


@dataclass(frozen=True)
class CoarseSolver:
    """The equation itself, solved on the training grid from the restricted last given frame.

    It knows what it is solving: each trajectory's own parameters, and the time.

    Args:
        predicted: What it predicts, among the fields that the equation observes.
        prognostic: What it starts from.
        equation: What is solved.
        solver: Solves it on the training grid; used for trajectories that have no parameters of
            their own.
        steps_per_frame: Solver steps between frames.
        device: Where the solver computes.
    """

    predicted: tuple[Field, ...]
    prognostic: tuple[Field, ...]
    equation: Equation
    solver: Solver
    steps_per_frame: int
    device: str = "cpu"
    is_forecast: bool = True
    bundle: int = 1

    def __reduce__(self) -> tuple[Callable[..., CoarseSolver], tuple[Any, ...]]:
        """In another process the solver is made anew: it holds functions that cannot be copied."""
        names = [each.name for each in dataclasses.fields(self) if each.name != "solver"]
        rest = {name: getattr(self, name) for name in names}
        return _with_its_solver, (rest, self.solver.grid, self.solver.dt)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of what it predicts."""
        return tuple(field.name for field in self.predicted)

    @property
    def band_grid(self) -> Grid:
        """The solver's grid."""
        return self.solver.grid

    @property
    def label(self) -> RunLabel:
        """The baseline `coarse solver`, named by its grid."""
        n = self.band_grid.resolution
        return RunLabel(f"coarse solver {n}", "baseline", "coarse solver", n)

    def takes_part(self, protocol: TransferProtocol, resolution: int) -> bool:
        """As `native` on its own grid, as `projected` on finer ones."""
        own = self.band_grid.resolution
        if resolution == own:
            return isinstance(protocol, Native)
        return isinstance(protocol, Projected) and resolution > own

    def predict(
        self, frames: Frames, protocol: TransferProtocol
    ) -> Iterator[Float[Tensor, "batch channel y x"]]:
        """Solve, and observe at every frame."""
        coarse, fine = self.band_grid, frames.grid
        solver = self._solver_of(frames)
        names = tuple(field.name for field in self.prognostic)
        last = restrict_fields(frames.select(names).given[:, -1], self.prognostic, fine, coarse)
        start = dict(zip(names, last.unbind(1), strict=True))
        step = repeat(solver.step, self.steps_per_frame)
        for state in rollout(step, solver.initialise(start, frames.time), frames.num_steps):
            observed = solver.observe(state, coarse)
            frame = torch.stack([observed[name] for name in self.fields], dim=1)
            yield prolong_fields(frame, self.predicted, coarse, fine)

    def _solver_of(self, frames: Frames) -> Solver:
        """The solver of a batch of trajectories."""
        if not frames.variants:
            return self.solver
        return self.equation.discretise(
            self.solver.grid,
            self.solver.dt,
            variants=frames.variants,
            device=frames.given.device,
        )


def _with_its_solver(rest: Mapping[str, Any], grid: Grid, dt: float) -> CoarseSolver:
    solver = rest["equation"].discretise(grid, dt, device=rest["device"])
    return CoarseSolver(solver=solver, **rest)
