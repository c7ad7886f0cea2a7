from __future__ import annotations

import numpy as np
import pytest

from pdesurrogate.report.methods import Study
from pdesurrogate.report.summary import summary
from tests.evaluation.mock_evaluation import mock_evaluation
from tests.report.conftest import Mock


def test_facts_of_the_file(study: Study) -> None:
    facts = dict(summary(study))
    assert facts["Dataset"] == "kolmogorov (recipe 000000000000…)"
    assert facts["Grids"] == "32 × 32, 64 × 64 and 128 × 128"
    assert facts["Trained on"] == "32 × 32"
    assert facts["Task"] == "1 frame given, 3 predicted, lead times 0.250 to 0.750"
    assert facts["Trajectories"] == "4 of the test split"
    assert facts["Seeds"] == "0 (one training per model)"
    assert facts["Fields"] == "vorticity, velocity along x and velocity along y"
    assert "Physics" not in facts


def test_physics_and_seeds_are_told_where_they_are_known() -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=2, seeds=(0, 1, 2))
    facts = dict(summary(Study.of(root.assign_attrs(physics="Navier–Stokes"))))
    assert facts["Physics"] == "Navier–Stokes"
    assert facts["Seeds"] == "0, 1 and 2"


@pytest.mark.parametrize(
    ("parameters", "flops", "matched"),
    [
        ([500e3, 520e3, 540e3], [1e8, 2e8, 3e8], "parameters (500 k to 540 k)"),
        ([1e5, 2e5, 3e5], [1e8, 1.05e8, 1e8], "operations a step (100 M to 105 M FLOPs)"),
        (
            [1e5, 2e5, 3e5],
            [1e8, 2e8, 1e8],
            "neither: 100 k to 300 k parameters, 100 M to 200 M FLOPs a step",
        ),
    ],
)
def test_what_models_are_matched_by(
    mock: Mock, parameters: list[float], flops: list[float], matched: str
) -> None:
    root, _ = mock
    coords = {
        "parameters": ("run", np.array([*parameters, 0, 0, 0]).astype(int)),
        "flops": ("run", np.array([*flops, 0, 0, 0])),
    }
    assert dict(summary(Study.of(root.assign_coords(coords))))["Matched by"] == matched
