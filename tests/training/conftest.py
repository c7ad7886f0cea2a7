from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pdesurrogate.data import Ladder, generate


@pytest.fixture(scope="session")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """A few short trajectories of a real flow on two coarse rungs."""
    return generate(
        "kolmogorov",
        tmp_path_factory.mktemp("data") / "flow",
        resolutions=[8, 16],
        reference_resolution=16,
        num_frames=8,
        spin_up_frames=0,
        steps_per_frame=16,
        splits={"train": 4, "valid": 2, "test": 1},
        batch_size=4,
        accuracy_trajectories=0,
        workers=1,
    )


@pytest.fixture(scope="session")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """A stirred flow that 16 x 16 points do not resolve and 32 x 32 do better."""
    return generate(
        "kolmogorov",
        tmp_path_factory.mktemp("data") / "ladder",
        workers=1,
        resolutions=[16, 32],
        reference_resolution=48,
        steps_per_frame=16,
        num_frames=6,
        spin_up_frames=4,
        batch_size=2,
        splits={"train": 4, "valid": 2, "test": 2},
        accuracy_trajectories=0,
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a run goes."""
    return tmp_path / "run"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small are slower on several threads."""
    torch.set_num_threads(1)
