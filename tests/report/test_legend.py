from __future__ import annotations

import pytest

from pdesurrogate.report.legend import legend, marker_path, svg_dash
from pdesurrogate.report.looks import baseline_look, dash_of, surrogate_look
from pdesurrogate.report.methods import Study


def test_swatches_are_what_plots_draw(study: Study) -> None:
    made = legend(study)
    assert [e.name for e in made.models] == [m.name for m in study.models]
    assert [e.colour for e in made.models] == [m.look.colour for m in study.models]
    assert all(e.marker and not e.dash for e in made.models)
    assert all(e.dash and not e.marker for e in made.baselines)
    assert {e.name: e.dash for e in made.protocols} == {"native": "2.4 3.2", "projected": ""}


def test_forty_two_models_are_told_apart() -> None:
    looks = [surrogate_look(i) for i in range(42)]
    assert len({(look.colour, look.marker) for look in looks}) == 42
    assert all(marker_path(look.marker) for look in looks)


@pytest.mark.parametrize("protocol", ["native", "projected", "transported", "a new one"])
def test_a_baseline_keeps_its_dash_under_every_protocol(protocol: str) -> None:
    look = baseline_look("persistence")
    assert dash_of(look, protocol) == look.dash
    assert svg_dash((1.5, 2.0)) == "3 4"
