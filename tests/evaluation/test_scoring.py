from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pdesurrogate.evaluation.entries import Frames
from pdesurrogate.evaluation.protocols import Native
from pdesurrogate.evaluation.schema import SCORES
from pdesurrogate.evaluation.scoring import RolloutScores, score_frame, score_rollout
from pdesurrogate.fields import Field
from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.metrics import power_spectrum
from pdesurrogate.transfer import prolong_fields, restrict_fields
from tests.evaluation.fakes import FakeEntry

GRID, BAND = PeriodicBox((8, 8)), PeriodicBox((4, 4))
FIELDS = (Field("first", "1", "one"), Field("second", "1", "two"))
ERRORS = [score.name for score in SCORES if "error" in score.name or "mse" in score.name]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, 8, 8, generator=torch.Generator().manual_seed(seed))


def score(predicted: Tensor, truth: Tensor, example: int | None = None) -> RolloutScores:
    """Score `(trajectory, time, field, y, x)` predictions of two fields."""
    fields = tuple(field.name for field in FIELDS)
    frames = Frames(truth[:, :1], truth, fields, GRID)
    entry = FakeEntry(list(predicted.unbind(1)), fields, BAND)
    return score_rollout(entry, Native(), frames, FIELDS, (0, 2), example)


def test_every_score_of_the_schema_is_computed() -> None:
    scores = score_frame(noise(3, 2).double(), noise(3, 2, seed=1).double(), FIELDS, GRID, BAND)
    assert set(scores) == {score.name for score in SCORES}
    assert all(value.shape == (3, 2) for value in scores.values())


def test_frames_are_compared_one_by_one() -> None:
    truth = noise(2, 3, 2)
    factors = torch.tensor([1.5, 2.0, 3.0])[:, None, None, None]
    result = score(factors * truth, truth)
    for k, error in enumerate((0.5, 1.0, 2.0)):
        np.testing.assert_allclose(result.scores["nrmse"][:, k], error, rtol=1e-6)
        np.testing.assert_allclose(result.scores["r_mse"][:, k], error**2, rtol=1e-6)
    assert not result.blow_up.any()
    spectra = power_spectrum(truth.double(), GRID)
    torch.testing.assert_close(result.spectrum[:, 1], 9 * spectra[:, 2])
    torch.testing.assert_close(result.error_spectrum[:, 0], 0.25 * spectra[:, 0])
    torch.testing.assert_close(result.error_spectrum[:, 1], 4 * spectra[:, 2])


def test_the_late_spectrum_is_the_mean_over_the_second_half() -> None:
    truth = noise(2, 3, 2)
    factors = torch.tensor([1.5, 2.0, 3.0])[:, None, None, None]
    result = score(factors * truth, truth)
    spectra = power_spectrum(truth.double(), GRID)
    expected = (4 * spectra[:, 1] + 9 * spectra[:, 2]) / 2  # 1 of 3 frames is not beyond half
    torch.testing.assert_close(result.late_spectrum, expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_broken_trajectory_has_infinite_errors_from_then_on(value: float) -> None:
    truth = noise(2, 3, 2)
    predicted = 1.1 * truth
    predicted[0, 1, 1, 3, 3] = value  # one point of one field of one trajectory, only at one time
    result = score(predicted, truth)
    for name in ERRORS:
        assert (result.scores[name][0, 1:] == torch.inf).all()
        assert result.scores[name][0, 0].isfinite().all()
        assert result.scores[name][1].isfinite().all()
    assert (result.scores["correlation"][0, 1:] == 0).all()
    for spectrum in (result.spectrum, result.error_spectrum):
        assert (spectrum[0, 1] == torch.inf).all()
        assert spectrum[:, 0].isfinite().all()
    assert (result.late_spectrum[0] == torch.inf).all()
    assert result.late_spectrum[1].isfinite().all()
    assert result.blow_up.tolist() == [[False, True, True], [False, False, False]]


def test_a_rollout_blows_up_at_ten_times_the_truth_and_stays_so() -> None:
    truth = noise(1, 1, 2).expand(2, 3, 2, 8, 8)
    factors = torch.tensor([[9.9, 10.1, 1.0], [9.9, 9.9, 9.9]])[..., None, None, None]
    predicted = factors * truth
    assert score(predicted, truth).blow_up.tolist() == [[False, True, True], [False] * 3]
    predicted[0, :, 1] = truth[0, :, 1]  # one field is enough
    assert score(predicted, truth).blow_up.tolist() == [[False, True, True], [False] * 3]


def test_a_field_that_vanishes_can_only_blow_up_by_not_being_finite() -> None:
    truth = noise(1, 3, 2)
    truth[:, :, 1] = 0
    predicted = truth + 1e-6
    assert not score(predicted, truth).blow_up.any()


def test_huge_values_do_not_overflow() -> None:
    truth = noise(1, 3, 2)
    result = score(truth + 1e30, truth)
    assert result.scores["r_mse"].isfinite().all()
    assert result.blow_up.all()


def test_the_example_is_the_trajectory_asked_for() -> None:
    predicted, truth = noise(2, 3, 2), noise(2, 3, 2, seed=1)
    example = score(predicted, truth, example=1).example
    assert example is not None
    torch.testing.assert_close(example, predicted[1])
    assert score(predicted, truth).example is None


def test_the_bands_of_a_wind_on_a_sphere_are_those_of_a_vector() -> None:
    globe, rung = GaussianSphere((16, 32)), GaussianSphere((8, 16))
    wind = tuple(Field(f"velocity_{c}", "1", c, vector_part=c) for c in ("x", "y"))
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(2, 2, *globe.num_points, generator=generator, dtype=torch.float64)
    projected = prolong_fields(restrict_fields(truth, wind, globe, rung), wind, rung, globe)
    scores = score_frame(projected, truth, wind, globe, rung)
    assert (scores["in_band_error"] < 1e-12).all()
    torch.testing.assert_close(scores["out_of_band_error"], scores["nrmse"])
    torch.testing.assert_close(scores["total_error"], scores["nrmse"])
