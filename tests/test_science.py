"""What takes minutes and holds all the same: `make test-slow`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pdesurrogate.data import Ladder, generate, load_frames, load_recipe
from pdesurrogate.data.accuracy import measure_accuracy
from pdesurrogate.data.simulate import make_solver, start
from pdesurrogate.evaluation import evaluate
from pdesurrogate.metrics import power_spectrum
from pdesurrogate.models import FNO, ModelSpec, MultiResNet, ResidualUNet
from pdesurrogate.rollout import repeat
from pdesurrogate.training import TrainingConfig, train

pytestmark = pytest.mark.slow

MODELS = [
    MultiResNet(width=16),
    ResidualUNet(width=16),
    FNO(width=14, modes=10),
]


@pytest.mark.parametrize("name", ["kolmogorov", "decaying_turbulence"])
def test_the_reference_of_a_shipped_recipe_is_accurate(name: str) -> None:
    """The cards state at most 6e-3 on the finest rung and 5e-4 below it after one frame."""
    recipe = replace(load_recipe(name), num_frames=2, accuracy_trajectories=1)
    errors = measure_accuracy(recipe)["relative_l2_error"]
    assert errors["32"]["vorticity"]["first_frame"] < 1e-4
    assert errors["64"]["vorticity"]["first_frame"] < 2e-3
    assert errors["128"]["vorticity"]["first_frame"] < 1.5e-2


def test_enstrophy_cascades_as_steeply_as_theory_and_experiment_say() -> None:
    """Kraichnan's k^-3 of the energy, and steeper with drag (Boffetta & Ecke 2012, §3.2)."""
    recipe = replace(load_recipe("kolmogorov"), reference_resolution=192, steps_per_frame=48)
    solver = make_solver(recipe)
    with torch.inference_mode():
        state = start(recipe, solver, "train", range(4))
        state = repeat(solver.step, 48 * 40)(state)
        grid = recipe.grid(128)
        vorticity = solver.observe(state, grid)["vorticity"].double()
    spectrum = power_spectrum(vorticity, grid).mean(0).numpy()
    k = np.arange(len(spectrum))
    inertial = (k >= 8) & (k <= 24)
    slope = np.polyfit(np.log(k[inertial]), np.log(spectrum[inertial] / k[inertial] ** 2), 1)[0]
    assert -5.0 < slope < -3.0


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    return generate(
        "kolmogorov",
        tmp_path_factory.mktemp("science") / "flow",
        resolutions=[32, 64],
        reference_resolution=96,
        steps_per_frame=24,
        num_frames=21,
        spin_up_frames=20,
        splits={"train": 24, "valid": 4, "test": 8},
        accuracy_trajectories=0,
    )


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: type(spec).__name__)
def test_every_model_learns_and_shows_what_a_finer_grid_does_to_it(
    spec: ModelSpec, flow: Ladder, tmp_path: Path
) -> None:
    """Three seeds: none collapses, projection keeps the resolved band, convolutions lose it."""
    surrogates = [
        train(spec, flow, 32, tmp_path / str(seed), TrainingConfig(epochs=8, seed=seed))
        for seed in range(3)
    ]
    table = evaluate(surrogates, flow, [32, 64], num_steps=4).to_dataset()
    first = table["in_band_error"].isel(lead_time=0, field=0).mean("trajectory")
    first = first.sel(run=table["kind"] == "surrogate")
    trained = first.sel(protocol="native", resolution=32).values
    assert len(trained) == 3
    assert (trained < 0.45).all()
    projected = first.sel(protocol="projected", resolution=64).values
    np.testing.assert_allclose(projected / trained, 1, atol=0.05)
    native = first.sel(protocol="native", resolution=64).values
    if not isinstance(spec, FNO):
        assert (native > 1.5 * trained).all()
    else:
        assert (native < 1.1 * trained).all()


def test_frames_of_the_flow_are_decorrelated_at_its_end(flow: Ladder) -> None:
    """A trajectory is long enough that forecasting its last frame is hard."""
    frames = load_frames(flow, "test", 32, ("vorticity",))[:, :, 0]
    first, last = frames[:, 0].flatten(1), frames[:, -1].flatten(1)
    correlation = torch.nn.functional.cosine_similarity(first, last)
    assert correlation.abs().mean() < 0.6
