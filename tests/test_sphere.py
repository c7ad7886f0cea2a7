"""The whole journey on a sphere: generate, open, train, evaluate, report."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from pdesurrogate.cli.info import describe
from pdesurrogate.data import Ladder, Recipe, Splits, Uniform, generate, load_frames, open_dataset
from pdesurrogate.evaluation import evaluate, open_evaluation, write_evaluation
from pdesurrogate.fields import Field
from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import RossbyHaurwitzWave
from pdesurrogate.metrics import mean_square
from pdesurrogate.models import FNO, ModelSpec, MultiResNet
from pdesurrogate.report import write_report
from pdesurrogate.solvers import SphericalShallowWater
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import TrainingConfig, train
from pdesurrogate.transfer import restrict_fields

SPACE = ("latitude", "longitude")
HOUR = 3600.0
RECIPE = Recipe(
    name="globe",
    title="Waves around a globe",
    equation=SphericalShallowWater(mean_depth=8500.0),
    initial_condition=RossbyHaurwitzWave(polar_depth=8000.0),
    parameters={"rotation_rate": Uniform(6e-5, 8e-5)},
    resolutions=[16, 32],
    reference_resolution=32,
    frame_interval=6 * HOUR,
    steps_per_frame=12,
    num_frames=5,
    splits=Splits(3, 1, 2),
    batch_size=2,
    accuracy_trajectories=1,
)


@pytest.fixture(scope="module")
def globe(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    return generate(RECIPE, tmp_path_factory.mktemp("globe") / "data")


@pytest.fixture(scope="module")
def runs(globe: Ladder, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    specs: list[ModelSpec] = [MultiResNet(width=4, levels=2), FNO(width=4, modes=4, layers=2)]
    config = TrainingConfig(epochs=1, validation_steps=2)
    for spec in specs:
        train(spec, globe, 16, folder / type(spec).__name__, config)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def table(globe: Ladder, runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluation") / "evaluation.nc"
    write_evaluation(evaluate(runs, globe, [16, 32]), path)
    return path


def test_a_shard_follows_the_cf_conventions(globe: Ladder) -> None:
    with xr.open_datatree(globe.path / "train" / "shard-00000.nc") as shard:
        rung = shard["resolution_16"]
        assert rung["height"].dims == ("trajectory", "time", *SPACE)
        assert shard.attrs["Conventions"] == "CF-1.11"
        assert rung["latitude"].attrs["units"] == "degrees_north"
        assert rung["longitude"].attrs["units"] == "degrees_east"
        assert [rung[d].attrs["standard_name"] for d in SPACE] == list(SPACE)
        assert [rung[d].attrs["axis"] for d in (*SPACE, "time")] == ["Y", "X", "T"]
        sines = np.polynomial.legendre.leggauss(16)[0]
        np.testing.assert_allclose(np.sin(np.radians(rung["latitude"])), sines, atol=1e-14)
        np.testing.assert_array_equal(rung["longitude"], np.arange(32) * 360 / 32)
        np.testing.assert_array_equal(rung["time"], 6 * HOUR * np.arange(5))
        assert rung["time"].attrs["units"] == "s"
        assert shard["time_step"].attrs["units"] == "s"
        assert shard["rotation_rate"].attrs["units"] == "s-1"
        units = {"height": "m", "velocity_x": "m s-1", "vorticity": "s-1"}
        assert {name: rung[name].attrs["units"] for name in units} == units
        assert rung["velocity_x"].attrs["standard_name"] == "eastward_wind"


def test_the_lazy_dataset_is_labelled_as_the_file_is(globe: Ladder) -> None:
    rung = globe.test[32]
    assert rung.height.dims == ("trajectory", "time", *SPACE)
    assert rung.time.units == "s"
    assert rung.latitude.units == "degrees_north"
    assert rung.rotation_rate.units == "s-1"
    assert rung.height.sel(latitude=45.0, longitude=180.0, method="nearest").shape == (2, 5)
    np.testing.assert_array_equal(rung.latitude, globe.grid(32).y)


def test_diagnostics_are_the_global_means_of_the_fields(globe: Ladder) -> None:
    told, rung = globe.test.diagnostics, globe.test[32].astype(float).load()
    weights = xr.DataArray(globe.grid(32).quadrature_weights, dims=SPACE)
    speed2 = rung.velocity_x**2 + rung.velocity_y**2
    coriolis = 2 * rung.rotation_rate * np.sin(np.radians(rung.latitude))
    radius = globe.equation.radius
    arm = radius * np.cos(np.radians(rung.latitude))
    densities = {
        "mass": rung.height,
        "energy": 0.5 * rung.height * speed2 + 0.5 * 9.80616 * rung.height**2,
        "potential_enstrophy": 0.5 * (rung.vorticity + coriolis) ** 2 / rung.height,
        "angular_momentum": arm * rung.height * (rung.velocity_x + rung.rotation_rate * arm),
    }
    assert set(told.data_vars) == set(densities)
    for name, density in densities.items():
        expected = (density * weights).sum(SPACE).transpose("trajectory", "time")
        np.testing.assert_allclose(told[name], expected, rtol=1e-6)
    drift = abs(told / told.isel(time=0) - 1).max()
    assert drift.mass < 1e-7
    assert drift.energy < 1e-3
    assert told.energy.units == "m3 s-2"


def test_a_rung_is_the_restriction_of_the_finer_one(globe: Ladder) -> None:
    names = tuple(globe.fields)
    fine, coarse = (load_frames(globe, "test", n, names) for n in (32, 16))
    fields = tuple(globe.fields.values())
    restricted = restrict_fields(fine, fields, globe.grid(32), globe.grid(16))
    scale = coarse.abs().amax(dim=(0, 1, 3, 4))[:, None, None]
    assert ((restricted - coarse) / scale).abs().max() < 1e-5


def test_a_restart_gives_the_same_bytes(globe: Ladder, tmp_path: Path) -> None:
    shutil.copytree(globe.path, tmp_path / "data")
    lost = tmp_path / "data" / "train" / "shard-00001.nc"
    lost.unlink()
    generate(RECIPE, tmp_path / "data")
    assert lost.read_bytes() == (globe.path / "train" / "shard-00001.nc").read_bytes()
    open_dataset(tmp_path / "data").verify()


def test_normalisation_weighs_by_area(globe: Ladder, runs: list[Path]) -> None:
    statistics = Surrogate.load(runs[0]).info.statistics
    height = load_frames(globe, "train", 16, ("height",)).double()
    mean = statistics.mean[statistics.fields.index("height")]
    deviation = statistics.std[statistics.fields.index("height")]
    spread = mean_square(height - mean, globe.grid(16)).mean()
    assert float(spread) == pytest.approx(deviation**2, rel=1e-6)
    assert mean == pytest.approx(float(globe.train.diagnostics.mass.mean()), rel=1e-6)


def test_a_forecast_has_the_datas_dimensions(globe: Ladder, runs: list[Path]) -> None:
    given = globe.test[32].isel(time=slice(0, 2))
    forecast = Surrogate.load(runs[0]).rollout(given, 3)
    assert forecast.height.dims == ("trajectory", "time", *SPACE)
    assert forecast.height.shape == (2, 3, 32, 64)
    np.testing.assert_array_equal(forecast.latitude, given.latitude)
    np.testing.assert_allclose(forecast.time, 6 * HOUR * np.arange(2, 5))
    assert forecast.time.units == forecast.lead_time.units == "s"
    upside_down = given.isel(latitude=slice(None, None, -1))
    with pytest.raises(ValueError, match=r"latitudes run from -85\.76 to 85\.76 .* from 85\.76"):
        Surrogate.load(runs[0]).rollout(upside_down, 1)


def test_an_evaluation_counts_degrees_and_seconds(table: Path) -> None:
    with open_evaluation(table) as tree:
        root = tree.to_dataset().load()
        example = tree["example_32"].to_dataset().load()
    assert example.truth.dims == ("lead_time", "field", *SPACE)
    assert example.latitude.units == "degrees_north"
    assert root.lead_time.units == root.attrs["time_units"] == "s"
    assert root.wavenumber.values.tolist() == list(range(32))
    assert root.wavenumber.units == "1"
    power = root.true_spectrum.sel(field="height", resolution=32).isel(spectrum_lead_time=0)
    total = root.true_mean_square.sel(field="height", resolution=32).isel(lead_time=0)
    np.testing.assert_allclose(power.sum("wavenumber"), total, rtol=1e-5)
    assert set(root.protocol.values) == {"native", "projected", "transported"}
    for name in ("FNO", "MultiResNet"):
        assert np.isfinite(root.nrmse.sel(run=name, resolution=32)).all()


def test_the_baselines_know_the_sphere(table: Path) -> None:
    with open_evaluation(table) as tree:
        root = tree.to_dataset().load()
    floor = root.sel(run="truncation floor 16", protocol="projected", resolution=32)
    shown = floor.sel(field=["height", "velocity_x", "velocity_y"])
    assert float(shown.in_band_error.max()) < 1e-5
    assert float(shown.out_of_band_error.min()) > 0
    np.testing.assert_allclose(shown.out_of_band_error, shown.nrmse, rtol=1e-5, atol=1e-7)
    solver = root.sel(run="coarse solver 16", protocol="projected", resolution=32)
    still = root.sel(run="persistence", protocol="native", resolution=32)
    for field in ("height", "velocity_x", "velocity_y"):
        errors = [float(t.nrmse.sel(field=field).isel(lead_time=0).mean()) for t in (solver, still)]
        assert errors[0] < 0.5 * errors[1]
    for run in ("truncation floor 16", "coarse solver 16"):
        errors = root.sel(run=run, protocol="projected", resolution=32)
        np.testing.assert_allclose(errors.total_error, errors.nrmse, rtol=1e-3)


def test_a_perfect_projected_step_has_the_floor_in_every_field(globe: Ladder) -> None:
    from pdesurrogate.evaluation.protocols import Projected, Setting

    names = globe.prognostic_fields
    fields: tuple[Field, ...] = tuple(globe.fields[name] for name in names)
    frames = load_frames(globe, "test", 32, names)[:, :1]
    coarse = load_frames(globe, "test", 16, names)[:, :1]
    seen: list[torch.Tensor] = []

    def still(window: torch.Tensor) -> torch.Tensor:
        seen.append(window)
        return window

    setting = Setting(globe.grid(16), globe.grid(32), fields, 6 * HOUR)
    shown = Projected().carry(still, setting)(frames)
    scale = coarse.abs().amax(dim=(0, 1, 3, 4))[:, None, None]
    # What the network sees is what it was trained on, winds at the poles included.
    assert ((seen[0] - coarse) / scale).abs().max() < 1e-5
    again = restrict_fields(shown, fields, globe.grid(32), globe.grid(16))
    assert ((again - coarse) / scale).abs().max() < 1e-5


def test_the_report_shows_the_globe(table: Path, tmp_path: Path) -> None:
    page = write_report([table], tmp_path / "report.html").read_text("utf-8")
    assert "32 × 64" in page
    assert "32²" not in page
    assert "rotation_rate from Uniform" in page
    assert "<dt>Told besides the fields</dt><dd>rotation_rate</dd>" in page
    assert "lead times 6.00 to 24.0 hours" in page
    assert '<div class="map">' in page


def test_info_tells_units_and_diagnostics(globe: Ladder) -> None:
    facts = json.loads(describe(globe.path, as_json=True))
    assert facts["diagnostics"] == {
        "mass": "m",
        "energy": "m3 s-2",
        "potential_enstrophy": "m-1 s-2",
        "angular_momentum": "m3 s-1",
    }
    assert facts["time_units"] == "s"


def test_a_recipe_for_a_sphere_needs_no_extent() -> None:
    plain = RECIPE.to_dict()
    assert plain["domain_extent"] == [180.0, 360.0]
    assert RECIPE.grid(16) == GaussianSphere((16, 32))
    with pytest.raises(ValueError, match="must be two even numbers"):
        replace(RECIPE, reference_resolution=33).grid(33)
