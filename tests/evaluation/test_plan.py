from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pdesurrogate.data import Ladder
from pdesurrogate.evaluation import evaluate
from pdesurrogate.evaluation.protocols import Native
from pdesurrogate.grids import PeriodicBox
from tests.evaluation.fakes import fake_surrogate, keep


def test_same_names_are_told_apart(ladder: Ladder) -> None:
    same = [fake_surrogate(ladder, keep) for _ in range(2)]
    names = evaluate(same, ladder, [16], num_steps=1).run.values
    assert list(names[:2]) == ["fake (1)", "fake (2)"]
    seeds = [fake_surrogate(ladder, keep, seed=seed) for seed in (3, 4)]
    names = evaluate([*seeds, fake_surrogate(ladder, keep, name="other")], ladder, [16]).run.values
    assert list(names[:3]) == ["fake seed 3", "fake seed 4", "other"]


def test_a_run_trained_finer_is_left_out_on_coarser_grids(ladder: Ladder) -> None:
    runs = [
        fake_surrogate(ladder, keep, name="coarse"),
        fake_surrogate(ladder, keep, name="fine", resolution=32),
    ]
    root = evaluate(runs, ladder, [16, 32], num_steps=1).to_dataset()
    ours = root.nrmse.sel(run="fine", field="vorticity").isel(trajectory=0, lead_time=0)
    assert np.isnan(ours.sel(resolution=16)).all()
    assert not np.isnan(ours.sel(resolution=32, protocol="native"))
    assert {"truncation floor 16", "coarse solver 32"} <= set(root.run.values)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"resolutions": [16, 48]}, r"resolution 48 is not in .*; its rungs are 16, 24, 32"),
        ({"resolutions": []}, "at least one resolution"),
        (
            {"protocols": ["projekted"]},
            "unknown protocol 'projekted' .*known are extended, native, polyphase, projected, tran",
        ),
        ({"num_steps": 7}, "num_steps must lie between 1 and 6, got 7: .* holds 7 frames"),
        ({"num_trajectories": 0}, "num_trajectories must lie between 1 and 5, got 0"),
        ({"split": "tests"}, "unknown split 'tests'"),
        ({"example_trajectory": 5}, "example_trajectory 5 is not among"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_wrong_wishes_are_refused(
    ladder: Ladder, changes: dict[str, object], sentence: str
) -> None:
    wishes: dict[str, object] = {"resolutions": [16, 32], **changes}
    with pytest.raises(ValueError, match=sentence):
        evaluate([fake_surrogate(ladder, keep)], ladder, **wishes)  # type: ignore[arg-type]


def test_wrong_runs_are_refused(ladder: Ladder, tmp_path: Path) -> None:
    foreign = fake_surrogate(ladder, keep, dataset="another flow", dataset_sha256="0" * 64)
    with pytest.raises(ValueError, match=r"fake was trained on dataset another flow .*, not on"):
        evaluate([foreign], ladder, [16])
    fine = fake_surrogate(ladder, keep, resolution=24)
    with pytest.raises(ValueError, match="resolution 16 is below 24"):
        evaluate([fine], ladder, [16, 24])
    with pytest.raises(FileNotFoundError, match="absent"):
        evaluate([tmp_path / "absent"], ladder, [16])


def test_runs_of_other_data_are_welcome_where_they_fit(ladder: Ladder) -> None:
    other = {"dataset": "another flow", "dataset_sha256": "0" * 64}
    foreign = fake_surrogate(ladder, keep, **other)
    table = evaluate([foreign], ladder, [16], num_steps=1, other_data=True)
    assert table.attrs["trained_on"] == "fake on another flow"
    own = evaluate([fake_surrogate(ladder, keep)], ladder, [16], num_steps=1)
    assert own.attrs["trained_on"] == ladder.name
    assert np.array_equal(table.nrmse.sel(run="fake"), own.nrmse.sel(run="fake"), equal_nan=True)
    uneven = fake_surrogate(ladder, keep, **other, time_step=1.5 * ladder.time_step)
    sentence = rf"fake steps by {uneven.info.time_step:g} in time, .* no multiple of .*, the time"
    with pytest.raises(ValueError, match=sentence):
        evaluate([uneven], ladder, [16], other_data=True)
    fast = fake_surrogate(ladder, keep, **other, time_step=0.1 * ladder.time_step)
    with pytest.raises(ValueError, match="no multiple of"):
        evaluate([fast], ladder, [16], other_data=True)
    slow = fake_surrogate(ladder, keep, **other, time_step=7 * ladder.time_step)
    with pytest.raises(ValueError, match=r"in time, the trajectories of .* last"):
        evaluate([slow], ladder, [16], other_data=True)
    wide = fake_surrogate(ladder, keep, **other, grid=PeriodicBox((16, 16), (1.0, 1.0)).to_dict())
    with pytest.raises(ValueError, match="which is no rung of"):
        evaluate([wide], ladder, [16], other_data=True)


def test_a_grid_that_the_model_does_not_allow_is_named(ladder: Ladder) -> None:
    def picky(window: torch.Tensor) -> torch.Tensor:
        if window.shape[-1] == 24:
            raise ValueError("24 points cannot be halved four times")
        return window

    with pytest.raises(ValueError, match="fake, native at 24: 24 points cannot be halved"):
        evaluate([fake_surrogate(ladder, picky)], ladder, [16, 24])
    evaluate([fake_surrogate(ladder, picky)], ladder, [16, 24], ["projected"], num_steps=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_device_is_refused(ladder: Ladder) -> None:
    with pytest.raises(ValueError, match="but this machine has"):
        evaluate([], ladder, [16], device="cuda:99")


def test_the_network_is_evaluated_in_evaluation_mode(ladder: Ladder) -> None:
    surrogate = fake_surrogate(ladder, keep)
    surrogate.module.train()
    evaluate([surrogate], ladder, [16], num_steps=1)
    assert not surrogate.module.training


def test_the_trained_grid_is_a_row_even_if_it_was_not_asked_for(ladder: Ladder) -> None:
    trained = fake_surrogate(ladder, keep, resolution=16)
    table = evaluate([trained], ladder, [32], num_steps=1).to_dataset()
    assert table["resolution"].values.tolist() == [16, 32]
    # Persistence is split by the same band as the surrogate that it stands beside.
    errors = table["out_of_band_error"].sel(run="persistence", protocol="native", resolution=32)
    assert (errors > 0).all()


def test_an_evaluation_under_no_protocol_is_refused(ladder: Ladder) -> None:
    with pytest.raises(ValueError, match="needs at least one protocol"):
        evaluate([], ladder, [16], [])


def test_a_protocol_named_twice_is_refused(ladder: Ladder) -> None:
    with pytest.raises(ValueError, match="the protocol 'native' is named twice"):
        evaluate([], ladder, [16], ["native", "native"])


@pytest.mark.parametrize("name", [7, "", ["a", "list"], None])
def test_a_protocol_without_a_name_is_refused(ladder: Ladder, name: object) -> None:
    nameless = type("Nameless", (Native,), {"name": name})()
    with pytest.raises(ValueError, match=r"the name of the protocol Nameless must be text, got "):
        evaluate([], ladder, [16], [nameless])


@pytest.mark.parametrize("stride", [2, 3])
def test_the_solver_on_the_grid_of_the_truth_steps_as_far_as_the_truth(
    ladder: Ladder, stride: int
) -> None:
    """The finest rung is the simulation's own: what differs is single precision."""
    slow = fake_surrogate(ladder, keep, resolution=32, time_step=stride * ladder.time_step)
    table = evaluate([slow], ladder, [32])
    np.testing.assert_allclose(
        table.lead_time, ladder.time_step * np.arange(stride, 7, stride), rtol=1e-12
    )
    error = table.nrmse.sel(run="coarse solver 32", protocol="native", resolution=32)
    assert float(error.max()) < 1e-5
    assert float(table.nrmse.sel(run="fake", protocol="native").min()) > 0.05
