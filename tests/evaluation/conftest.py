from __future__ import annotations

import pytest
import torch
import xarray as xr

from pdesurrogate.data import Ladder, generate, load_recipe
from pdesurrogate.evaluation import evaluate
from tests.evaluation.fakes import fake_surrogate, keep


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors: threads only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """A small flow on three rungs whose finest is the reference simulation itself."""
    recipe = load_recipe(
        "kolmogorov",
        resolutions=[16, 24, 32],
        reference_resolution=32,
        steps_per_frame=16,
        num_frames=7,
        spin_up_frames=2,
        batch_size=3,
        splits={"train": 1, "valid": 1, "test": 5},
        accuracy_trajectories=0,
    )
    return generate(recipe, tmp_path_factory.mktemp("data") / "flow", workers=1)


@pytest.fixture(scope="session")
def table(ladder: Ladder) -> xr.DataTree:
    """A surrogate that knows nothing but persistence, evaluated on the whole ladder."""
    return evaluate(
        [fake_surrogate(ladder, keep)], ladder, [16, 24, 32], commands=["do it"], equal_cost=False
    )
