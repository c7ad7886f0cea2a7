"""The script that measures the plane of cost and error, on a ladder whose solver is exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cost_error import (
    Settings,
    _planes,
    measure,
    numbers_of_steps,
    table_rows,
    usual_grids,
)
from pdesurrogate.data import Ladder
from pdesurrogate.evaluation import evaluate
from pdesurrogate.evaluation.cost_error import pareto_front
from pdesurrogate.evaluation.plan import plan_evaluation
from pdesurrogate.report.cost_error import plot_cost_error
from tests.evaluation.fakes import fake_surrogate, keep


def test_steps_are_halved_from_twice_the_reference() -> None:
    assert numbers_of_steps(12) == [24, 12, 6, 3, 2, 1]
    assert numbers_of_steps(1) == [2, 1]


def test_grids_are_powers_of_two_and_thrice_those() -> None:
    allowed = (8, 10, 12, 16, 18, 20, 24, 30, 32, 64, 96, 100, 128)
    assert usual_grids(allowed) == [16, 24, 32, 64, 96, 128]


def test_the_plane_of_persistence_and_the_solver(ladder: Ladder, tmp_path: Path) -> None:
    run = fake_surrogate(ladder, keep)
    plan = plan_evaluation(
        [run],
        ladder,
        [32],
        ["projected"],
        split="test",
        num_trajectories=3,
        num_steps=2,
        device="cpu",
    )
    forecasts = list(measure(Settings(plan, "vorticity", (1, 2), (16, 32), 2, 1)))
    rows = {(row["forecast"], row["steps_per_frame"]): row for row in table_rows(forecasts, (1, 2))}
    table = evaluate([run], ladder, [32], num_trajectories=3, num_steps=2, equal_cost=False)
    at = {"protocol": "projected", "resolution": 32, "field": "vorticity"}
    for name, steps, entry in (("fake", "", "fake"), ("solver 16", 8, "coarse solver 16")):
        errors = table["total_error"].sel(run=entry, **at).mean("trajectory")
        measured = [rows[name, steps][f"error_{mark}"] for mark in (1, 2)]
        np.testing.assert_allclose(measured, errors, rtol=1e-3)
    exact = rows["solver 32", 16]
    assert exact["protocol"] == "native"
    assert exact["error_2"] < 2e-5
    assert min(row["ms_alone"] for row in rows.values()) > 0
    listed = list(rows.values())
    costs, errors_1 = (np.array([row[key] for row in listed]) for key in ("ms_alone", "error_1"))
    front = pareto_front(costs, errors_1)
    assert [bool(row["front_1"]) for row in listed] == [bool(on) for on in front]
    assert rows["fake", ""]["training_s"] == 5.0
    assert rows["fake", ""]["break_even_alone"] > 0
    assert "training_s" not in exact
    picture = plot_cost_error(_planes(forecasts, (1, 2)), tmp_path / "plane.png")
    assert picture.stat().st_size > 5000
    with pytest.raises(ValueError, match="at least one forecast"):
        plot_cost_error({"nothing": []}, picture)
