"""Lazy datasets, windows, statistics: the same numbers by every way in."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from pdesurrogate.data import Windows, field_statistics, load_frames, open_dataset

FIELDS = ("vorticity", "velocity_x")


def test_the_lazy_dataset_reads_only_what_is_asked_for(ladder, monkeypatch):
    from pdesurrogate.data.shards import ShardReader

    read, calls = ShardReader.read, []
    monkeypatch.setattr(
        ShardReader, "read", lambda self, row, *rest: calls.append(row) or read(self, row, *rest)
    )
    rung = ladder.train[16]
    assert calls == []
    assert rung.sizes == {"trajectory": 5, "time": 5, "y": 16, "x": 16}
    rung.vorticity.isel(trajectory=3, time=0).load()
    assert calls == [3]


@pytest.mark.parametrize(
    "where",
    [
        {"trajectory": 4},
        {"trajectory": slice(1, 5, 2), "time": -1},
        {"trajectory": [4, 0], "y": slice(None, None, -3)},
        {"time": slice(3, 1, -1), "x": [1, 1, 7]},
        {"trajectory": slice(2, 2)},
    ],
)
def test_indexing_is_that_of_the_array_in_memory(ladder, where):
    lazy = ladder.train[16].vorticity
    whole = ladder.train[16].vorticity.load()
    np.testing.assert_array_equal(lazy.isel(where).values, whole.isel(where).values)


def test_frames_are_the_dataset_as_a_tensor(ladder):
    frames = load_frames(ladder, "train", 16, FIELDS, slice(1, 4), slice(2, None))
    assert frames.shape == (3, 3, 2, 16, 16)
    expected = ladder.train[16].velocity_x.isel(trajectory=slice(1, 4), time=slice(2, None))
    np.testing.assert_array_equal(frames[:, :, 1], expected)


def test_windows_are_all_stretches_of_consecutive_frames(ladder):
    frames = load_frames(ladder, "train", 8, FIELDS)
    windows = Windows(ladder, "train", 8, FIELDS, history=2, horizon=1)
    assert len(windows) == 5 * 3
    assert torch.equal(windows[7], frames[2, 1:4])
    assert torch.equal(windows[-1], frames[4, 2:5])
    with pytest.raises(IndexError):
        windows[15]


def test_windows_travel_to_worker_processes(ladder):
    windows = Windows(ladder, "train", 8, FIELDS, history=1, horizon=1)
    windows[0]
    copy = pickle.loads(pickle.dumps(windows))
    assert torch.equal(copy[3], windows[3])
    loader = DataLoader(windows, batch_size=4, num_workers=1, multiprocessing_context="spawn")
    batch = next(iter(loader))
    assert torch.equal(batch, torch.stack([windows[i] for i in range(4)]))


def test_few_files_stay_open(ladder, monkeypatch):
    import pdesurrogate.data.shards as shards

    monkeypatch.setattr(shards, "MAX_OPEN_FILES", 1)
    reader = ladder.reader("train")
    reader.read(0, 8, "vorticity")
    first = next(iter(reader._files.values()))
    reader.read(4, 8, "vorticity")
    assert len(reader._files) == 1
    assert not first.id.valid
    reader.close()
    assert not reader._files


def test_statistics_are_those_of_the_training_split(ladder):
    names = ("vorticity", "velocity_x", "velocity_y")
    statistics = field_statistics(ladder, 16, names)
    frames = load_frames(ladder, "train", 16, names).double().numpy()
    change = np.diff(frames, axis=1)
    mean, square = frames.mean((0, 1, 3, 4)), (frames**2).mean((0, 1, 3, 4))
    np.testing.assert_allclose(statistics.mean, mean, atol=1e-7)
    vorticity_std = np.sqrt(square - mean**2)[0]
    velocity_std = np.sqrt((square - mean**2)[1:].mean())
    np.testing.assert_allclose(statistics.std, [vorticity_std, velocity_std, velocity_std])
    change_square = (change**2).mean((0, 1, 3, 4))
    both = np.sqrt(change_square[1:].mean())
    np.testing.assert_allclose(
        statistics.change_std, [np.sqrt(change_square[0]), both, both], rtol=1e-6
    )


def test_wrong_names_are_refused_in_a_sentence(ladder):
    with pytest.raises(ValueError, match=r"'vortcity' \(did you mean 'vorticity'\?\)"):
        load_frames(ladder, "train", 16, ("vortcity",))
    with pytest.raises(ValueError, match="resolution 12 is not in kolmogorov; its rungs are 8, 16"):
        ladder.train[12]
    with pytest.raises(ValueError, match=r"split 'tests' \(did you mean 'test'\?\)"):
        ladder.split("tests")
    with pytest.raises(ValueError, match=r"does not fit in the 5 frames"):
        Windows(ladder, "train", 8, FIELDS, history=3, horizon=3)
    with pytest.raises(FileNotFoundError, match="is no dataset"):
        open_dataset(ladder.path / "train")


def test_a_truncated_shard_is_noticed(ladder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(ladder.path, copy)
    shard = copy / "test" / "shard-00000.nc"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"shard-00000.nc differs from its checksum"):
        open_dataset(copy).verify()
    shard.write_bytes(content[:-100])
    with pytest.raises(ValueError, match=r"test/shard-00000.nc missing or damaged"):
        open_dataset(copy)


def test_a_shard_that_is_no_longer_netcdf_is_named_with_the_way_to_repair_it(ladder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(ladder.path, copy)
    shard = copy / "test" / "shard-00000.nc"
    shard.write_bytes(bytes(64) + shard.read_bytes()[64:])
    with pytest.raises(ValueError, match=r"shard-00000.nc is damaged .*; delete it and complete"):
        load_frames(open_dataset(copy), "test", 8, FIELDS)
