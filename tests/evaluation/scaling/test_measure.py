"""The walk up a small ladder of a real flow, with networks whose numbers are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional as F

from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation import measure_scaling, observed_order, open_scaling, write_scaling
from pdesurrogate.evaluation.scaling.level_losses import level_projections
from pdesurrogate.evaluation.scaling.schema import SCALING_VARIABLES
from pdesurrogate.evaluation.scaling.store import is_scaling_file
from pdesurrogate.fields import FieldStatistics
from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.metrics import nrmse
from pdesurrogate.models import (
    FNO,
    ClassicalUNet,
    MultiResNet,
    ResidualUNet,
    losses_along_levels,
)
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.rollout import repeat
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.transfer import prolong, restrict
from tests.evaluation.fakes import fake_surrogate, keep

RUNGS = [16, 24, 32]
STARTS = (0, 2, 5)


def average(u: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(u, (1, 1, 1, 1), mode="circular"), 3, stride=1)


def solve(data: Ladder) -> Callable[[Tensor], Tensor]:
    """The dataset's solver as a network, at the step that the evaluation gives it."""

    def answer(window: Tensor) -> Tensor:
        grid = data.grid(window.shape[-1])
        steps = 16 * grid.resolution // 32
        solver = data.equation.discretise(grid, data.time_step / steps)
        state = solver.initialise({"vorticity": window[:, -1]}, data.start_time)
        return solver.observe(repeat(solver.step, steps)(state), grid)["vorticity"][:, None]

    return answer


def network(data: Ladder, spec: ModelSpec, seed: int = 11, **changes: Any) -> Surrogate:
    """A surrogate of a model of ours that has learned nothing yet."""
    known = {"model": type(spec).__name__, "options": parts_to_plain(spec), "seed": seed}
    info = fake_surrogate(data, keep, **known, **changes).info
    return Surrogate.untrained(info, seed)


@pytest.fixture(scope="module")
def scaling(ladder: Ladder) -> xr.Dataset:
    surrogates = [
        fake_surrogate(ladder, keep, name="keep"),
        fake_surrogate(ladder, average, name="average"),
        fake_surrogate(ladder, lambda window: window + window**2, name="square"),
        fake_surrogate(ladder, solve(ladder), name="solving"),
    ]
    return measure_scaling(surrogates, ladder, RUNGS, random_seeds=0, commands=["do it"])


@pytest.fixture(scope="module")
def top(ladder: Ladder) -> Tensor:
    """All test frames on the top rung, in double precision."""
    return load_frames(ladder, "test", 32, ["vorticity"])[:, :, 0].double()


def band(u: Tensor, n: int) -> Tensor:
    return restrict(u, PeriodicBox(tuple(u.shape[-2:])), PeriodicBox((n, n)))


def test_every_start_and_trajectory_has_its_number(scaling: xr.Dataset, ladder: Ladder) -> None:
    assert dict(scaling.sizes) == {
        "run": 5,
        "resolution": 3,
        "trajectory": 5,
        "start": 3,
        "field": 1,
        "level": 1,
    }
    np.testing.assert_allclose(scaling.start, [ladder.time_step * s for s in STARTS])
    assert list(scaling.kind.values) == ["surrogate"] * 4 + ["baseline"]
    c = scaling.commutation_error
    assert np.isnan(c.sel(resolution=32)).all()
    assert np.isfinite(c.sel(resolution=[16, 24])).all()


def test_a_pointwise_operator_commutes_to_rounding(scaling: xr.Dataset) -> None:
    c = scaling.commutation_error.sel(run="keep", resolution=[16, 24])
    assert (c < 1e-6).all()
    assert np.isnan(scaling.order.sel(run="keep")).all()


def test_the_averaging_network_by_its_symbol(scaling: xr.Dataset, top: Tensor) -> None:
    def symbol(n: int) -> np.ndarray:
        one = (1 + 2 * np.cos(2 * np.pi * np.fft.fftfreq(32, 1 / 32) / n)) / 3
        return one[:, None] * one

    modes = np.abs(np.fft.fft2(top.numpy())) ** 2
    power = lambda factor: (factor**2 * modes).sum((-2, -1))  # noqa: E731
    for n in (16, 24):
        k = np.abs(np.fft.fftfreq(32, 1 / 32))
        held = (k[:, None] < n / 2) & (k < n / 2)
        gap = power(held * (symbol(32) - symbol(n)))[:, list(STARTS)]
        ours = scaling.sel(run="average", resolution=n).isel(field=0)
        expected = np.sqrt(gap / power(symbol(32))[:, list(STARTS)])
        np.testing.assert_allclose(ours.commutation_error, expected, rtol=1e-4)
        expected = np.sqrt(gap / power(symbol(32) - 1)[:, list(STARTS)])
        np.testing.assert_allclose(ours.commutation_error_of_change, expected, rtol=1e-4)


def test_the_order_is_that_of_the_means_over_starts(scaling: xr.Dataset) -> None:
    ours = scaling.sel(run="average").isel(field=0)
    errors = ours.commutation_error.mean("start").values.T[:, :2].astype(float)
    fit = observed_order([1 / 16, 1 / 24], errors, 1 / 32)
    assert ours.order.item() == pytest.approx(fit.order, rel=1e-5)
    assert ours.order_low.item() == pytest.approx(fit.low, rel=1e-5)
    assert fit.low < fit.order < fit.high
    assert np.isnan(ours.order_residual)


def test_the_solver_as_a_network_is_the_solver(
    scaling: xr.Dataset, top: Tensor, ladder: Ladder
) -> None:
    solver, solving = (scaling.sel(run=run).isel(field=0) for run in ("solver", "solving"))
    np.testing.assert_allclose(
        solving.commutation_error, solver.commutation_error, rtol=1e-3, atol=1e-7
    )
    assert (solver.commutation_error.sel(resolution=24) > 1e-5).all()
    # The top rung is the reference simulation's grid: only the rounding of files is left.
    assert (solving.extrapolation_error.sel(resolution=32) < 2e-5).all()
    np.testing.assert_allclose(
        solving.out_of_band_change, solving.solver_out_of_band_change, rtol=1e-3, atol=1e-6
    )
    # Hence S_N u is the next stored frame, and R S_N u its restriction.
    coarse = band(top[:, STARTS[1]], 16).float()
    known = solve(ladder)(coarse[:, None])[:, 0].double()
    after = top[:, STARTS[1] + 1]
    gap = (band(after, 16) - known).square().mean((-2, -1)) / after.square().mean((-2, -1))
    ours = solver.commutation_error.sel(resolution=16).isel(start=1)
    np.testing.assert_allclose(ours, gap.sqrt(), rtol=1e-3)


def test_both_tasks_are_the_plain_error_on_the_training_grid(
    scaling: xr.Dataset, top: Tensor
) -> None:
    at_home = scaling.sel(resolution=16).isel(run=slice(0, 4))
    np.testing.assert_allclose(at_home.interpolation_error, at_home.extrapolation_error, rtol=1e-6)
    for s, start in enumerate(STARTS):
        expected = nrmse(
            band(top[:, start], 16), band(top[:, start + 1], 16), PeriodicBox((16, 16))
        )
        ours = at_home.extrapolation_error.sel(run="keep").isel(start=s, field=0)
        np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_a_pointwise_network_interpolates_without_loss_and_cannot_extrapolate(
    scaling: xr.Dataset, top: Tensor
) -> None:
    keeping = scaling.sel(run="keep").isel(field=0)
    for n in (24, 32):
        # Prolongation keeps norms, so the same error on more points.
        np.testing.assert_allclose(
            keeping.interpolation_error.sel(resolution=n),
            keeping.interpolation_error.sel(resolution=16),
            rtol=1e-5,
        )
        for s, start in enumerate(STARTS):
            expected = nrmse(
                band(top[:, start], n), band(top[:, start + 1], n), PeriodicBox((n, n))
            )
            ours = keeping.extrapolation_error.sel(resolution=n).isel(start=s)
            np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_new_detail_by_hand(scaling: xr.Dataset, top: Tensor) -> None:
    grid, coarse = PeriodicBox((32, 32)), PeriodicBox((16, 16))
    v = prolong(restrict(top[:, STARTS[2]], grid, coarse), coarse, grid)
    change = v**2
    beyond = change - prolong(restrict(change, grid, coarse), coarse, grid)
    expected = (beyond.square().mean((-2, -1)) / change.square().mean((-2, -1))).sqrt()
    ours = scaling.sel(run="square", resolution=32).isel(start=2, field=0)
    np.testing.assert_allclose(ours.out_of_band_change, expected, rtol=1e-4)
    assert (expected > 0.05).all()
    true = top[:, STARTS[2] + 1] - top[:, STARTS[2]]
    beyond = true - prolong(restrict(true, grid, coarse), coarse, grid)
    expected = (beyond.square().mean((-2, -1)) / true.square().mean((-2, -1))).sqrt()
    np.testing.assert_allclose(ours.true_out_of_band_change, expected, rtol=1e-4)
    assert np.isnan(scaling.out_of_band_change.sel(resolution=16)).all()
    assert np.isnan(scaling.out_of_band_change.sel(run="solver")).all()


def test_untrained_networks_are_built_once_for_each_kind(ladder: Ladder) -> None:
    spec = MultiResNet(width=4, levels=1)
    two_seeds = [network(ladder, spec, seed, name="multi") for seed in (1, 0)]
    other = network(ladder, FNO(width=4, modes=4), 1, name="fno")
    found = measure_scaling(
        [*two_seeds, other], ladder, [16, 32], num_starts=1, num_trajectories=2, random_seeds=2
    )
    assert list(found.run.values) == [
        "multi seed 1",
        "multi seed 0",
        "fno",
        "multi seed 1 untrained 2",
        "multi seed 1 untrained 3",
        "fno untrained 2",
        "fno untrained 3",
        "solver",
    ]
    assert list(found.kind.values) == ["surrogate"] * 3 + ["untrained"] * 4 + ["baseline"]
    assert list(found.seed.values) == [1, 0, 1, 2, 3, 2, 3, -1]
    untrained = found.sel(run=found.kind == "untrained")
    c = untrained.commutation_error.sel(resolution=16)
    assert np.isfinite(c).all()
    assert len(np.unique(c.isel(trajectory=0))) == 4
    assert np.isnan(untrained.extrapolation_error).all()
    # Two rungs are too few for an order.
    assert np.isnan(found.order).all()


def test_an_untrained_network_depends_on_its_seed_alone(ladder: Ladder) -> None:
    info = network(ladder, MultiResNet(width=4, levels=1)).info
    before = torch.random.get_rng_state()
    one, again, other = (Surrogate.untrained(info, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (one.info.seed, one.info.epochs) == (5, 0)
    assert one.info.statistics == info.statistics
    window = torch.randn(1, 1, 1, 16, 16)
    assert torch.equal(one.step(window), again.step(window))
    assert not torch.allclose(one.step(window), other.step(window))
    with pytest.raises(ValueError, match="unknown model 'Answering'"):
        Surrogate.untrained(replace(info, model="Answering"), 0)


def test_level_losses_are_those_of_the_network_itself(ladder: Ladder, top: Tensor) -> None:
    statistics = FieldStatistics(("vorticity",), (0.1,), (2.0,), (0.5,))
    multi = network(
        ladder, ResidualUNet(width=4, levels=2), statistics=statistics, predicts_change=True
    )
    fno = network(ladder, FNO(width=4, modes=4), name="fno")
    found = measure_scaling(
        [multi, fno], ladder, RUNGS, num_starts=2, num_trajectories=3, random_seeds=0
    )
    assert found.sizes["level"] == 3
    projections = level_projections(multi.module, ladder.grid(16))
    for n in RUNGS:
        before, after = (band(top[:3, frame], n).float()[:, None] for frame in (5, 6))
        for i in range(3):
            direct = losses_along_levels(
                multi.module,
                (before[i : i + 1] - 0.1) / 2.0,
                (after - before)[i : i + 1] / 0.5,
                projections,
            )
            ours = found.sel(run="fake", resolution=n).isel(trajectory=i, start=1)
            np.testing.assert_allclose(ours.level_loss, direct["squared_loss"], rtol=1e-3)
            np.testing.assert_allclose(
                ours.level_truncation, direct["squared_truncation"], rtol=1e-3, atol=1e-6
            )
    assert (found.level_loss.sel(run="fake").diff("level") > 0).all()
    assert np.isnan(found.level_loss.sel(run="fno")).all()


def test_networks_whose_losses_are_not_ordered_have_none() -> None:
    box = PeriodicBox((16, 16))
    haar, maxima = MultiResNet(4, 2).build(1, 1, box), ClassicalUNet(4, 2).build(1, 1, box)
    assert len(level_projections(haar, box)) == 2
    assert level_projections(maxima, box) == []
    assert level_projections(FNO(4, 4).build(1, 1, box), box) == []
    assert level_projections(haar, GaussianSphere((16, 32))) == []


def test_histories_and_bundles(ladder: Ladder) -> None:
    """A network of three frames that predicts two, beside one of one."""
    extrapolating = fake_surrogate(
        ladder,
        lambda window: torch.cat([2 * window[:, 2:] - window[:, 1:2], window[:, :1]], dim=1),
        name="two frames",
        history=3,
        bundle=2,
    )
    keeping = fake_surrogate(ladder, keep, name="keep")
    found = measure_scaling(
        [extrapolating, keeping], ladder, [16, 32], num_starts=2, random_seeds=0
    )
    np.testing.assert_allclose(found.start, [2 * ladder.time_step, 4 * ladder.time_step])
    frames = load_frames(ladder, "test", 32, ["vorticity"])[:, :, 0].double()
    for s, last in enumerate((2, 4)):
        predicted = 2 * frames[:, last] - frames[:, last - 1]
        expected = nrmse(predicted, frames[:, last + 1], ladder.grid(32))
        ours = found.extrapolation_error.sel(run="two frames", resolution=32)
        np.testing.assert_allclose(ours.isel(start=s, field=0), expected, rtol=1e-5)
    c = found.commutation_error.sel(resolution=16).isel(run=[0, 1])
    assert (c < 2e-6).all()


def test_batches_do_not_matter(ladder: Ladder) -> None:
    averaging = fake_surrogate(ladder, average)
    one, other = (
        measure_scaling([averaging], ladder, [16, 32], random_seeds=0, batch_size=size)
        for size in (8, 2)
    )
    xr.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_file_opens_with_plain_xarray(scaling: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "scaling.nc"
    write_scaling(scaling, path)
    with xr.open_dataset(path) as plain:
        xr.testing.assert_equal(plain.load(), scaling)
        assert plain.attrs["Conventions"] == "CF-1.11"
        assert json.loads(plain.attrs["commands"]) == ["do it"]
        assert "torch" in json.loads(plain.attrs["versions"])
        assert all(plain[v.name].attrs["long_name"] == v.long_name for v in SCALING_VARIABLES)
    xr.testing.assert_equal(open_scaling(path), scaling)
    assert is_scaling_file(path)
    lacking = tmp_path / "lacking.nc"
    scaling.drop_vars("order").to_netcdf(lacking)
    with pytest.raises(ValueError, match="is no scaling file: it lacks 'order'"):
        open_scaling(lacking)
    (tmp_path / "text.nc").write_text("not netCDF")
    assert not is_scaling_file(tmp_path / "text.nc")
    with pytest.raises(ValueError, match="it is no netCDF-4 file"):
        open_scaling(tmp_path / "text.nc")
    with pytest.raises(FileNotFoundError, match=r"absent\.nc"):
        open_scaling(tmp_path / "absent.nc")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolutions": [16]}, "at least two resolutions, got 16 alone"),
        ({"resolutions": [16, 20]}, "resolution 20 is not in"),
        ({"num_starts": 0}, "num_starts must lie between 1 and 6"),
        ({"num_starts": 7}, "num_starts must lie between 1 and 6, .* got 7"),
        ({"random_seeds": -1}, "random_seeds must not be negative, got -1"),
        ({"fit_last": 3}, "fit_last must lie between 2 and 2, .* got 3"),
        ({"resolutions": [16, 24], "fit_last": 2}, "at least two rungs below the top, got 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"num_trajectories": 9}, "num_trajectories must lie between 1 and 5"),
    ],
)
def test_nonsense_is_refused(ladder: Ladder, change: dict[str, Any], message: str) -> None:
    wishes: dict[str, Any] = {"resolutions": RUNGS, "random_seeds": 0, **change}
    with pytest.raises(ValueError, match=message):
        measure_scaling([fake_surrogate(ladder, keep)], ladder, **wishes)


def test_a_grid_that_a_network_does_not_allow_is_named(ladder: Ladder) -> None:
    deep = network(ladder, MultiResNet(width=2, levels=4), name="deep")
    with pytest.raises(ValueError, match=r"deep at 24: .*cannot coarsen a grid of 24 x 24"):
        measure_scaling([deep], ladder, RUNGS, random_seeds=0)
