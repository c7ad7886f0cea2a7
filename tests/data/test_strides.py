"""Views of every k-th frame: those frames at their times, and windows that begin at any."""

import numpy as np
import pytest
import torch

from pdesurrogate.data import Windows, condition_statistics, field_statistics, generate, load_frames
from tests.decay import decay_recipe

FIELDS = ("vorticity", "velocity_x")


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_a_view_holds_every_kth_frame_at_its_time(ladder, stride):
    view, whole = ladder.strided(stride), ladder.train[16].load()
    seen = view.train[16]
    assert view.num_frames == seen.sizes["time"] == {2: 3, 3: 2, 4: 2}[stride]
    assert view.time_step == stride * ladder.time_step
    np.testing.assert_array_equal(seen.time, whole.time[::stride])
    np.testing.assert_array_equal(seen.vorticity, whole.vorticity[:, ::stride])
    diagnostics, stored = view.train.diagnostics, ladder.train.diagnostics
    np.testing.assert_array_equal(diagnostics.energy, stored.energy[:, ::stride])
    np.testing.assert_array_equal(diagnostics.time, seen.time)
    frames = load_frames(view, "train", 16, FIELDS)
    assert torch.equal(frames, load_frames(ladder, "train", 16, FIELDS)[:, ::stride])


def test_the_simulation_stays_what_it_was(ladder):
    view = ladder.strided(2)
    assert (ladder.frame_stride, view.frame_stride, view.stored.frame_stride) == (1, 2, 1)
    assert view.solver_time_step == ladder.solver_time_step
    assert view.start_time == ladder.start_time > 0
    assert view.stored.num_frames == ladder.num_frames
    assert view.strided(2).frame_stride == 4
    np.testing.assert_array_equal(view.strided(2).test[8].time, ladder.test[8].time[[0, 4]])
    assert view.sha256 == ladder.sha256


@pytest.mark.parametrize(
    "where",
    [
        {"trajectory": 4, "time": -1},
        {"time": slice(None, None, -1), "x": [1, 1, 7]},
        {"time": slice(1, None), "y": slice(None, None, -3)},
        {"time": slice(None, None, 2)},
        {"time": slice(2, 2)},
        {"time": [2, 0]},
    ],
)
def test_a_view_is_indexed_as_the_array_in_memory(ladder, where):
    lazy, view = ladder.strided(2).train[16].vorticity, ladder.train[16].vorticity[:, ::2].load()
    np.testing.assert_array_equal(lazy.isel(where).values, view.isel(where).values)


@pytest.mark.parametrize(("stride", "history", "count"), [(1, 2, 3), (2, 2, 1), (2, 1, 3)])
def test_windows_of_a_view_begin_at_every_stored_frame(ladder, stride, history, count):
    windows = Windows(ladder.strided(stride), "train", 8, FIELDS, history, horizon=1)
    frames = load_frames(ladder, "train", 8, FIELDS)
    assert windows.per_trajectory == count
    assert len(windows) == 5 * count
    for number, window in enumerate(windows[i] for i in range(len(windows))):
        row, first = divmod(number, count)
        assert torch.equal(window, frames[row, first::stride][: history + 1])


def test_change_is_from_every_stored_frame_to_the_kth_after_it(ladder):
    statistics = field_statistics(ladder.strided(2), 16, FIELDS[:1])
    frames = load_frames(ladder, "train", 16, FIELDS[:1]).double().numpy()
    np.testing.assert_allclose(
        statistics.change_std, np.sqrt(((frames[:, 2:] - frames[:, :-2]) ** 2).mean()), rtol=1e-6
    )
    assert statistics.mean == field_statistics(ladder, 16, FIELDS[:1]).mean
    assert statistics.std == field_statistics(ladder, 16, FIELDS[:1]).std


def test_what_does_not_change_is_seen_whole(tmp_path):
    data = generate(decay_recipe(), tmp_path / "data", workers=1)
    view, n = data.strided(2), data.resolutions[0]
    assert view.train[n]["mask"].dims == ("trajectory", "y", "x")
    np.testing.assert_array_equal(view.train[n]["mask"], data.train[n]["mask"])
    np.testing.assert_array_equal(view.train[n]["rate"], data.train[n]["rate"])
    assert condition_statistics(view, n, ["mask"]) == condition_statistics(data, n, ["mask"])
    window = Windows(view, "train", n, ("concentration", "mask", "rate"), 1, 1)[1]
    frames = load_frames(data, "train", n, ("concentration", "mask", "rate"))
    assert torch.equal(window, frames[0, 1:4:2])


@pytest.mark.parametrize("stride", [0, -1, 5])
def test_a_stride_that_leaves_nothing_to_predict_is_refused(ladder, stride):
    with pytest.raises(ValueError, match=rf"frame_stride must lie between 1 and 4, got {stride}: "):
        ladder.strided(stride)
    with pytest.raises(ValueError, match=r"does not fit in the 3 frames"):
        Windows(ladder.strided(2), "train", 8, FIELDS, history=2, horizon=2)
