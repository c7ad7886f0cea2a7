"""The demo, smaller than anybody would run it, and its page in a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import xarray as xr

from pdesurrogate.demo import DEMO_MODELS, DemoConfig, _begin, _check, run_demo
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.locks import LOCK, held
from pdesurrogate.models import count_parameters

SMALL = DemoConfig(
    resolutions=(32, 48),
    reference_resolution=48,
    steps_per_frame=12,
    spin_up_frames=2,
    num_frames=11,
    train=2,
    test=2,
    epochs=1,
    fine_trajectories=1,
    fine_epochs=1,
    num_steps=4,
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return run_demo(tmp_path_factory.mktemp("demo"), SMALL, workers=1).parent


def test_the_demo_leaves_what_was_promised(demo):
    assert (demo / "data" / "manifest.json").is_file()
    for name in DEMO_MODELS:
        assert (demo / "runs" / name / "model.safetensors").is_file()
    first = next(iter(DEMO_MODELS))
    assert (demo / "runs" / first / "extensions" / "48" / "model.safetensors").is_file()
    table = xr.load_dataset(demo / "evaluation.nc")
    assert set(DEMO_MODELS) <= set(table["run"].values)
    assert table["resolution"].values.tolist() == [32, 48]
    protocols = ["native", "projected", "transported", "extended"]
    assert table["protocol"].values.tolist() == protocols
    assert (demo / "report.html").stat().st_size > 100_000


def test_the_demos_models_are_of_one_size():
    counts = [
        count_parameters(spec.build(1, 1, PeriodicBox((32, 32)))) for spec in DEMO_MODELS.values()
    ]
    assert max(counts) < 1.1 * min(counts)


def test_a_second_call_continues(demo, monkeypatch):
    """With what is there; what follows the trainings is not tried again here."""
    page = demo / "report.html"
    for step in ("evaluate", "write_evaluation", "write_report"):
        monkeypatch.setattr(f"pdesurrogate.demo.{step}", lambda *args, **kwargs: page)
    before = (demo / "runs" / "fno" / "model.safetensors").read_bytes()
    run_demo(demo, SMALL, workers=1)
    assert (demo / "runs" / "fno" / "model.safetensors").read_bytes() == before


def test_somebodys_folder_is_never_touched(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="is not empty and holds no demo"):
            run_demo(tmp_path, SMALL, overwrite=overwrite)
    assert (tmp_path / "data" / "precious.txt").exists()
    assert not (tmp_path / "report.html").exists()


@pytest.mark.browser
def test_the_demos_page_opens_without_complaint(demo, browser):
    tab = browser.new_page()
    complaints = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto((demo / "report.html").as_uri())
    tab.evaluate("Promise.all([...document.images].map(image => image.decode()))")
    widths = tab.evaluate("[...document.images].map(image => image.naturalWidth)")
    tab.close()
    assert complaints == []
    assert len(widths) > 5
    assert min(widths) > 0


def test_another_size_is_refused_and_overwriting_deletes_the_demo_only(demo):
    (demo / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds a demo with epochs 1, not 2"):
        run_demo(demo, replace(SMALL, epochs=2))
    with held(demo), pytest.raises(ValueError, match="is in use by another process"):
        run_demo(demo, SMALL, overwrite=True)
    assert (demo / "report.html").exists()
    _check(demo, replace(SMALL, epochs=2), overwrite=True)
    _begin(demo, replace(SMALL, epochs=2), overwrite=True)
    assert sorted(p.name for p in demo.iterdir()) == [LOCK, "demo.json", "notes.txt"]
