"""Evaluations that are shared out, or killed and called again, and end as if they had not been."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation import (
    evaluate,
    open_evaluation,
    parts_beside,
    remove_parts,
    write_evaluation,
)
from pdesurrogate.evaluation.entries import SurrogateEntry
from pdesurrogate.evaluation.parts import PartsFolder
from pdesurrogate.evaluation.pieces import Combination, Piece, cut
from pdesurrogate.evaluation.plan import plan_evaluation
from pdesurrogate.evaluation.protocols import Native
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.surrogate import Extension, Surrogate
from tests.evaluation.fakes import fake_surrogate, grow, keep, overflow
from tests.training.processes import exit_codes, kill_oneself

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in cast")

RUNGS = [16, 24]
PIECES = 2 * ((1 + 3 + 2) + (1 + 6 + 3))
"""Two batches on two rungs: truth, runs, persistence, solver and, on the finer rung, floor."""


def runs(ladder: Ladder) -> list[Surrogate]:
    """One that stays, one that breaks, one that blows up."""
    answers = {"stays": keep, "breaks": overflow, "blows up": grow}
    return [fake_surrogate(ladder, answer, name=name) for name, answer in answers.items()]


def evaluated(ladder: Ladder, parts: Path | None = None, workers: int = 1) -> xr.DataTree:
    protocols = ["native", "projected"]
    return evaluate(
        runs(ladder), ladder, RUNGS, protocols, batch_size=3, parts=parts, workers=workers
    )


@pytest.fixture(scope="module")
def undisturbed(ladder: Ladder) -> xr.DataTree:
    return evaluated(ladder)


@pytest.fixture(scope="module")
def by_two(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    """The same by two processes."""
    return evaluated(ladder, tmp_path_factory.mktemp("parts"), workers=2)


def assert_same_bits(ours: xr.DataTree, theirs: xr.DataTree) -> None:
    assert [node.path for node in ours.subtree] == [node.path for node in theirs.subtree]
    for node in ours.subtree:
        assert set(node.data_vars) == set(theirs[node.path].data_vars)
        for name in set(node.data_vars) - {"seconds_per_step"}:
            first, second = node[name], theirs[node.path][name]
            assert first.dims == second.dims
            assert first.values.tobytes() == second.values.tobytes(), name
    measured = ~np.isnan(ours["seconds_per_step"])
    np.testing.assert_array_equal(measured, ~np.isnan(theirs["seconds_per_step"]))


def test_what_breaks_is_in_it(undisturbed: xr.DataTree) -> None:
    """Else the other tests would not see how broken rollouts fare."""
    native = undisturbed.to_dataset().sel(protocol="native", resolution=16, field="vorticity")
    assert (native.blow_up.sel(run="blows up") == [0, 1, 1, 1, 1, 1]).all()
    assert np.isfinite(native.nrmse.sel(run="blows up")).all()
    assert (np.isinf(native.nrmse.sel(run="breaks")) == [False, *[True] * 5]).all()


def killed_at(number: int, ladder: Ladder, parts: Path) -> None:
    """Die with a part half written, in a process of its own."""
    write, numbers = PartsFolder.write, iter(range(1, 1000))

    def write_or_die(self: PartsFolder, piece: Piece, result: xr.Dataset) -> None:
        if next(numbers) == number:
            (self.path / f".{piece.file}.1.partial").write_bytes(b"half")
            kill_oneself()
        write(self, piece, result)

    PartsFolder.write = write_or_die  # type: ignore[method-assign]
    evaluated(ladder, parts)


def test_an_evaluation_killed_again_and_again_ends_with_the_same_bits(
    ladder: Ladder, undisturbed: xr.DataTree, tmp_path: Path
) -> None:
    out = tmp_path / "evaluation.nc"
    parts = parts_beside(out)
    finished = 0
    for number in (1, 7, 20):
        assert exit_codes(lambda _, number=number: killed_at(number, ladder, parts)) == [-9]
        finished += number - 1
        assert len(list(parts.glob("*.nc"))) == finished
    table = evaluated(ladder, parts)
    assert len(list(parts.glob("*.nc"))) == PIECES
    assert not list(parts.glob(".*"))
    assert_same_bits(table, undisturbed)
    write_evaluation(table, out)
    remove_parts(parts)
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.nc"]
    with open_evaluation(out) as written:
        assert_same_bits(written, undisturbed)


def test_what_is_finished_is_not_computed_again(
    ladder: Ladder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    surrogate = fake_surrogate(ladder, keep)
    evaluate([surrogate], ladder, [16], parts=tmp_path / "parts", equal_cost=False)
    calls = surrogate.module.calls
    assert calls == 6 + 8  # six frames of one batch, and eight steps for the timing
    with caplog.at_level("INFO", logger="pdesurrogate.evaluation"):
        evaluate([surrogate], ladder, [16], parts=tmp_path / "parts", equal_cost=False)
    assert surrogate.module.calls == calls + 8
    assert caplog.messages == ["3 of 3 rollouts are there and kept"]


def test_any_number_of_workers_and_threads_gives_the_same_bits(
    ladder: Ladder, undisturbed: xr.DataTree, by_two: xr.DataTree
) -> None:
    assert_same_bits(by_two, undisturbed)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert_same_bits(evaluated(ladder), undisturbed)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_kept_fields_may_be_looked_at_in_any_way(
    undisturbed: xr.DataTree, by_two: xr.DataTree
) -> None:
    kept, held = (tree["example_24"]["prediction"] for tree in (by_two, undisturbed))
    for key in (
        {},
        {"run": 1, "protocol": 1},
        {"run": [2, 0], "lead_time": -1, "y": slice(None, None, -2)},
        {"protocol": slice(1, None), "field": 0, "x": 3},
        {"run": slice(None, None, -1), "protocol": 0, "lead_time": [0, 2]},
    ):
        np.testing.assert_array_equal(kept.isel(key), held.isel(key))


def test_parts_of_other_settings_are_refused_and_replaced(ladder: Ladder, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    surrogate = fake_surrogate(ladder, keep)
    evaluate([surrogate], ladder, [16], num_steps=1, parts=parts)
    told = r"parts of an evaluation with other settings \(num_steps was 1, now it is 2\)"
    with pytest.raises(ValueError, match=rf"{told}; give --overwrite"):
        evaluate([surrogate], ladder, [16], num_steps=2, parts=parts)
    table = evaluate([surrogate], ladder, [16], num_steps=2, parts=parts, overwrite=True)
    assert not np.isnan(
        table["nrmse"].sel(run="fake", resolution=16, protocol="native")[..., 0]
    ).any()
    other = Surrogate(torch.nn.Linear(1, 1), surrogate.info)
    with pytest.raises(ValueError, match=r"\(runs: fake: weights "):
        evaluate([other], ladder, [16], num_steps=2, parts=parts)
    wider = replace(surrogate.info, statistics=replace(surrogate.info.statistics, std=(2.0,)))
    with pytest.raises(ValueError, match=r"\(runs: fake: statistics: std was \[1.0\], now"):
        evaluate([Surrogate(surrogate.module, wider)], ladder, [16], num_steps=2, parts=parts)


def test_what_differs_is_told_before_what_follows_from_it(ladder: Ladder, tmp_path: Path) -> None:
    """Trust is measured over as many steps as a rollout has, and is a surrogate's own."""
    parts, surrogate = tmp_path / "parts", fake_surrogate(ladder, keep)
    wanted = {"protocols": ["transported"], "equal_cost": False, "parts": parts}
    evaluate([surrogate], ladder, RUNGS, num_steps=1, **wanted)
    with pytest.raises(ValueError, match=r"\(num_steps was 1, now it is 2\)"):
        evaluate([surrogate], ladder, RUNGS, num_steps=2, **wanted)


def test_a_folder_of_something_else_is_left_alone(ladder: Ladder, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="exists and holds no parts of an evaluation"):
            evaluate([], ladder, [16], parts=tmp_path, overwrite=overwrite)
    parts = tmp_path / "parts"
    evaluate([], ladder, [16], num_steps=1, parts=parts)
    (parts / "notes.txt").write_text("mine")
    remove_parts(parts)
    assert [path.name for path in parts.iterdir()] == ["notes.txt"]


def test_a_damaged_part_is_named(ladder: Ladder, tmp_path: Path) -> None:
    evaluate([], ladder, [16], num_steps=1, parts=tmp_path / "parts")
    damaged = next((tmp_path / "parts").glob("persistence*.nc"))
    damaged.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=rf"{damaged.name} is damaged; delete it"):
        evaluate([], ladder, [16], num_steps=1, parts=tmp_path / "parts")


def test_pieces_cover_every_trajectory_once(ladder: Ladder) -> None:
    plan = plan_evaluation(
        runs(ladder),
        ladder,
        RUNGS,
        ["native", "projected"],
        split="test",
        num_trajectories=None,
        num_steps=2,
        device="cpu",
    )
    pieces = cut(plan, example_trajectory=4, batch_size=3)
    assert len({piece.file for piece in pieces}) == len(pieces) == PIECES
    of_one = [piece for piece in pieces if piece.what == "stays, projected at 24"]
    assert [piece.trajectories for piece in of_one] == [slice(0, 3), slice(3, 5)]
    assert [piece.example for piece in of_one] == [None, 1]
    persistence = [piece for piece in pieces if piece.what.startswith("persistence")]
    assert all(piece.example is None for piece in persistence)


def test_names_of_files_are_plain_and_tell_alike_names_apart(ladder: Ladder) -> None:
    names = ("a/b", "a b", "ä b", "../a b")
    files = set()
    for name in names:
        surrogate = fake_surrogate(ladder, keep, name=name)
        plan = plan_evaluation(
            [surrogate],
            ladder,
            [16],
            ["native"],
            split="test",
            num_trajectories=1,
            num_steps=1,
            device="cpu",
        )
        piece = Piece(16, slice(0, 1), Combination(plan.entries[0], Native()), None)
        assert Path(piece.file).name == piece.file
        assert piece.file.isascii()
        files.add(piece.file)
    assert len(files) == len(names)


def test_an_entry_that_cannot_travel_says_so(ladder: Ladder) -> None:
    plan = plan_evaluation(
        [fake_surrogate(ladder, lambda window: window)],
        ladder,
        [16],
        ["native"],
        split="test",
        num_trajectories=1,
        num_steps=1,
        device="cpu",
    )
    with pytest.raises(
        ValueError, match=r"fake, native cannot be sent .*; evaluate with one worker"
    ):
        pickle.dumps(Combination(plan.entries[0], Native()))


def test_the_settings_are_readable(ladder: Ladder, tmp_path: Path) -> None:
    evaluate([fake_surrogate(ladder, keep)], ladder, [16], num_steps=1, parts=tmp_path / "parts")
    settings = json.loads((tmp_path / "parts/plan.json").read_text())
    assert settings["dataset"] == ladder.sha256
    assert settings["trajectories"] == [0, 1, 2, 3, 4]
    assert len(settings["runs"]["fake"]["weights"]) == 64
    assert "torch" in settings["versions"]


@torch.no_grad()
def test_extensions_travel_along(ladder: Ladder) -> None:
    base = fake_surrogate(ladder, keep)
    carrier = ladder.equation.carrier(base.info.fields)
    extension = Extension(width=4).on(base, ladder.grid(24), carrier)
    label = RunLabel("fake", "surrogate", "Answering", 16)
    grid = base.info.training_grid
    entry = SurrogateEntry(base, label, grid, ladder.equation, extensions={24: extension})
    again = pickle.loads(pickle.dumps(Combination(entry, Native()))).entry
    window = load_frames(ladder, "test", 24, ("vorticity",))[:, :1]
    assert torch.equal(again.extensions[24].step(window), extension.step(window))
