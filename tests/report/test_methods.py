from __future__ import annotations

import numpy as np
import pytest

from pdesurrogate.report.methods import Series, Study
from tests.evaluation.mock_evaluation import mock_evaluation


def test_one_method_per_model_and_baseline(study: Study) -> None:
    assert [m.name for m in study.models] == ["MultiResNet", "ResidualUNet", "FNO"]
    assert [m.name for m in study.baselines] == [
        "persistence",
        "truncation floor 32",
        "coarse solver 32",
    ]
    assert study.models[0].training_resolution == 32
    assert study.baselines[0].training_resolution is None


def test_seeds_are_one_method_and_trainings_of_one_seed_are_not() -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=2, seeds=(0, 1, 2))
    study = Study.of(root)
    assert [m.name for m in study.models] == ["MultiResNet", "ResidualUNet", "FNO"]
    assert study.models[0].seeds == (0, 1, 2)
    native = Series(study.models[0], "native")
    assert study.scores("nrmse", native, 64, "vorticity").shape == (3, 2, 2)
    same_seed = root.assign_coords(seed=("run", np.zeros(root.sizes["run"], dtype=int)))
    assert [m.name for m in Study.of(same_seed).models[:3]] == [
        "MultiResNet seed 0",
        "MultiResNet seed 1",
        "MultiResNet seed 2",
    ]


def test_methods_of_one_model_are_named_by_what_their_seeds_share() -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=2, seeds=(0, 1))
    is_surrogate = root["kind"].values != "baseline"
    same_model = np.where(is_surrogate, "MultiResNet", root["model"].values)
    study = Study.of(root.assign_coords(model=("run", same_model)))
    assert [(m.name, m.seeds) for m in study.models] == [
        ("MultiResNet", (0, 1)),
        ("ResidualUNet", (0, 1)),
        ("FNO", (0, 1)),
    ]


def test_what_was_not_run_is_no_series(study: Study) -> None:
    names = [s.name for s in study.series(32, "vorticity")]
    assert names == [
        "MultiResNet native",
        "ResidualUNet native",
        "FNO native",
        "persistence",
        "coarse solver 32",
    ]
    assert len(list(study.series(128, "vorticity"))) == 9
    assert not study.was_run(Series(study.models[0], "projected"), 32)
    assert not study.was_run(Series(study.models[0], "native"), 48)


def test_a_field_that_a_run_does_not_predict_is_not_its_series() -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=2)
    root["total_error"].loc[{"run": "FNO", "field": "velocity_x"}] = np.nan
    study = Study.of(root)
    assert "FNO native" in [s.name for s in study.series(64, "vorticity")]
    assert "FNO native" not in [s.name for s in study.series(64, "velocity_x")]


def test_numbers_are_those_of_the_file(study: Study) -> None:
    series = Series(study.models[1], "projected")
    here = {"run": "ResidualUNet", "protocol": "projected", "resolution": 64}
    expected = study.table["in_band_error"].sel(**here, field="velocity_y").values
    np.testing.assert_array_equal(
        study.scores("in_band_error", series, 64, "velocity_y")[0], expected.astype(float)
    )
    assert study.seconds_per_step(series, 64) == pytest.approx(4e-3)
    study.table["spectrum"].values[..., 0, :, :, :] *= 3  # trajectories differ in their power
    spectrum = study.table["spectrum"].sel(**here, field="vorticity").mean("trajectory").values
    np.testing.assert_allclose(study.spectra(series, 64, "vorticity"), spectrum, rtol=1e-6)


def test_every_model_keeps_its_own_look(study: Study) -> None:
    looks = [(m.look.colour, m.look.marker) for m in study.models]
    assert len(set(looks)) == len(looks)
    assert all(m.look.dash for m in study.baselines)


def test_trainings_with_other_settings_are_another_method() -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=2, seeds=(0, 1))
    settings = root["settings"].values.copy()
    second = [i for i, name in enumerate(root["run"].values) if name == "MultiResNet seed 1"]
    settings[second] = "unrolled"
    other = root.assign_coords(settings=("run", settings))
    models = [m for m in Study.of(other).models if m.model == "MultiResNet"]
    assert [m.seeds for m in models] == [(0,), (1,)]
    assert len({m.name for m in models}) == 2
