"""Datasets are a function of the recipe alone, whole or to be continued."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr
import yaml

import pdesurrogate.data.generation as generation
from pdesurrogate.data import Splits, generate, open_dataset
from pdesurrogate.data.schema import FAILED, Manifest
from pdesurrogate.transfer import resample


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/shard-*.nc"))
    }


def frames(folder: Path, split: str, trajectory: int) -> np.ndarray:
    return open_dataset(folder).split(split)[16].vorticity.sel(trajectory=trajectory).values


def test_any_number_of_workers_and_threads_gives_the_same_bytes(ladder, tiny, tmp_path):
    expected = digests(ladder.path)
    assert list(expected) == [
        "test/shard-00000.nc",
        "train/shard-00000.nc",
        "train/shard-00001.nc",
        "valid/shard-00000.nc",
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        generate(tiny, tmp_path / "threads")
    finally:
        torch.set_num_threads(threads)
    assert digests(tmp_path / "threads") == expected
    generate(tiny, tmp_path / "workers", workers=2)
    assert digests(tmp_path / "workers") == expected


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("press", [1, 30, 50, 51, 52])
def test_ctrl_c_is_not_lost_in_netcdf(press, tiny, tmp_path, monkeypatch):
    """netCDF4 looks at an index in `try` with a bare `except`.

    The first shard of two trajectories looks 52 times, at last to write down their time steps.
    """
    look, presses = netCDF4._netCDF4._StartCountStride, []

    def pressed_while_looking(*arguments, **options):
        presses.append(len(presses))
        try:
            if len(presses) == press:
                os.kill(os.getpid(), signal.SIGINT)
            return look(*arguments, **options)
        except:  # noqa: E722
            return look(*arguments, **options)

    monkeypatch.setattr(netCDF4._netCDF4, "_StartCountStride", pressed_while_looking)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            generate(tiny, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not digests(tmp_path)
    assert not list(tmp_path.glob("**/.*.partial"))


def test_any_split_size_gives_the_same_trajectories(ladder, tiny, tmp_path):
    # Trajectory 3 is the first of a batch with 1, and the last but one of a batch with 2.
    generate(replace(tiny, splits=Splits(train=4, valid=0, test=1)), tmp_path)
    for split, trajectory in (("train", 3), ("train", 0), ("test", 0)):
        np.testing.assert_array_equal(
            frames(tmp_path, split, trajectory), frames(ladder.path, split, trajectory)
        )
    assert not np.array_equal(frames(tmp_path, "train", 0), frames(tmp_path, "test", 0))


def test_an_interrupted_generation_is_continued(ladder, tiny, tmp_path, monkeypatch):
    compute, computed = generation._compute_shard, []

    def interrupted(recipe, folder, job, device):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(job.file)
        return compute(recipe, folder, job, device)

    monkeypatch.setattr(generation, "_compute_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(tiny, tmp_path)
    assert len(digests(tmp_path)) == 2
    with pytest.raises(
        ValueError,
        match=rf"valid/shard-00000.nc, test/shard-00000.nc missing or damaged; complete it with "
        rf"`pdesurrogate generate {tmp_path}/recipe.yaml --out {tmp_path}`",
    ):
        open_dataset(tmp_path)
    (tmp_path / "train" / ".shard-00001.nc.1.partial").write_text("left by a killed process")
    computed.clear()
    monkeypatch.setattr(
        generation,
        "_compute_shard",
        lambda *arguments: computed.append(arguments[2].file) or compute(*arguments),
    )
    generate(tmp_path / "recipe.yaml", tmp_path)
    assert computed == ["valid/shard-00000.nc", "test/shard-00000.nc"]
    assert digests(tmp_path) == digests(ladder.path)
    assert not list(tmp_path.glob("**/*.partial"))


def test_larger_splits_extend_a_dataset_and_smaller_ones_leave_it(ladder, tiny, tmp_path):
    generate(replace(tiny, splits=Splits(train=2, valid=1, test=2)), tmp_path)
    extended = generate(tiny, tmp_path)
    assert extended.num_trajectories("train") == 5
    assert digests(tmp_path) == digests(ladder.path)
    again = generate(replace(tiny, splits=Splits(train=1, valid=1, test=1)), tmp_path)
    assert again.num_trajectories("train") == 5


def test_another_recipe_or_somebodys_folder_is_never_overwritten(tiny, tmp_path):
    small = replace(tiny, splits=Splits(1, 0, 0), accuracy_trajectories=0)
    generate(small, tmp_path / "data")
    before = digests(tmp_path / "data")
    with pytest.raises(ValueError, match=r"holds another dataset \(seed is 0, not 5\)"):
        generate(replace(small, seed=5), tmp_path / "data")
    assert digests(tmp_path / "data") == before
    generate(replace(small, seed=5), tmp_path / "data", overwrite=True)
    assert digests(tmp_path / "data") != before
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="exists and is no dataset"):
        generate(small, tmp_path / "theirs", overwrite=True)
    assert (tmp_path / "theirs" / "thesis.tex").exists()


def test_every_rung_is_the_truncation_of_the_finer_one(ladder):
    for name in ladder.fields:
        fine = torch.from_numpy(ladder.train[16][name].values)
        coarse = torch.from_numpy(ladder.train[8][name].values)
        scale = float(coarse.abs().max())
        torch.testing.assert_close(resample(fine, (8, 8)), coarse, rtol=0, atol=1e-6 * scale)


def test_the_vorticity_is_that_of_the_velocity(ladder):
    from pdesurrogate.operators import vorticity_from_velocity

    rung = ladder.test[16]
    u, v = (torch.from_numpy(rung[f"velocity_{axis}"].values).double() for axis in "xy")
    computed = vorticity_from_velocity(u, v, ladder.grid(16))
    np.testing.assert_allclose(
        computed, rung.vorticity, atol=1e-5 * float(abs(rung.vorticity).max())
    )


def test_a_shard_opens_with_plain_xarray(ladder):
    with xr.open_datatree(ladder.path / "train" / "shard-00001.nc") as opened:
        tree = opened.load()
    assert tree.attrs["Conventions"] == "CF-1.11"
    assert tree["seed"].values.tolist() == [0, 0]
    assert tree["trajectory"].values.tolist() == [3, 4]
    rung = tree["resolution_16"].to_dataset()
    assert dict(rung.sizes) == {"trajectory": 2, "time": 5, "y": 16, "x": 16}
    assert set(rung.data_vars) == {"vorticity", "velocity_x", "velocity_y"}
    for variable in rung.data_vars.values():
        assert variable.dtype == np.float32
        assert variable.attrs["units"] == "1"
        assert variable.attrs["long_name"]
    np.testing.assert_allclose(rung.x, 2 * np.pi * np.arange(16) / 16)
    np.testing.assert_allclose(rung.time, 0.25 * np.arange(5))
    with netCDF4.Dataset(ladder.path / "train" / "shard-00001.nc") as file:
        assert file["resolution_16"]["vorticity"].chunking() == "contiguous"


def test_the_manifest_says_what_is_there(ladder, tiny):
    content = json.loads((ladder.path / "manifest.json").read_text())
    assert content["recipe"] == tiny.to_dict()
    assert content["recipe_sha256"] == tiny.sha256
    assert [shard["trajectories"] for shard in content["shards"]] == [3, 2, 1, 2]
    assert {"torch", "numpy", "pdesurrogate"} <= set(content["versions"])
    for shard in content["shards"]:
        digest = hashlib.sha256((ladder.path / shard["file"]).read_bytes()).hexdigest()
        assert shard["sha256"] == digest
    ladder.verify()


def test_accuracy_improves_with_the_reference(ladder, tiny):
    from pdesurrogate.data.accuracy import measure_accuracy

    stated = ladder.accuracy["relative_l2_error"]["8"]["vorticity"]
    assert set(stated) == {"first_frame", "middle_frame", "last_frame"}
    assert 0 < stated["first_frame"] < stated["last_frame"] < 1
    better = measure_accuracy(replace(tiny, reference_resolution=64, steps_per_frame=16))
    ratio = better["relative_l2_error"]["8"]["vorticity"]["first_frame"] / stated["first_frame"]
    assert ratio < 0.2


def test_a_trajectory_that_breaks_the_courant_limit_is_tried_with_half_the_step(tiny, tmp_path):
    strong = replace(tiny.equation, forcing=replace(tiny.equation.forcing, amplitude=2.0))
    options = {"equation": strong, "splits": Splits(3, 0, 0), "accuracy_trajectories": 0}
    hasty = generate(replace(tiny, steps_per_frame=4, **options), tmp_path / "hasty")
    with netCDF4.Dataset(tmp_path / "hasty" / "train" / "shard-00000.nc") as file:
        assert file["time_step"][:].tolist() == [0.0625, 0.03125, 0.0625]
        assert file["status"][:].tolist() == [0, 0, 0]
    patient = generate(replace(tiny, steps_per_frame=8, **options), tmp_path / "patient")
    same = hasty.train[16].vorticity == patient.train[16].vorticity
    assert same.all(("time", "y", "x")).values.tolist() == [False, True, False]


def test_failed_trajectories_are_recorded_and_left_out(tiny, tmp_path, monkeypatch):
    simulate = generation.simulate

    def one_explodes(recipe, split, indices, *, on_failure, **options):
        def note(failure):
            on_failure(failure)

        if split == "train":
            from pdesurrogate.data.simulate import Failure

            note(Failure(1, "non-finite at time 0.5 (limit 1.35) in trajectory 1 of train, seed 0"))
        return simulate(recipe, split, indices, on_failure=note, **options)

    monkeypatch.setattr(generation, "simulate", one_explodes)
    small = replace(tiny, splits=Splits(3, 1, 0), accuracy_trajectories=0)
    data = generate(small, tmp_path)
    assert data.manifest.shards[0].failed == (1,)
    assert data.num_trajectories("train") == 2
    assert data.train[16].trajectory.values.tolist() == [0, 2]
    assert np.isfinite(data.train[16].vorticity.values).all()
    with netCDF4.Dataset(tmp_path / "train" / "shard-00000.nc") as file:
        assert file["status"][:].tolist() == [0, FAILED, 0]
        assert "seed 0" in file["failure"][1]
        assert np.isnan(file["resolution_16"]["vorticity"][1].filled(np.nan)).all()


def test_if_everything_fails_the_user_is_told(tiny, tmp_path):
    forcing = replace(tiny.equation.forcing, amplitude=1e4)
    wild = replace(
        tiny,
        equation=replace(tiny.equation, forcing=forcing),
        splits=Splits(1, 0, 0),
        accuracy_trajectories=0,
    )
    with pytest.raises(
        ValueError,
        match=r"every trajectory .* at 24 steps per frame; raise steps_per_frame \(and give "
        r"--overwrite\); the first failure: .* at time .* in trajectory 0 of train, seed 0",
    ):
        generate(wild, tmp_path)


def test_wrong_devices_and_workers_are_refused(tiny, tmp_path):
    with pytest.raises(ValueError, match="but this machine has"):
        generate(tiny, tmp_path / "a", device="cuda:99")
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        generate(tiny, tmp_path / "b", workers=0)
    assert not list(tmp_path.iterdir())


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json is not a readable manifest"):
        Manifest.read(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no dataset .*nowhere"):
        Manifest.read(tmp_path / "nowhere")


def test_an_interrupted_extension_is_incomplete(tiny, tmp_path, monkeypatch):
    small = replace(tiny, splits=Splits(5, 0, 0), accuracy_trajectories=0)
    generate(small, tmp_path)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(generation, "_compute_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(replace(small, splits=Splits(6, 0, 0)), tmp_path)
    with pytest.raises(ValueError, match=r"train/shard-00001.nc missing or damaged"):
        open_dataset(tmp_path)


def test_overwriting_deletes_a_datasets_own_files_only(tiny, tmp_path):
    small = replace(tiny, splits=Splits(1, 0, 0), accuracy_trajectories=0)
    generate(small, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    generate(replace(small, seed=5), tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").exists()


def test_opening_a_dataset_imports_nothing_that_it_names(tiny, tmp_path):
    generate(replace(tiny, splits=Splits(1, 0, 0), accuracy_trajectories=0), tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["recipe"]["equation"]["class_path"] = "some_module.Equation"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="import some_module first if you trust it"):
        _ = open_dataset(tmp_path).recipe


def test_a_step_that_is_unstable_from_the_start_is_refused_before_anything_is_written(
    tiny, tmp_path
):
    hasty = replace(tiny, steps_per_frame=2, accuracy_trajectories=0)
    with pytest.raises(ValueError, match=r"steps_per_frame 2 is unstable.*1\.57.*at least 3"):
        generate(hasty, tmp_path / "data")
    data = generate(replace(hasty, steps_per_frame=3), tmp_path / "data")
    assert data.num_frames == 5
    with pytest.raises(ValueError, match="is unstable"):
        generate(hasty, tmp_path / "data", overwrite=True)
    data.verify()  # the present dataset has survived the refusal


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_workers_end_with_the_process_that_started_them(tiny, tmp_path):
    (tmp_path / "recipe.yaml").write_text(
        yaml.safe_dump(replace(tiny, splits=Splits(300, 0, 0)).to_dict())
    )
    code = (
        "from pdesurrogate.data import generate\n"
        "if __name__ == '__main__':\n"
        f"    generate({str(tmp_path / 'recipe.yaml')!r}, {str(tmp_path / 'data')!r}, workers=2)\n"
    )
    (tmp_path / "run.py").write_text(code)
    parent = subprocess.Popen([sys.executable, tmp_path / "run.py"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "data").glob("train/shard-*.nc")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = [int(pid) for pid in _children(parent.pid)]
    assert len(workers) >= 2
    parent.kill()
    parent.wait()
    while any(_is_running(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
