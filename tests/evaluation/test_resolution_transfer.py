from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch
import xarray as xr

from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation import evaluate
from pdesurrogate.evaluation.protocols import Setting, Step, TransferProtocol
from pdesurrogate.evaluation.schema import SCORES, VARIABLES
from pdesurrogate.metrics import nrmse
from tests.evaluation.fakes import Answering, fake_surrogate, keep, overflow

ERRORS = ("nrmse", "vrmse", "r_mse", "in_band_error", "out_of_band_error", "total_error")


def test_only_predicted_frames_count(ladder: Ladder) -> None:
    """A surrogate that adds 1 to the last frame: its k-th frame is the last given one plus k."""
    adding = fake_surrogate(ladder, lambda window: window[:, -1:] + 1, history=2)
    root = evaluate([adding], ladder, [16], equal_cost=False).to_dataset()
    np.testing.assert_allclose(root.lead_time, ladder.time_step * np.arange(1, 6))
    frames = load_frames(ladder, "test", 16, ["vorticity"])[:, :, 0].double()
    grid = ladder.grid(16)
    ours = root.nrmse.sel(run="fake", protocol="native", resolution=16, field="vorticity")
    for k in range(5):
        expected = nrmse(frames[:, 1] + k + 1, frames[:, 2 + k], grid)
        np.testing.assert_allclose(ours.isel(lead_time=k), expected, rtol=1e-5)
    # 5 frames in two shards that fit in one batch, and 1 + 7 single steps for the timing
    assert isinstance(adding.module, Answering)
    assert adding.module.calls == 5 + 8


def test_persistence_by_hand(table: xr.DataTree, ladder: Ladder) -> None:
    frames = load_frames(ladder, "test", 24, ["vorticity"])[:, :, 0].double()
    ours = table["nrmse"].sel(run="persistence", protocol="native", resolution=24)
    for k in range(6):
        expected = nrmse(frames[:, 0], frames[:, k + 1], ladder.grid(24))
        np.testing.assert_allclose(
            ours.sel(field="vorticity").isel(lead_time=k), expected, rtol=1e-5
        )


def test_a_pointwise_operator_is_the_same_at_every_rung(table: xr.DataTree) -> None:
    for name in (score.name for score in SCORES):
        native = table[name].sel(protocol="native")
        np.testing.assert_array_equal(native.sel(run="fake"), native.sel(run="persistence"))


def test_projection_of_persistence_keeps_the_resolved_band(table: xr.DataTree) -> None:
    native = table["in_band_error"].sel(run="fake", protocol="native")
    projected = table["in_band_error"].sel(run="fake", protocol="projected")
    for resolution in (24, 32):
        np.testing.assert_allclose(
            projected.sel(resolution=resolution), native.sel(resolution=resolution), rtol=1e-5
        )
    floor = table["out_of_band_error"].sel(run="truncation floor 16", protocol="projected")
    ours = table["out_of_band_error"].sel(run="fake", protocol="projected")
    np.testing.assert_allclose(ours, floor, rtol=1e-5)


def test_floor_has_no_error_in_band_and_is_the_tail_of_the_true_field(
    table: xr.DataTree, ladder: Ladder
) -> None:
    floor = table.to_dataset().sel(run="truncation floor 16", protocol="projected", resolution=32)
    assert (floor.in_band_error < 1e-6).all()
    frames = load_frames(ladder, "test", 32, ["vorticity"])[:, 1:, 0].double()
    modes = torch.fft.fft2(frames, norm="forward").abs() ** 2
    k = torch.fft.fftfreq(32, 1 / 32).abs()
    unresolved = (k[:, None] >= 8) | (k >= 8)
    tail = ((modes * unresolved).sum((-2, -1)) / modes.sum((-2, -1))).sqrt()
    np.testing.assert_allclose(floor.out_of_band_error.sel(field="vorticity"), tail, rtol=1e-4)


def test_bands_add_up(table: xr.DataTree) -> None:
    square = table["in_band_error"] ** 2 + table["out_of_band_error"] ** 2
    xr.testing.assert_allclose(square, table["total_error"] ** 2, rtol=1e-5)
    xr.testing.assert_allclose(table["total_error"], table["nrmse"], rtol=1e-4)


def test_the_solver_is_exact_at_its_own_grid(ladder: Ladder) -> None:
    """The finest rung is the reference itself: only the rounding of the files separates them."""
    perfect = fake_surrogate(ladder, keep, resolution=32)
    root = evaluate([perfect], ladder, [32]).to_dataset()
    solver = root.sel(run="coarse solver 32", protocol="native", resolution=32)
    assert (solver.nrmse < 2e-5).all()
    assert (solver.correlation > 1 - 1e-6).all()


def test_where_each_run_takes_part(table: xr.DataTree) -> None:
    ran = table["blow_up"].isel(trajectory=0, lead_time=0) >= 0
    combinations = {
        (str(run), str(protocol), int(resolution))
        for run in table.run.values
        for protocol in table.protocol.values
        for resolution in table.resolution.values
        if ran.sel(run=run, protocol=protocol, resolution=resolution)
    }
    finer = [("projected", 24), ("projected", 32)]
    everywhere = [("native", 16), ("native", 24), ("native", 32)]
    assert combinations == {
        *(("fake", *c) for c in everywhere + finer),
        *(("fake", "transported", n) for n in (24, 32)),
        *(("persistence", *c) for c in everywhere),
        *(("truncation floor 16", *c) for c in finer),
        *(("coarse solver 16", *c) for c in [("native", 16), *finer]),
    }
    for name in ERRORS:
        np.testing.assert_array_equal(
            np.isnan(table[name].isel(trajectory=0, lead_time=0, field=0)), ~ran
        )


def test_the_trained_grid_is_a_row_even_if_native_was_not_asked_for(ladder: Ladder) -> None:
    root = evaluate([fake_surrogate(ladder, keep)], ladder, [16, 32], ["projected"]).to_dataset()
    ours = root.nrmse.sel(run="fake").isel(trajectory=0, lead_time=0, field=0)
    assert list(root.protocol.values) == ["native", "projected"]
    assert not np.isnan(ours.sel(protocol="native", resolution=16))
    assert np.isnan(ours.sel(protocol="native", resolution=32))
    assert not np.isnan(ours.sel(protocol="projected", resolution=32))


def test_a_protocol_of_the_users_own(ladder: Ladder) -> None:
    class Doubled(TransferProtocol):
        def carry(self, step: Step, setting: Setting) -> Step:
            assert setting.training_grid == ladder.grid(16)
            assert setting.evaluation_grid == ladder.grid(32)
            assert [field.name for field in setting.fields] == ["vorticity"]
            return lambda window: 2 * step(window)

    root = evaluate([fake_surrogate(ladder, keep)], ladder, [16, 32], [Doubled()]).to_dataset()
    assert list(root.protocol.values) == ["native", "doubled"]
    power = root.mean_square.sel(run="fake", protocol="doubled", resolution=32)
    np.testing.assert_allclose(power.isel(lead_time=1), 16 * power.isel(lead_time=0) / 4, rtol=1e-5)


def test_batches_do_not_matter(ladder: Ladder, table: xr.DataTree) -> None:
    same = [fake_surrogate(ladder, keep)]
    again = evaluate(same, ladder, [16, 24, 32], batch_size=2, equal_cost=False)
    for variable in VARIABLES:
        if variable.name != "seconds_per_step":
            # Errors that are zero but for the rounding of float32 differ by it: 1e-6 of the truth.
            again_, table_ = again[variable.name], table[variable.name]
            xr.testing.assert_allclose(again_, table_, rtol=1e-5, atol=1e-6)


def test_runs_with_different_fields_and_histories(ladder: Ladder) -> None:
    first = fake_surrogate(ladder, keep, name="one field")
    second = fake_surrogate(
        ladder,
        lambda window: window[:, -2:],
        fields=("velocity_y", "velocity_x"),
        history=3,
        name="the velocity",
    )
    root = evaluate([first, second], ladder, [16], num_steps=2, num_trajectories=3).to_dataset()
    assert list(root.field.values) == ["vorticity", "velocity_x", "velocity_y"]
    assert root.sizes["lead_time"] == 2
    assert root.sizes["trajectory"] == 3
    assert root.attrs["history"] == 3
    scores = root.nrmse.sel(protocol="native", resolution=16)
    persistence = scores.sel(run="persistence")
    for run, fields in (
        ("one field", ["vorticity"]),
        ("the velocity", ["velocity_x", "velocity_y"]),
    ):
        np.testing.assert_array_equal(
            scores.sel(run=run, field=fields), persistence.sel(field=fields)
        )
        missing = [name for name in root.field.values if name not in fields]
        assert np.isnan(scores.sel(run=run, field=missing)).all()


def test_examples_are_the_fields_that_were_scored(table: xr.DataTree, ladder: Ladder) -> None:
    for resolution in (16, 24, 32):
        group = table[f"example_{resolution}"]
        frames = load_frames(ladder, "test", resolution, ["vorticity"])[0, :, 0]
        np.testing.assert_array_equal(group["truth"][:, 0], frames[1:])
        native = group["prediction"].sel(run="fake", protocol="native")[:, 0]
        np.testing.assert_array_equal(native, frames[:1].expand(6, -1, -1))
        np.testing.assert_array_equal(group.y, ladder.grid(resolution).y)
        assert np.isnan(group["prediction"].sel(run="persistence")).all()
        assert not np.isnan(group["prediction"].sel(run="coarse solver 16")).all()


def test_spectra_sum_to_the_resolved_part_of_the_mean_square(table: xr.DataTree) -> None:
    sums = table["true_spectrum"].sum("wavenumber")
    power = table["true_mean_square"].sel(lead_time=sums.spectrum_lead_time.values)
    assert (sums.values <= power.values * (1 + 1e-5)).all()
    # The reference holds modes up to 10 along each side, all of them within the complete shells.
    finest = {"resolution": -1}
    np.testing.assert_allclose(sums[finest], power[finest], rtol=1e-5)
    assert np.isnan(table["true_spectrum"].sel(resolution=16, wavenumber=slice(8, None))).all()
    assert not np.isnan(table["true_spectrum"].sel(wavenumber=slice(0, 7))).any()


def test_labels_and_attributes(table: xr.DataTree, ladder: Ladder) -> None:
    ours = table.sel(run="fake")
    assert ours["parameters"] == 12
    assert ours["flops"] == 34
    assert ours["training_resolution"] == 16
    assert ours["seed"] == 7
    assert ours["kind"] == "surrogate"
    assert table.attrs["dataset_sha256"] == ladder.sha256
    assert json.loads(table.attrs["commands"]) == ["do it"]
    assert "torch" in json.loads(table.attrs["versions"])
    assert (table["seconds_per_step"].sel(run="fake", protocol="native") > 0).all()
    assert np.isnan(table["seconds_per_step"].sel(run="truncation floor 16")).all()


def test_progress_is_logged_without_a_terminal(
    ladder: Ladder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="pdesurrogate.evaluation"):
        evaluate([], ladder, [16, 32], num_steps=1)
    assert caplog.messages[0] == "rollout 1/5  persistence, native at 16"
    assert len(caplog.messages) == 5


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_a_network_that_breaks_is_evaluated_under_every_protocol(ladder: Ladder) -> None:
    table = evaluate([fake_surrogate(ladder, overflow)], ladder, [16, 24], num_steps=4)
    assert list(table.protocol.values) == ["native", "projected", "transported"]
    errors = table["nrmse"].sel(run="fake", resolution=24, field="vorticity")
    assert np.isinf(errors.isel(lead_time=slice(1, None))).all()
    solver = table["nrmse"].sel(run="coarse solver 16", protocol="projected", resolution=24)
    assert np.isfinite(solver).all()
