from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pdesurrogate.training.summary import (
    RunSummary,
    mean_and_interval,
    read_summary,
    summarise,
    summary_dataset,
    summary_table,
    write_summary,
)


def finished(model: str, setting: str, seed: int, error: float) -> RunSummary:
    return RunSummary(
        model, setting, seed, "finished", 12_345, 2_500_000, 3, 61.25, error, error / 2
    )


BROKEN = RunSummary("fno", "long", 1, "failed", epochs=1, reason="the loss became nan")
ROWS = [
    finished("net", "short", 0, 0.125),
    finished("net", "short", 1, 0.25),
    finished("net", "long", 0, 0.5),
    finished("net", "long", 1, 0.5),
    finished("fno", "short", 0, 0.25),
    RunSummary("fno", "short", 1),
    RunSummary("fno", "long", 0, "failed", reason="the loss became inf"),
    BROKEN,
]


def test_the_file_holds_a_row_for_each_run(tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.csv", ROWS)
    lines = (tmp_path / "summary.csv").read_text().splitlines()
    assert lines[0] == (
        "model,setting,seed,status,parameters,flops,epochs,seconds,valid_rollout,valid_one_step,reason"
    )
    assert lines[1] == "net,short,0,finished,12345,2500000,3,61.25,0.125,0.0625,"
    assert lines[-1] == "fno,long,1,failed,,,1,,,,the loss became nan"
    assert len(lines) == 1 + len(ROWS)


def test_labels_find_a_run() -> None:
    table = summary_dataset(ROWS)
    assert dict(table.sizes) == {"model": 2, "setting": 2, "seed": 2}
    run = table.sel(model="net", setting="short", seed=1)
    assert run.valid_rollout.item() == 0.25
    assert run.status.item() == "finished"
    broken = table.sel(model="fno", setting="long", seed=1)
    assert broken.reason.item() == "the loss became nan"
    assert np.isnan(broken.parameters.item())
    means = table.valid_rollout.mean("seed").sel(setting="long")
    np.testing.assert_array_equal(means, [0.5, np.nan])


def test_the_table_has_means_over_the_finished_seeds() -> None:
    # half the width of two numbers' interval: 12.706 times half their difference
    assert summary_table(ROWS).splitlines() == [
        "model  setting  seeds   parameters  GFLOP   seconds  valid_rollout  valid_one_step",
        "net    short    2       12,345      0.0025  61.2     0.1875 ± 0.79  0.09375 ± 0.4",
        "net    long     2       12,345      0.0025  61.2     0.5 ± 0        0.25 ± 0",
        "fno    short    1 of 2  12,345      0.0025  61.2     0.25           0.125",
        "fno    long     0 of 2  -           -       -        -              -",
        "validation errors: mean ± 95% interval over the seeds (Student's t)",
    ]


def test_one_seed_has_no_interval_and_the_table_says_so() -> None:
    lines = summary_table([finished("net", "", 7, 0.125)]).splitlines()
    assert lines[0].split()[:2] == ["model", "seeds"]
    assert lines[1].split() == ["net", "1", "12,345", "0.0025", "61.2", "0.125", "0.0625"]
    assert lines[2] == "validation errors of seed 7 alone: one seed gives no interval"


def test_an_infinite_error_is_in_the_mean() -> None:
    assert mean_and_interval([0.5, math.inf]) == "inf"
    assert mean_and_interval([0.5, None]) == "nan"


def test_the_best_epoch_is_that_of_the_rollouts_then_of_the_first_step(tmp_path: Path) -> None:
    lines = ["1,3,0.2,inf,1", "2,6,0.1,0.75,1", "3,9,0.3,0.5,1", "4,12,0.2,0.5,1"]
    lines += ["5,15,0.1,0.625,1"]
    text = "\n".join(["epoch,seconds,valid_one_step,valid_rollout,stage", *lines])
    (tmp_path / "metrics.csv").write_text(text)
    row = summarise(tmp_path, "net", "", 3, reason="out of luck")
    assert (row.epochs, row.seconds, row.valid_rollout, row.valid_one_step) == (5, 15, 0.5, 0.2)
    assert (row.status, row.reason, row.parameters) == ("failed", "out of luck", None)


def test_what_is_not_there_is_not_known(tmp_path: Path) -> None:
    assert summarise(tmp_path / "nowhere", "net", "", 3) == RunSummary("net", "", 3, "unfinished")


@pytest.mark.parametrize("name", ["surrogate.json", "metrics.csv"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("epoch\nno number")
    with pytest.raises(ValueError, match=name):
        summarise(tmp_path, "net", "", 0)


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.csv", ROWS)
    assert read_summary(tmp_path / "summary.csv") == ROWS
    assert read_summary(tmp_path / "nothing.csv") == []
    (tmp_path / "damaged.csv").write_text("model,seed\nnet,one\n")
    assert read_summary(tmp_path / "damaged.csv") == []
