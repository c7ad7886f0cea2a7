from __future__ import annotations

import numpy as np

from pdesurrogate.report.methods import Study
from pdesurrogate.report.moments import Moment, moments
from tests.report.conftest import Mock

FIELD = "vorticity"


def _with_errors(mock: Mock, *errors: float) -> Study:
    """All models err so at 32 after the first, second and third step."""
    root, _ = mock
    for time, error in zip(root["lead_time"].values, errors, strict=True):
        root["total_error"].loc[{"resolution": 32, "lead_time": time}] = error
    return Study.of(root)


def test_last_useful_step(mock: Mock) -> None:
    assert moments(_with_errors(mock, 0.1, 0.4, 0.6), FIELD) == (Moment(0), Moment(1))
    assert moments(_with_errors(mock, 0.1, 0.2, 0.3), FIELD) == (Moment(0), Moment(2))


def test_one_good_model_is_enough(mock: Mock) -> None:
    mock[0]["total_error"].values[:] = 0.9
    study = _with_errors(mock, 0.7, 0.8, np.inf)
    study.table["total_error"].loc[{"run": "FNO", "resolution": 32}] = 0.3
    assert moments(study, FIELD) == (Moment(0), Moment(2))


def test_a_second_step_is_told_even_if_useless(mock: Mock) -> None:
    assert moments(_with_errors(mock, 0.4, 0.6, 0.7), FIELD) == (Moment(0), Moment(1))


def test_without_anything_useful_the_last_step_is_told(mock: Mock) -> None:
    assert moments(_with_errors(mock, 0.7, 0.8, 0.9), FIELD) == (Moment(0), Moment(2))
    no_model = Study.of(mock[0].sel(run=["persistence"]))
    assert moments(no_model, FIELD) == (Moment(0), Moment(2))


def test_one_step_is_one_moment(mock: Mock) -> None:
    assert moments(Study.of(mock[0].isel(lead_time=[0])), FIELD) == (Moment(0),)
    assert [Moment(0).after, Moment(4).after] == ["1 step", "5 steps"]
