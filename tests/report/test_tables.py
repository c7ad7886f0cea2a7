from __future__ import annotations

import numpy as np
import pytest

from pdesurrogate.evaluation import mean_interval
from pdesurrogate.report.methods import Series, Study
from pdesurrogate.report.numbers import significant
from pdesurrogate.report.tables import Row, Table, cost_table, main_table, transfer_gap
from tests.report.conftest import Mock


def _row(table: Table, group: int, label: str, protocol: str) -> Row:
    rows = [r for r in table.groups[group][1] if (r.label, r.protocol) == (label, protocol)]
    assert len(rows) == 1
    return rows[0]


def test_groups_are_grids_and_rows_what_was_run(study: Study) -> None:
    table = main_table(study, "vorticity")
    assert [heading for heading, _ in table.groups] == [
        "32 × 32: the training grid",
        "64 × 64: 2× the training grid",
        "128 × 128: 4× the training grid",
    ]
    assert [len(rows) for _, rows in table.groups] == [5, 9, 9]
    assert [r.is_baseline for r in table.groups[0][1]] == [False] * 3 + [True] * 2


def test_cells_are_means_and_intervals_of_the_file(study: Study) -> None:
    row = _row(main_table(study, "vorticity"), 2, "MultiResNet", "projected")
    here = study.table.sel(
        run="MultiResNet", protocol="projected", resolution=128, field="vorticity"
    )
    metrics = ("total_error", "in_band_error", "out_of_band_error")
    columns = [(step, metric) for step in (0, 2) for metric in metrics]
    for cell, (step, metric) in zip(row.cells[:6], columns, strict=True):
        mean, low, high = mean_interval(here[metric].isel(lead_time=step).values)
        assert cell.text == significant(mean)
        assert cell.note == f"{significant(low)}–{significant(high)}"


def test_the_training_grid_has_no_detail_and_no_gap(study: Study) -> None:
    row = _row(main_table(study, "vorticity"), 0, "FNO", "native")
    assert [row.cells[i].text for i in (2, 5, 6)] == ["0", "0", "–"]
    assert row.cells[0].text == row.cells[1].text


def test_transfer_gap_is_the_ratio_of_in_band_errors(study: Study) -> None:
    series = Series(study.models[0], "native")
    gap = transfer_gap(study, series, 128, "vorticity")
    errors = study.table["in_band_error"].sel(
        run="MultiResNet", protocol="native", field="vorticity"
    )[..., 0]
    ratio = float(errors.sel(resolution=128).mean() / errors.sel(resolution=32).mean())
    assert gap is not None
    assert gap.mean == pytest.approx(ratio, rel=1e-6)
    row = _row(main_table(study, "vorticity"), 2, "MultiResNet", "native")
    assert row.cells[6].text == f"{significant(ratio)}×"
    assert transfer_gap(study, series, 32, "vorticity") is None
    floor = Series(study.baselines[1], "projected")
    assert transfer_gap(study, floor, 128, "vorticity") is None


def test_best_is_bold_with_those_not_told_apart_from_it(mock: Mock) -> None:
    root, _ = mock
    at = {"protocol": "native", "resolution": 32}
    for run, error in (("MultiResNet", 0.1), ("ResidualUNet", 0.101), ("FNO", 0.2)):
        root["total_error"].loc[{"run": run, **at}] = error
    wobble = np.array([-0.01, 0.01, -0.01, 0.01])[:, None, None]
    root["total_error"].loc[{"run": "ResidualUNet", **at}] += wobble
    table = main_table(Study.of(root), "vorticity")
    bold = [row.label for row in table.groups[0][1] if row.cells[0].is_best]
    assert bold == ["MultiResNet", "ResidualUNet"]


def test_a_broken_rollout_is_told_and_never_dropped(mock: Mock) -> None:
    root, _ = mock
    at = {"run": "FNO", "protocol": "native", "resolution": 128}
    broken = {**at, "trajectory": 1, "lead_time": root["lead_time"].values[1:]}
    for name in ("total_error", "in_band_error", "out_of_band_error"):
        root[name].loc[broken] = np.inf
    root["blow_up"].loc[broken] = 1
    row = _row(main_table(Study.of(root), "vorticity"), 2, "FNO", "native")
    first, last, share = row.cells[0], row.cells[3], row.cells[7]
    assert not first.is_warning
    rest = root["total_error"].sel(**at, field="vorticity").isel(lead_time=-1, trajectory=[0, 2, 3])
    assert last.text == "∞"
    assert last.note == f"{significant(float(rest.mean()))} over 3 of 4"
    assert last.is_warning
    assert not last.is_best
    assert (share.text, share.note, share.is_warning) == ("25.0%", "1 of 4", True)


def test_costs(study: Study) -> None:
    ((_, rows),) = cost_table(study).groups
    by_name = {(row.label, row.protocol): [cell.text for cell in row.cells] for row in rows}
    assert by_name["MultiResNet", "native"] == [
        "510 k",
        "189 M",
        "58.5 s",
        "4.00 ms",
        "16.0 ms",
        "64.0 ms",
    ]
    assert by_name["MultiResNet", "projected"][3:] == ["–", "4.00 ms", "4.00 ms"]
    solver = [cells for (label, _), cells in by_name.items() if label == "coarse solver 32"]
    assert solver == [["–", "–", "–", "1.50 ms", "1.50 ms", "1.50 ms"]]
    assert not any(label == "truncation floor 32" for label, _ in by_name)
