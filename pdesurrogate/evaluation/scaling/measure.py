"""From surrogates and a ladder of grids to the scaling limit."""

from __future__ import annotations

import itertools
import json
import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from pdesurrogate.data import Ladder
from pdesurrogate.evaluation.provenance import library_versions, machine
from pdesurrogate.evaluation.scaling.level_losses import level_projections
from pdesurrogate.evaluation.scaling.order import observed_order
from pdesurrogate.evaluation.scaling.plan import ScalingPlan, plan_scaling
from pdesurrogate.evaluation.scaling.schema import empty_scaling
from pdesurrogate.evaluation.scaling.walk import ScalingWalk
from pdesurrogate.progress import progress_display
from pdesurrogate.surrogate import Surrogate

__all__ = ["ROUNDING", "measure_scaling"]

ROUNDING = 1e-6
"""Relative differences of float32 networks that are rounding, and say nothing of an order."""

log = logging.getLogger(__name__)


def measure_scaling(
    surrogates: Sequence[Surrogate | str | os.PathLike[str]],
    data: Ladder,
    resolutions: Sequence[int],
    *,
    split: str = "test",
    num_trajectories: int | None = None,
    num_starts: int = 3,
    random_seeds: int = 3,
    fit_last: int | None = None,
    batch_size: int = 8,
    other_data: bool = False,
    specs: Sequence[type[Any]] = (),
    device: str = "cpu",
    commands: Sequence[str] = (),
) -> xr.Dataset:
    r"""Ask whether a network is one operator that grids approximate, and what finer grids bring.

    All quantities are of one step, from true frames, the same weights applied to every grid:

    - the *commutation error* $\lVert R_n U_N u - U_n R_n u \rVert$ up to the top rung $N$, over
      $\lVert U_N u \rVert$ and over $\lVert U_N u - u \rVert$, and the order at which it falls,
      see `observed_order`; of the surrogates, of the same networks with initial weights, and of
      the dataset's solver, at the Courant number of the reference simulation on every rung;
    - the errors of the two tasks: *resolution interpolation*, from $Q R u$ to $Q R y$, where the
      finer grid knows nothing new, and *information extrapolation*, from $u$ to $y$;
    - the share of the change from $Q R u$ that lies beyond the band, for the network and for the
      solver from the same field, and for the truth;
    - for U-Nets on Haar spaces the regression losses of every level.

    Args:
        surrogates: Surrogates, or directories of finished runs.
        data: The dataset that they were trained on.
        resolutions: Rungs; the finest is the top, and training grids are added.
        split: `train`, `valid` or `test`.
        num_trajectories: How many trajectories, from the first; all by default.
        num_starts: Frames of each trajectory to start from, evenly spread.
        random_seeds: How often each kind of network is built anew with initial weights, under
            seeds that no run has, with the run's normalisation.
        fit_last: Fit orders to so many of the finest rungs below the top; to all by default.
        batch_size: Trajectories stepped at once; it bounds the memory.
        other_data: Whether surrogates of another dataset are welcome, see `evaluate`.
        specs: Networks, specs and parts of your own that untrained networks may be built from.
        device: Where to compute, `cpu` or `cuda`.
        commands: Command lines that lead to this file, for whoever wants to repeat it.

    Returns:
        The variables of `pdesurrogate.evaluation.scaling.schema`.

    Raises:
        ValueError: As `evaluate` does, if there are fewer than two resolutions, or a number is out
            of range.
        FileNotFoundError: If the directory of a run is absent or unfinished.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    plan = plan_scaling(
        surrogates,
        data,
        resolutions,
        split=split,
        num_trajectories=num_trajectories,
        num_starts=num_starts,
        random_seeds=random_seeds,
        other_data=other_data,
        specs=specs,
        device=device,
    )
    _check_fit(fit_last, len(plan.resolutions) - 1)
    table = _empty(plan)
    table.attrs |= _attributes(plan, fit_last, device, commands)
    walk = ScalingWalk(plan, table, batch_size, device)
    done = itertools.count(1)
    with progress_display("measuring", walk.num_steps, log) as progress:

        def advance(what: str) -> None:
            progress.step()
            progress.say(f"ladder {next(done)}/{walk.num_steps}  {what}")

        walk.go(advance)
    _fit_orders(plan, table, fit_last)
    return table


def _check_fit(fit_last: int | None, below: int) -> None:
    if fit_last is None:
        return
    if below < 2:
        raise ValueError(
            f"fit_last asks for an order, which needs at least two rungs below the top, got {below}"
        )
    if not 2 <= fit_last <= below:
        raise ValueError(
            f"fit_last must lie between 2 and {below}, the number of rungs below the top, "
            f"got {fit_last}"
        )


def _empty(plan: ScalingPlan) -> xr.Dataset:
    levels = (
        1 + len(level_projections(entry.surrogate.module, entry.training_grid))
        for entry in plan.trained
    )
    return empty_scaling(
        runs=plan.labels,
        resolutions=plan.resolutions,
        trajectories=plan.evaluation.trajectories,
        starts=[plan.data.time_step * frame for frame in plan.starts],
        fields=plan.evaluation.fields,
        num_levels=max(levels, default=1),
        time_units=plan.data.equation.time_units,
    )


def _attributes(
    plan: ScalingPlan, fit_last: int | None, device: str, commands: Sequence[str]
) -> dict[str, Any]:
    data = plan.data
    top = data.grid(plan.resolutions[-1])
    return {
        "title": f"Scaling limit on {data.name}",
        "dataset": data.name,
        "dataset_path": str(data.path),
        "dataset_sha256": data.sha256,
        "split": plan.evaluation.split,
        "columns_per_row": top.num_points[1] / top.num_points[0],
        "history": plan.evaluation.history,
        "frame_stride": data.frame_stride,
        "time_step": data.time_step,
        "time_units": data.equation.time_units,
        "fitted_rungs": len(plan.resolutions) - 1 if fit_last is None else fit_last,
        "rounding": ROUNDING,
        "versions": json.dumps(library_versions()),
        "machine": machine(device),
        "commands": json.dumps(list(commands)),
    }


def _fit_orders(plan: ScalingPlan, table: xr.Dataset, fit_last: int | None) -> None:
    """Orders of the errors averaged over the start frames, where there are two rungs to fit."""
    if len(plan.resolutions) < 3:
        return
    spacings = np.array([plan.data.grid(n).spacing[0] for n in plan.resolutions])
    errors = table["commutation_error"].mean("start", skipna=False)
    for run, field in itertools.product(range(table.sizes["run"]), range(table.sizes["field"])):
        own = errors.isel(run=run, field=field).values.T[:, :-1].astype(np.float64)
        if np.isnan(own).any():
            continue
        fit = observed_order(spacings[:-1], own, spacings[-1], last=fit_last, floor=ROUNDING)
        place = {"run": run, "field": field}
        table["order"][place], table["order_residual"][place] = fit.order, fit.residual
        table["order_low"][place], table["order_high"][place] = fit.low, fit.high
