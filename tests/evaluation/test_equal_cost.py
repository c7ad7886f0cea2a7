from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation import equal_cost, evaluate, resolution_transfer
from pdesurrogate.evaluation.baselines import CoarseSolver, courant_steps, solver_on
from pdesurrogate.evaluation.entries import Entry, Frames, SurrogateEntry
from pdesurrogate.evaluation.equal_cost import (
    allowed_resolutions,
    choose_solvers,
    fewest_steps,
    finest_within,
    with_solvers,
)
from pdesurrogate.evaluation.plan import Plan, plan_evaluation
from pdesurrogate.evaluation.protocols import Native, TransferProtocol
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid
from pdesurrogate.metrics import in_band_error, nrmse, out_of_band_error
from pdesurrogate.solvers import BuoyantSmoke, SphericalShallowWater
from pdesurrogate.surrogate import Surrogate
from tests.evaluation.fakes import fake_surrogate, keep


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests do without."""
    monkeypatch.setattr(resolution_transfer, "choose_solvers", choose_solvers)


def _plan(ladder: Ladder, *surrogates: Surrogate, resolutions: tuple[int, ...] = (16, 32)) -> Plan:
    return plan_evaluation(
        surrogates,
        ladder,
        resolutions,
        ["native", "projected"],
        split="test",
        num_trajectories=2,
        num_steps=2,
        device="cpu",
    )


def test_bisection_finds_the_finest_grid_within_the_budget() -> None:
    grids = list(range(8, 130, 2))
    for budget in (64.0, 65.0, 2500.0, 2499.0, 16384.0, 1e9):
        expected = 2 * math.floor(math.sqrt(min(budget, 128**2)) / 2)
        assert finest_within(budget, grids, lambda n: float(n * n)) == expected
    assert finest_within(63.9, grids, lambda n: float(n * n)) is None
    assert finest_within(1.0, [], lambda n: 0.0) is None


def test_bisection_looks_at_few_grids_and_past_those_that_are_too_coarse() -> None:
    asked: list[int] = []

    def cost(n: int) -> float | None:
        asked.append(n)
        return None if n < 40 else float(n)

    grids = list(range(8, 130, 2))
    assert finest_within(50.0, grids, cost) == 50
    assert len(asked) <= 6
    assert finest_within(39.0, grids, cost) is None


class _Rungs(Ladder):
    """A ladder of grids without data."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def grid(self, resolution: int) -> Grid:
        return self._grid.at_resolution(resolution)


def test_grids_are_those_that_the_transfer_allows(ladder: Ladder) -> None:
    smooth = (8, 10, 12, 16, 18, 20, 24, 30, 32)
    assert allowed_resolutions(ladder, [16, 32]) == smooth
    sphere = _Rungs(GaussianSphere((16, 32)))
    assert allowed_resolutions(sphere, [16, 32]) == smooth
    # 14 has a large prime factor, but is a rung.
    assert allowed_resolutions(sphere, [14]) == (8, 10, 12, 14)
    # Cells of a coarse grid are filled by those of every finer rung.
    box = _Rungs(ClosedBox((32, 32)))
    assert allowed_resolutions(box, [32, 64, 128]) == (8, 16, 32, 64, 128)
    assert allowed_resolutions(box, [8, 24, 48]) == (8, 12, 24, 48)
    assert allowed_resolutions(_Rungs(ClosedBox((24, 8))), [24, 48]) == (12, 24, 48)


def _planted(costs: dict[str, float]) -> object:
    """Seconds of surrogates by name, of solvers their number of points in milliseconds."""

    def seconds_per_step(
        entry: Entry, protocol: TransferProtocol, frames: Frames, timed_steps: int = 7
    ) -> float:
        assert isinstance(protocol, Native)
        assert frames.given.shape[0] == 1
        if isinstance(entry, SurrogateEntry):
            assert frames.grid == entry.training_grid
            return costs[entry.label.name]
        assert isinstance(entry, CoarseSolver)
        assert frames.grid == entry.grid
        assert frames.given.shape[-2:] == entry.grid.num_points
        return 1e-3 * entry.grid.resolution

    return seconds_per_step


def test_every_network_has_its_solver(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    costs = {"slow seed 1": 0.0209, "fast": 0.0125, "tiny": 0.001, "other": 9.0}
    monkeypatch.setattr(equal_cost, "seconds_per_step", _planted(costs))
    plan = _plan(
        ladder,
        fake_surrogate(ladder, keep, name="slow", seed=1, settings="a"),
        fake_surrogate(ladder, keep, name="slow", seed=2, settings="a"),
        fake_surrogate(ladder, keep, name="fast", settings="b"),
        fake_surrogate(ladder, keep, name="tiny"),
        fake_surrogate(ladder, keep, name="other", resolution=32),
    )
    with caplog.at_level(logging.INFO, logger="pdesurrogate"):
        chosen = choose_solvers(plan, "cpu")
    assert chosen == {"slow seed 1": 20, "fast": 12, "other": 32}
    assert "no solver is as cheap as tiny, which takes 0.001 s a frame" in caplog.text
    assert "slow seed 1 takes 0.0209 s a frame, the solver on 20 points 0.02 s" in caplog.text
    added = with_solvers(plan, chosen, "cpu").entries[len(plan.entries) :]
    labels = [entry.label for entry in added]
    assert [(label.name, label.cost_of) for label in labels] == [
        ("solver 20 (cost of slow)", "slow seed 1"),
        ("solver 12 (cost of fast)", "fast"),
        ("solver 32 (cost of other)", "other"),
    ]
    assert {label.model for label in labels} == {"solver at equal cost"}
    assert [label.training_resolution for label in labels] == [20, 12, 32]
    # All are split at the coarsest training grid, whatever grid they solve on.
    assert {entry.band_grid for entry in added} == {ladder.grid(16)}
    solver = added[0]
    assert isinstance(solver, CoarseSolver)
    taken = {
        (protocol.name, n)
        for protocol in plan.protocols
        for n in plan.resolutions
        if solver.takes_part(protocol, n)
    }
    assert taken == {("projected", 32)}


def test_names_that_networks_share_are_told_apart(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {"net (1)": 0.02, "net (2)": 0.03}
    monkeypatch.setattr(equal_cost, "seconds_per_step", _planted(costs))
    plan = _plan(ladder, *(fake_surrogate(ladder, keep, name="net") for _ in range(2)))
    plan = with_solvers(plan, choose_solvers(plan, "cpu"), "cpu")
    names = [e.label.name for e in plan.entries if e.label.cost_of]
    assert names == ["solver 20 (cost of net (1))", "solver 30 (cost of net (2))"]


def _given(ladder: Ladder, resolution: int) -> Frames:
    """The first frame of all trajectories; the truth is not looked at."""
    frames = load_frames(ladder, "test", resolution, ladder.prognostic_fields)
    first = frames[:, :1]
    return Frames(first, first, ladder.prognostic_fields, ladder.grid(resolution))


def test_steps_are_as_few_as_the_courant_limit_allows(ladder: Ladder) -> None:
    grid, frames = ladder.grid(32), _given(ladder, 32)
    on_grid = partial(
        solver_on, grid, ladder, [ladder.fields["vorticity"]], band_grid=ladder.grid(16)
    )
    at_reference = on_grid()
    assert at_reference.steps_per_frame == courant_steps(ladder, grid) == 16
    assert courant_steps(ladder, ladder.grid(24)) == 12
    steps = fewest_steps(at_reference, frames)
    assert 1 < steps < 16

    def courant(steps_per_frame: int) -> float:
        solver, state = on_grid(steps_per_frame=steps_per_frame).start(frames)
        return float(solver.courant_number(state).max())

    assert courant(steps) <= 0.9 * 1.35 < courant(steps - 1)
    # What they cost in accuracy is nothing beside what a surrogate errs.
    truth = load_frames(ladder, "test", 32, ["vorticity"])[:, 1:]
    frames = replace(frames, truth=truth)
    *_, last = on_grid(steps_per_frame=steps).predict(frames, Native())
    assert float(nrmse(last, truth[:, -1], grid).max()) < 0.02


def test_waves_and_rotation_limit_steps_as_well() -> None:
    """Fluid at rest has no Courant number, but 2 dt of the rotation may not exceed 2.8, nor may the
    fastest wave turn by more than is advised."""
    grid = GaussianSphere((16, 32))
    day = 86400.0
    equation = SphericalShallowWater(mean_depth=1e-6)
    assert _steps_at_rest(equation, grid, day, 64) == math.ceil(day * 2 * 7.292e-5 / 2.8)
    deep = SphericalShallowWater(mean_depth=4000.0, hyperdiffusion_degree=150)
    advised = deep.advised_step(grid, day / 5)
    assert advised < day / 5
    assert _steps_at_rest(deep, grid, day, 64) == math.ceil(day / advised)
    assert _steps_at_rest(deep, grid, day, 6) == 6  # never more than the reference takes


def _steps_at_rest(
    equation: SphericalShallowWater, grid: Grid, frame_interval: float, steps: int
) -> int:
    fields = tuple(f for f in equation.fields if f.is_prognostic)
    solver = CoarseSolver(
        fields,
        fields,
        equation,
        equation.discretise(grid, frame_interval / steps),
        steps,
        grid,
        RunLabel("solver", "baseline", "solver"),
    )
    given = torch.zeros(1, 1, len(fields), *grid.num_points)
    names = tuple(field.name for field in fields)
    given[:, :, names.index("height")] = equation.mean_depth
    return fewest_steps(solver, Frames(given, given, names, grid))


def test_steps_that_no_courant_number_limits_are_kept() -> None:
    equation = BuoyantSmoke(viscosity=0.01, diffusivity=0.01, buoyancy=0.5)
    grid = ClosedBox((8, 8), (8.0, 8.0))
    fields = tuple(f for f in equation.fields if f.is_prognostic)
    label = RunLabel("solver", "baseline", "solver")
    solver = CoarseSolver(fields, fields, equation, equation.discretise(grid, 0.5), 3, grid, label)
    given = torch.zeros(1, 1, len(fields), 8, 8)
    assert fewest_steps(solver, Frames(given, given, solver.fields, grid)) == 3


def test_a_grid_that_the_equation_refuses_is_too_coarse(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = _planted({"fake": 0.0209})

    def picky(entry: Entry, *arguments: object, **options: object) -> float:
        if isinstance(entry, CoarseSolver) and entry.grid.resolution < 20:
            raise ValueError("too coarse for the force")
        return planted(entry, *arguments, **options)  # type: ignore[operator]

    monkeypatch.setattr(equal_cost, "seconds_per_step", picky)
    assert choose_solvers(_plan(ladder, fake_surrogate(ladder, keep)), "cpu") == {"fake": 20}
    assert choose_solvers(_plan(ladder), "cpu") == {}


def test_a_slow_network_stands_beside_the_finest_solver(ladder: Ladder) -> None:
    """Measured, not planted: the finest rung is the reference itself, so that its solver is exact
    but for its longer steps."""

    def slow(window: Tensor) -> Tensor:
        time.sleep(0.06)
        return window

    runs = [fake_surrogate(ladder, slow)]
    small = {"num_steps": 1, "num_trajectories": 1}
    root = evaluate(runs, ladder, [16, 32], ["projected"], **small).to_dataset()
    name = "solver 32 (cost of fake)"
    assert list(root["run"].values).count(name) == 1
    solver = root.sel(run=name, protocol="native", resolution=32)
    assert str(solver["cost_of"].values) == "fake"
    assert float(solver["total_error"].max()) < 1e-3
    assert np.isnan(root["total_error"].sel(run=name, resolution=16)).all()
    seconds = root["seconds_per_step"].sel(protocol="native")
    assert float(seconds.sel(run=name, resolution=32)) < float(
        seconds.sel(run="fake", resolution=16)
    )
    without = evaluate(
        [fake_surrogate(ladder, keep)], ladder, [16], num_steps=1, equal_cost=False
    ).to_dataset()
    assert not (without["cost_of"] != "").any()


def test_a_solver_between_two_rungs_holds_part_of_the_detail(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds two thirds of its grid's wavenumbers: on 24 points those below 8, which are the band
    of 16 points, on 30 those below 10, which are somewhat more."""
    chosen = {"one": 24, "two": 30}
    monkeypatch.setattr(
        "pdesurrogate.evaluation.resolution_transfer.choose_solvers", lambda *_: chosen
    )
    runs = [fake_surrogate(ladder, keep, name=name) for name in chosen]
    root = evaluate(runs, ladder, [16, 32], num_steps=1, num_trajectories=2).to_dataset()
    at = {"protocol": "projected", "resolution": 32}
    floor = root["out_of_band_error"].sel(run="truncation floor 16", **at)
    same, less = (
        root["out_of_band_error"].sel(run=f"solver {n} (cost of {name})", **at)
        for name, n in chosen.items()
    )
    np.testing.assert_allclose(same, floor, rtol=1e-5)
    assert (less < 0.8 * floor).all()
    ours = root.sel(run="solver 30 (cost of two)", **at)
    np.testing.assert_allclose(ours["total_error"], ours["nrmse"], rtol=1e-4)


def test_one_band_for_runs_of_several_training_grids(ladder: Ladder) -> None:
    """A run that was trained at 32 and keeps its input errs there as persistence does, in and out
    of the band of 16."""
    runs = [
        fake_surrogate(ladder, keep, name="coarse"),
        fake_surrogate(ladder, keep, name="fine", resolution=32),
    ]
    root = evaluate(runs, ladder, [16, 32], num_steps=2, equal_cost=False).to_dataset()
    assert root.attrs["band_resolution"] == 16
    at = {"protocol": "native", "resolution": 32}
    for error in ("in_band_error", "out_of_band_error"):
        ours = root[error].sel(run="fine", **at)
        assert (ours > 1e-3).all()
        for other in ("coarse", "persistence"):
            np.testing.assert_array_equal(ours, root[error].sel(run=other, **at))
    # The floor of the finer training grid is 0 in either band.
    alone = evaluate(runs[1:], ladder, [32], num_steps=2, equal_cost=False).to_dataset()
    assert alone.attrs["band_resolution"] == 32
    np.testing.assert_allclose(alone["out_of_band_error"].sel(run="fine", **at), 0.0, atol=1e-6)


def test_the_floor_is_the_same_in_every_coarser_band(ladder: Ladder) -> None:
    """What 24 points cannot hold lies beyond the band of 16 as well."""
    truth = torch.randn(2, 1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    frames = Frames(truth, truth, ("vorticity",), ladder.grid(32))
    plan = _plan(
        ladder,
        fake_surrogate(ladder, keep, resolution=24),
        fake_surrogate(ladder, keep),
        resolutions=(16, 24, 32),
    )
    floor = next(e for e in plan.entries if e.label.name == "truncation floor 24")
    (shown,) = floor.predict(frames, plan.protocols[1])
    wide, narrow = (
        (
            metric(shown, truth[:, 0], frames.grid, band)
            for metric in (in_band_error, out_of_band_error)
        )
        for band in (ladder.grid(24), ladder.grid(16))
    )
    for one, other in zip(wide, narrow, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
