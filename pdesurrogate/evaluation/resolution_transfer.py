"""The walk over the ladder: every run, on every grid, under every protocol, and the baselines."""

from __future__ import annotations

import itertools
import json
import logging
import os
from collections.abc import Sequence
from typing import Any

import xarray as xr
from torch import nn

from pdesurrogate.data import Ladder
from pdesurrogate.evaluation.entries import SurrogateEntry
from pdesurrogate.evaluation.equal_cost import choose_solvers, with_solvers
from pdesurrogate.evaluation.plan import Plan, plan_evaluation
from pdesurrogate.evaluation.protocols import TransferProtocol
from pdesurrogate.evaluation.provenance import library_versions, machine
from pdesurrogate.evaluation.schema import EXAMPLE_PREFIX, empty_evaluation
from pdesurrogate.evaluation.walk import Walk, complete_shells, spectrum_steps
from pdesurrogate.metrics.spectrum import wavenumber_attributes
from pdesurrogate.models import ModelSpec, Part
from pdesurrogate.progress import progress_display
from pdesurrogate.surrogate import Surrogate

__all__ = ["evaluate"]

log = logging.getLogger(__name__)


def evaluate(
    surrogates: Sequence[Surrogate | str | os.PathLike[str]],
    data: Ladder,
    resolutions: Sequence[int],
    protocols: Sequence[TransferProtocol | str] | None = None,
    *,
    split: str = "test",
    num_trajectories: int | None = None,
    num_steps: int | None = None,
    example_trajectory: int = 0,
    batch_size: int | None = None,
    other_data: bool = False,
    equal_cost: bool = True,
    device: str = "cpu",
    commands: Sequence[str] = (),
    specs: Sequence[type[ModelSpec | Part | nn.Module]] = (),
) -> xr.DataTree:
    """Roll every surrogate out on every grid and compare it with the truth and the baselines.

    Each rollout starts from the first frames of a trajectory: as many as the surrogate with the
    longest history needs, so that all are scored on the same frames at the same times. Surrogates
    that were trained on every k-th frame are evaluated on every k-th, from the first. The grid
    that a surrogate was trained on is always a row, under `native`; a surrogate is not run on
    grids coarser than that.

    Args:
        surrogates: Surrogates, or directories of finished runs.
        data: The dataset that they were trained on.
        resolutions: Rungs to evaluate on.
        protocols: Names of exported transfer protocols, or protocols of your own, each of which
            must go with some run and rung; None for those of `native`, `projected`, `transported`
            and `extended` that do.
        split: `train`, `valid` or `test`.
        num_trajectories: How many trajectories, from the first; all by default.
        num_steps: Frames to predict; as many as the dataset has by default.
        example_trajectory: The trajectory whose fields are kept for pictures.
        batch_size: Trajectories stepped at once; by default as many as fit in a quarter of a
            gigabyte, at most 16.
        other_data: Whether surrogates that were trained on another dataset are welcome, if their
            fields and training grid are among this one's, and their time step is a multiple of its.
        equal_cost: Whether, for every surrogate, the equation's solver on the finest grid on which
            it costs no more than the surrogate is a baseline. Which grid that is, is measured: it
            depends on the machine, and on what else the machine does.
        device: Where to compute, `cpu` or `cuda`.
        commands: Command lines that lead to this evaluation, for whoever wants to repeat it.
        specs: Networks, specs and parts of your own that a run may be built from.

    Returns:
        The tree whose root holds the variables of `pdesurrogate.evaluation.schema`, nothing
        averaged, and whose groups `example_<resolution>` hold fields.

    Raises:
        ValueError: If a surrogate was trained on another dataset, the time steps of surrogates and
            data do not agree, a resolution is not in the dataset or below every training grid, a
            protocol is unknown, or a number is too large.
        FileNotFoundError: If the directory of a run is absent or unfinished.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    plan = plan_evaluation(
        surrogates,
        data,
        resolutions,
        protocols,
        split=split,
        num_trajectories=num_trajectories,
        num_steps=num_steps,
        other_data=other_data,
        device=device,
        specs=specs,
    )
    if example_trajectory not in plan.trajectories:
        raise ValueError(f"example_trajectory {example_trajectory} is not among those evaluated")
    if equal_cost:
        plan = with_solvers(plan, choose_solvers(plan, device), device)
    root = _empty_root(plan)
    root.attrs |= _attributes(plan, device, commands)
    walk = Walk(plan, root, example_trajectory, batch_size, device)
    done = itertools.count(1)
    with progress_display("evaluating", walk.num_rollouts, log) as progress:

        def advance(what: str) -> None:
            progress.step()
            progress.say(f"rollout {next(done)}/{walk.num_rollouts}  {what}")

        examples = {
            f"/{EXAMPLE_PREFIX}{resolution}": walk.visit(resolution, advance)
            for resolution in plan.resolutions
        }
    return xr.DataTree.from_dict({"/": root, **examples})


def _empty_root(plan: Plan) -> xr.Dataset:
    data = plan.data
    finest = data.grid(plan.resolutions[-1])
    lead_times = [data.time_step * (k + 1) for k in range(plan.num_steps)]
    return empty_evaluation(
        runs=[entry.label for entry in plan.entries],
        protocols=[protocol.name for protocol in plan.protocols],
        resolutions=plan.resolutions,
        trajectories=plan.trajectories,
        lead_times=lead_times,
        fields=plan.fields,
        wavenumbers=complete_shells(finest),
        spectrum_lead_times=[lead_times[k] for k in spectrum_steps(plan.num_steps)],
        time_units=data.equation.time_units,
        wavenumber_attributes=wavenumber_attributes(finest, data.equation.length_units),
    )


def _attributes(plan: Plan, device: str, commands: Sequence[str]) -> dict[str, Any]:
    data = plan.data
    finest = data.grid(plan.resolutions[-1])
    return {
        "title": f"Resolution transfer on {data.name}",
        "dataset": data.name,
        "dataset_path": str(data.path),
        "physics": _physics(data),
        "trained_on": _trained_on(plan),
        "dataset_sha256": data.sha256,
        "split": plan.split,
        "resolutions": list(plan.resolutions),
        "band_resolution": plan.band_grid.resolution,
        "columns_per_row": finest.num_points[1] / finest.num_points[0],
        "history": plan.history,
        "num_steps": plan.num_steps,
        "frame_stride": data.frame_stride,
        "time_units": data.equation.time_units,
        "versions": json.dumps(library_versions()),
        "machine": machine(device),
        "commands": json.dumps(list(commands)),
    }


def _trained_on(plan: Plan) -> str:
    """Which surrogates learned from other data, and from which."""
    data = plan.data
    infos = [e.surrogate.info for e in plan.entries if isinstance(e, SurrogateEntry)]
    others = [f"{i.name} on {i.dataset}" for i in infos if i.dataset_sha256 != data.sha256]
    return ", ".join(others) or data.name


def _physics(data: Ladder) -> str:
    """The equation in words, and what differs from trajectory to trajectory."""
    drawn = [f"{path} from {law}" for path, law in data.recipe.parameters.items()]
    differing = f"; per trajectory {', '.join(drawn)}" if drawn else ""
    return f"{data.recipe.title}: {data.equation}{differing}"
