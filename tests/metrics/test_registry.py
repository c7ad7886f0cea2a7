from __future__ import annotations

import inspect

import pytest

from pdesurrogate import metrics


@pytest.mark.parametrize("name", metrics.__all__)
def test_every_metric_has_a_summary_of_one_line(name: str) -> None:
    summary = (inspect.getdoc(getattr(metrics, name)) or "").partition("\n")[0]
    assert len(summary) > 20
    assert summary.endswith(".")
