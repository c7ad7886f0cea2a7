"""What every surrogate is measured against."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.data import Ladder
from pdesurrogate.evaluation.entries import Frames
from pdesurrogate.evaluation.protocols import Native, Projected, TransferProtocol
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.rollout import repeat, rollout
from pdesurrogate.solvers import Equation, Solver
from pdesurrogate.transfer import prolong_fields, restrict_fields

__all__ = ["CoarseSolver", "Persistence", "TruncationFloor", "courant_steps", "solver_on"]


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
    r"""The truth as far as the training grid resolves it, $Q R\, y$: the upsampled truth.

    Not a forecast but a limit: no prediction that lives on the training grid has a smaller
    out-of-band error than this. Bands of grids are nested, so that its error is the same whichever
    coarser grid's band it is split by.

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
    """The equation itself, solved on a coarser grid from the restricted last given frame.

    It knows what it is solving: each trajectory's own parameters, and the time.

    Args:
        predicted: What it predicts, among the fields that the equation observes.
        prognostic: What it starts from.
        equation: What is solved.
        solver: Solves it on the coarser grid; used for trajectories that have no parameters of
            their own.
        steps_per_frame: Solver steps between frames.
        band_grid: The grid whose band its error is split by; not necessarily the solver's own.
        label: What is known of it.
        device: Where the solver computes.
    """

    predicted: tuple[Field, ...]
    prognostic: tuple[Field, ...]
    equation: Equation
    solver: Solver
    steps_per_frame: int
    band_grid: Grid
    label: RunLabel
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
    def grid(self) -> Grid:
        """Where it solves."""
        return self.solver.grid

    def takes_part(self, protocol: TransferProtocol, resolution: int) -> bool:
        """As `native` on its own grid, as `projected` on finer ones."""
        own = self.grid.resolution
        if resolution == own:
            return isinstance(protocol, Native)
        return isinstance(protocol, Projected) and resolution > own

    def predict(
        self, frames: Frames, protocol: TransferProtocol
    ) -> Iterator[Float[Tensor, "batch channel y x"]]:
        """Solve, and observe at every frame."""
        solver, start = self.start(frames)
        step = repeat(solver.step, self.steps_per_frame)
        for state in rollout(step, start, frames.num_steps):
            observed = solver.observe(state, self.grid)
            frame = torch.stack([observed[name] for name in self.fields], dim=1)
            yield prolong_fields(frame, self.predicted, self.grid, frames.grid)

    def start(self, frames: Frames) -> tuple[Solver, Any]:
        """The solver of a batch of trajectories, and its state at the last given frame."""
        solver = self._solver_of(frames)
        names = tuple(field.name for field in self.prognostic)
        given = frames.select(names).given[:, -1]
        last = restrict_fields(given, self.prognostic, frames.grid, self.grid)
        return solver, solver.initialise(dict(zip(names, last.unbind(1), strict=True)), frames.time)

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


def courant_steps(data: Ladder, grid: Grid) -> int:
    """Steps per frame on a grid at the Courant number of the reference simulation, rounded up.

    A coarser grid allows a longer step. To deny it to the solver would make a weak baseline.
    """
    reference_steps = round(data.time_step / data.solver_time_step)
    return max(1, math.ceil(reference_steps * grid.resolution / data.reference_resolution))


def solver_on(
    grid: Grid,
    data: Ladder,
    fields: Sequence[Field],
    *,
    band_grid: Grid,
    label: RunLabel | None = None,
    steps_per_frame: int | None = None,
    device: str = "cpu",
) -> CoarseSolver:
    """The dataset's equation as a forecast.

    Args:
        grid: Where to solve.
        data: Whose equation, in the time step of the evaluation.
        fields: What is predicted.
        band_grid: The grid whose band its error is split by.
        label: What it is called; the baseline `coarse solver` of the grid if not said.
        steps_per_frame: Steps between frames; `courant_steps` if not said.
        device: Where to compute.

    Raises:
        ValueError: If the equation refuses the grid or the step.
    """
    n = grid.resolution
    steps = steps_per_frame or courant_steps(data, grid)
    return CoarseSolver(
        predicted=tuple(fields),
        prognostic=tuple(data.fields[name] for name in data.prognostic_fields),
        equation=data.equation,
        solver=data.equation.discretise(grid, data.time_step / steps, device=device),
        steps_per_frame=steps,
        band_grid=band_grid,
        label=label or RunLabel(f"coarse solver {n}", "baseline", "coarse solver", n),
        device=device,
    )


def _with_its_solver(rest: Mapping[str, Any], grid: Grid, dt: float) -> CoarseSolver:
    solver = rest["equation"].discretise(grid, dt, device=rest["device"])
    return CoarseSolver(solver=solver, **rest)
