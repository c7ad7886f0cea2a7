"""A tiny dataset that takes a second to make."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pdesurrogate.data import Ladder, Recipe, Splits, generate, load_recipe

TINY = replace(
    load_recipe("kolmogorov"),
    resolutions=[8, 16],
    reference_resolution=24,
    steps_per_frame=6,
    num_frames=5,
    spin_up_frames=2,
    batch_size=3,
    splits=Splits(train=5, valid=1, test=2),
    accuracy_trajectories=1,
)


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    return TINY


@pytest.fixture(scope="session")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    return generate(TINY, tmp_path_factory.mktemp("tiny") / "data")
