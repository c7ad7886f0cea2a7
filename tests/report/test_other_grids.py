"""Evaluations of flows that are neither square nor periodic, and differ in their parameters."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from pdesurrogate.data import LogUniform, Splits, generate
from pdesurrogate.evaluation import evaluate, write_evaluation
from pdesurrogate.models import MultiResNet
from pdesurrogate.report import write_report
from pdesurrogate.training import TrainingConfig, train
from tests.decay import ChannelDecay, ClosedDecay, Decay, decay_recipe


@pytest.mark.parametrize("equation", [Decay(), ClosedDecay(), ChannelDecay()])
def test_the_page_shows_wide_grids_as_they_are(equation: Decay, tmp_path: Path) -> None:
    recipe = decay_recipe(
        equation=equation,
        parameters={"rate": LogUniform(0.02, 2.0)},
        domain_extent=(1.0, 2.0),
        splits=Splits(3, 1, 3),
    )
    data = generate(recipe, tmp_path / "data", workers=1)
    config = TrainingConfig(epochs=1, validation_steps=2)
    trained = train(MultiResNet(width=4, levels=1), data, 8, tmp_path / "run", config)
    write_evaluation(evaluate([trained], data, [8, 16]), tmp_path / "evaluation.nc")
    page = write_report([tmp_path / "evaluation.nc"], tmp_path / "report.html")
    text = page.read_text("utf-8")
    assert "16 × 32" in text
    assert "8 × 16" in text
    assert "16 × 16" not in text
    assert ">mask<" not in text
    assert "per trajectory rate from LogUniform(low=0.02, high=2.0)" in text
    pictures = re.findall(r'data:image/png;base64,([^"]+)" alt="(?:True|run)', text)
    sizes = {Image.open(io.BytesIO(base64.b64decode(code))).size for code in pictures}
    assert sizes == {(16, 8), (32, 16)}
