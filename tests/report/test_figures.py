from __future__ import annotations

import base64
import re

import numpy as np

from pdesurrogate.report.figures import error_over_lead_time, error_over_resolution, spectra
from pdesurrogate.report.methods import Study
from pdesurrogate.report.numbers import significant
from tests.report.conftest import Mock

FIELD = "vorticity"


def _svg(source: str) -> str:
    return base64.b64decode(source.partition(",")[2]).decode()


def test_a_panel_per_grid_with_the_numbers_in_words(study: Study) -> None:
    panels = error_over_lead_time(study, FIELD)
    assert [p.title for p in panels] == ["32 × 32", "64 × 64", "128 × 128"]
    errors = study.table["total_error"].sel(
        run="FNO", protocol="projected", resolution=128, field=FIELD
    )
    first, last = (float(errors[:, k].mean()) for k in (0, -1))
    assert f"FNO projected {significant(first)} to {significant(last)}" in panels[2].alt
    assert "projected" not in panels[0].alt


def test_every_series_is_drawn_in_the_colour_of_its_method(study: Study) -> None:
    svg = _svg(error_over_lead_time(study, FIELD)[1].source).lower()
    for method in study.methods:
        assert f"stroke: {method.look.colour.lower()}" in svg


def test_a_line_ends_where_a_rollout_breaks(mock: Mock) -> None:
    root, _ = mock
    broken = {"run": "FNO", "protocol": "native", "resolution": 128, "trajectory": 0}
    late = {**broken, "lead_time": root["lead_time"].values[1:]}
    root["total_error"].loc[late] = np.inf
    panel = error_over_lead_time(Study.of(root), FIELD)[2]
    assert re.search(r"FNO native 0\.\d+ to –", panel.alt)


def test_band_and_detail_after_the_first_and_the_last_step(study: Study) -> None:
    panels = error_over_resolution(study, FIELD)
    assert [p.title for p in panels] == [
        "Resolved band, after 1 step",
        "Detail beyond it, after 1 step",
        "Resolved band, after 3 steps",
        "Detail beyond it, after 3 steps",
    ]
    assert "truncation floor" not in panels[0].alt
    assert "truncation floor 32 " in panels[1].alt
    trained = study.table["in_band_error"].sel(
        run="MultiResNet", protocol="native", resolution=32, field=FIELD
    )
    start = significant(float(trained[:, 0].mean()))
    assert f"MultiResNet projected {start} at 32, " in panels[0].alt


def test_one_step_needs_no_second_pair(mock: Mock) -> None:
    study = Study.of(mock[0].isel(lead_time=[0]))
    assert len(error_over_resolution(study, FIELD)) == 2


def test_spectra_show_the_truth_and_tell_the_finest_shell(study: Study) -> None:
    panels = spectra(study, FIELD, 0)
    assert len(panels) == 3
    assert "#111111" in _svg(panels[0].source)
    truth = study.table["true_spectrum"].sel(resolution=64, field=FIELD)[:, 0].mean("trajectory")
    power = study.table["spectrum"].sel(
        run="FNO", protocol="projected", resolution=64, field=FIELD
    )[:, 0]
    last = int(np.flatnonzero(np.isfinite(truth.values))[-1])
    ratio = float(power.mean("trajectory")[last] / truth[last])
    assert f"FNO projected {significant(ratio)}" in panels[1].alt


def test_no_power_no_panels(mock: Mock) -> None:
    root, _ = mock
    root["true_spectrum"].values[:] = np.nan
    assert spectra(Study.of(root), FIELD, 0) == []
