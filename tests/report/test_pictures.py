from __future__ import annotations

import numpy as np
import pytest

from pdesurrogate.report.gather import Example
from pdesurrogate.report.methods import Study
from pdesurrogate.report.moments import Moment
from pdesurrogate.report.numbers import significant
from pdesurrogate.report.pictures import gallery, value_scale
from tests.report.conftest import Mock

FIELD = "vorticity"


def _examples(mock: Mock, resolution: int) -> list[Example]:
    return [Example(mock[1][f"example_{resolution}"])]


def test_truth_first_then_native_and_the_best_other_protocol(mock: Mock) -> None:
    made = gallery(Study.of(mock[0]), _examples(mock, 64), 64, FIELD, Moment(1))
    assert made is not None
    assert [(t.title, t.subtitle) for t in made.tiles] == [
        ("Truth", ""),
        ("MultiResNet", "native"),
        ("MultiResNet", "projected"),
        ("ResidualUNet", "native"),
        ("ResidualUNet", "projected"),
        ("FNO", "native"),
        ("FNO", "projected"),
        ("coarse solver 32", ""),
    ]
    assert made.when == "after 2 steps"


def test_the_error_below_a_picture_is_its_own(mock: Mock) -> None:
    made = gallery(Study.of(mock[0]), _examples(mock, 32), 32, FIELD, Moment(0))
    group = mock[1]["example_32"].sel(field=FIELD).isel(lead_time=0)
    truth = group["truth"].values
    prediction = group["prediction"].sel(run="FNO", protocol="native").values
    error = float(np.linalg.norm(prediction - truth) / np.linalg.norm(truth))
    assert made is not None
    tile = next(t for t in made.tiles if t.title == "FNO")
    assert tile.note == f"error {significant(error)}"
    assert f"relative error {significant(error)}" in tile.prediction_alt


def test_signed_fields_are_centred_at_zero_and_others_are_not() -> None:
    field = np.linspace(-1.0, 3.0, 10_000).reshape(100, 100)
    signed, unsigned = value_scale(field, True), value_scale(field, False)
    assert signed.low == -signed.high
    assert signed.high == pytest.approx(3, abs=0.02)
    assert (unsigned.low, unsigned.high) == pytest.approx((-1, 3), abs=0.02)
    assert signed.ends == ("−3.0", "3.0")
    assert value_scale(np.zeros((4, 4)), True).high == 1
    assert value_scale(np.ones((4, 4)), False).high == 2


def test_differences_have_a_scale_within_the_fields_own(mock: Mock) -> None:
    study, examples = Study.of(mock[0]), _examples(mock, 128)
    made = gallery(study, examples, 128, FIELD, Moment(2))
    assert made is not None
    assert 0 < made.differences.high <= made.values.high
    assert made.differences.low == -made.differences.high


def test_a_broken_prediction_is_shown_and_sets_no_scale(mock: Mock) -> None:
    whole = gallery(Study.of(mock[0]), _examples(mock, 32), 32, FIELD, Moment(0))
    at = {"run": "coarse solver 32", "protocol": "native"}
    prediction = mock[1]["example_32"]["prediction"]
    prediction.loc[{**at, "y": prediction["y"].values[:3]}] = np.inf
    made = gallery(Study.of(mock[0]), _examples(mock, 32), 32, FIELD, Moment(0))
    assert made is not None
    assert whole is not None
    assert made.differences.high <= whole.differences.high
    assert made.tiles[-1].note == "error ∞"


def test_no_examples_no_gallery(mock: Mock) -> None:
    assert gallery(Study.of(mock[0]), [], 64, FIELD, Moment(0)) is None
