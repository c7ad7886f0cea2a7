"""The code on the documentation's page *Extending* does what the page says."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import pdesurrogate as ps
from pdesurrogate.cli import main
from pdesurrogate.data import Ladder
from pdesurrogate.fields import Field
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models.user_model import UserModel
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import LossSetting

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
BLOCK = re.compile(r'^```\w+ title="(?P<name>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
SETTINGS = ps.TrainingConfig(epochs=2, batch_size=4, validation_steps=2, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page's files in a folder on Python's path."""
    folder = tmp_path_factory.mktemp("extending")
    blocks = {match["name"]: match["text"] for match in BLOCK.finditer(PAGE.read_text("utf-8"))}
    for name, text in blocks.items():
        (folder / name).write_text(text, "utf-8")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in blocks:
        sys.modules.pop(Path(name).stem, None)


def module(folder: Path, name: str) -> ModuleType:
    assert (folder / f"{name}.py").is_file(), f"the page has no block {name}.py"
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def tracer(folder: Path) -> Ladder:
    return ps.generate(folder / "tracer.yaml", folder / "data")


@pytest.fixture(scope="module")
def trained(folder: Path, tracer: Ladder) -> Surrogate:
    spec = module(folder, "plain_convnet").PlainConvNet(width=4, layers=2)
    return ps.train(spec, tracer, 16, folder / "run", SETTINGS)


def test_the_equation_records_its_diagnostic(tracer: Ladder) -> None:
    variance = tracer.test.diagnostics.variance.values
    frames = tracer.test[32]["concentration"].values.astype(np.float64)
    # The rung is the solver's grid, but for the Nyquist mode, which the scheme leaves empty.
    np.testing.assert_allclose(variance, (frames**2).mean((-2, -1)), rtol=1e-5)
    assert (np.diff(variance) < 0).all()


def test_the_equation_gives_its_exact_solution(tracer: Ladder) -> None:
    frames = tracer.test[16]["concentration"].values.astype(np.float64)
    ky = np.fft.fftfreq(16, 1 / 16)[:, None]
    kx = np.fft.rfftfreq(16, 1 / 16)[None, :]
    elapsed = 5 * tracer.time_step
    factor = np.exp((-1j * kx * 1.0 - 1e-2 * (kx**2 + ky**2)) * elapsed)
    exact = np.fft.irfft2(factor * np.fft.rfft2(frames[:, 0]), s=(16, 16))
    np.testing.assert_allclose(frames[:, 5], exact, atol=1e-5 * np.abs(exact).max())


def test_the_recipe_finds_its_classes_again(tracer: Ladder) -> None:
    assert type(tracer.equation).__name__ == "AdvectionDiffusion"
    assert list(tracer.fields) == ["concentration"]


def test_the_model_serves_other_grids_and_is_loaded_when_named(
    folder: Path, trained: Surrogate
) -> None:
    spec = module(folder, "plain_convnet").PlainConvNet
    loaded = Surrogate.load(folder / "run", specs=[spec])
    window = torch.randn(2, 1, 1, 48, 32)
    torch.testing.assert_close(loaded.step(window), trained.step(window))
    with pytest.raises(ValueError, match="PlainConvNet"):
        Surrogate.load(folder / "run")


def test_a_network_that_knows_nothing_of_us_goes_all_the_way(folder: Path, tracer: Ladder) -> None:
    network, data, run = "my_network.MyNet", str(tracer.path), str(folder / "mine")
    options = ["--model", network, "--model.width", "4"]
    train = ["train", *options, "--data", data, "--resolution", "16", "--out", run]
    assert main(["check-model", network, "--model.width", "4", "--resolution", "16"]) == 0
    assert main([*train, "--epochs", "1", "--validation_steps", "2"]) == 0
    out = str(folder / "mine.nc")
    evaluate = ["evaluate", run, "--data", data, "--resolutions", "16,32", "--num_steps", "2"]
    assert main([*evaluate, "--out", out]) == 2  # nothing is built because a run says so
    assert main([*evaluate, "--out", out, "--models", network]) == 0
    assert main(["info", run, "--models", network]) == 0
    assert f"--models '[{network}]'" in ps.open_evaluation(out).attrs["commands"]
    kind = module(folder, "my_network").MyNet
    loaded = Surrogate.load(run, specs=[kind])
    assert loaded.info.model == network
    assert loaded.info.options == {"width": 4}
    assert loaded.step(torch.randn(1, 1, 1, 48, 32)).shape == (1, 1, 1, 48, 32)
    assert main(["train", "--config", f"{run}/config.yaml", "--out", str(folder / "again")]) == 0
    again = Surrogate.load(folder / "again", specs=[kind])
    for ours, theirs in zip(again.module.parameters(), loaded.module.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_network_is_trained_in_python(folder: Path, tracer: Ladder) -> None:
    kind = module(folder, "my_network").MyNet
    trained = ps.train(UserModel.of(kind, width=4), tracer, 16, folder / "run_mine", SETTINGS)
    with pytest.raises(ValueError, match=r"specs=\[MyNet\]"):
        Surrogate.load(folder / "run_mine")
    loaded = Surrogate.load(folder / "run_mine", specs=[kind])
    window = torch.randn(1, 1, 1, 16, 16)
    torch.testing.assert_close(loaded.step(window), trained.step(window))


def test_the_objective_is_right_by_hand(folder: Path) -> None:
    objective = module(folder, "discounted").Discounted(steps=3, factor=0.5)
    frames = torch.tensor([2.0, 5.0, 4.0, 6.0]).reshape(1, 4, 1, 1, 1)

    def step(window: torch.Tensor) -> torch.Tensor:
        return 2 * window

    def squares(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return (prediction - truth).square().mean()

    # 4, 8 and 16 instead of 5, 4 and 6
    loss = objective(step, frames[:, :1], frames[:, 1:], squares)
    assert loss.item() == pytest.approx((1 + 16 / 2 + 100 / 4) / 1.75)


def test_the_loss_is_right_by_hand(folder: Path) -> None:
    huber = module(folder, "huber").Huber(threshold=1.0)
    field = (Field("concentration", "1", "concentration"),)
    setting = LossSetting(field, PeriodicBox((2, 2)), torch.full((1, 1, 1), 2.0))
    error = torch.tensor([[0.0, 1.0], [-2.0, 8.0]])[None, None, None]
    truth = torch.randn(error.shape)
    # In units of 2: 0, 1/2, 1 and 4
    loss = huber.on(setting)(truth + error, truth)
    assert loss.item() == pytest.approx((0 + 0.125 + 0.5 + 3.5) / 4)


def test_objective_and_loss_are_trained_with_by_name(folder: Path, tracer: Ladder) -> None:
    run, again = str(folder / "composed"), str(folder / "composed_again")
    model = ["--model", "plain_convnet.PlainConvNet", "--model.width", "4", "--resolution", "16"]
    terms = "[{class_path: huber.Huber}, {class_path: H1}]"
    loss = ["--loss", "WeightedSum", "--loss.terms", terms, "--loss.weights", "1,0.1"]
    objective = ["--objective", "discounted.Discounted", "--objective.steps", "2"]
    train = ["train", *model, "--data", str(tracer.path), "--out", run, "--epochs", "1"]
    assert main([*train, "--validation_steps", "2", *objective, *loss]) == 0
    assert main(["train", "--config", f"{run}/config.yaml", "--out", again]) == 0
    kind = module(folder, "plain_convnet").PlainConvNet
    ours, theirs = (Surrogate.load(path, specs=[kind]) for path in (run, again))
    for one, other in zip(ours.module.parameters(), theirs.module.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("bundle", [1, 3])
def test_the_protocol_takes_each_error_from_the_better_side(
    bundle: int, folder: Path, tracer: Ladder, trained: Surrogate
) -> None:
    blended = module(folder, "blended").Blended()
    protocols = ["native", "projected", blended]
    if bundle > 1:
        spec = module(folder, "plain_convnet").PlainConvNet(width=4, layers=2)
        network = spec.build(1, bundle, tracer.grid(16)).requires_grad_(False)
        trained = Surrogate(network, replace(trained.info, bundle=bundle))
    table = ps.evaluate([trained], tracer, [16, 32], protocols, num_steps=4).to_dataset()
    # What one step predicts: later ones start from different fields.
    first = table.isel(run=0, lead_time=slice(bundle)).sel(resolution=32)
    errors = {
        (kind, protocol): first[f"{kind}_error"].sel(protocol=protocol).values
        for kind in ("in_band", "out_of_band")
        for protocol in ("native", "projected", "blended")
    }
    np.testing.assert_allclose(
        errors["in_band", "blended"], errors["in_band", "projected"], rtol=1e-4
    )
    np.testing.assert_allclose(
        errors["out_of_band", "blended"], errors["out_of_band", "native"], rtol=1e-4
    )
    assert not np.allclose(errors["in_band", "native"], errors["in_band", "projected"], rtol=1e-2)


def test_the_metric_is_right_by_hand(folder: Path) -> None:
    maximum_error = module(folder, "maximum").maximum_error
    truth = torch.tensor([[1.0, -4.0], [0.0, 2.0]]).expand(3, 2, 2)
    prediction = truth + torch.tensor([[0.0, 1.0], [-3.0, 0.5]])
    grid = PeriodicBox((2, 2))
    torch.testing.assert_close(maximum_error(prediction, truth, grid), torch.full((3,), 0.75))
