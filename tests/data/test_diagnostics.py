"""What is stored along a trajectory besides fields: means of the simulation, by their formulas."""

import json
import shutil
from dataclasses import replace

import netCDF4
import numpy as np
import pytest
import xarray as xr

from pdesurrogate.data import Splits, generate, generation, load_recipe, open_dataset
from pdesurrogate.data.simulate import Failure
from pdesurrogate.solvers import ShallowWater


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """A dataset with the simulation's own grid among its rungs."""
    recipe = replace(tiny, resolutions=[8, 24], splits=Splits(4, 0, 1), accuracy_trajectories=0)
    return generate(recipe, tmp_path_factory.mktemp("whole") / "data")


def test_energy_and_enstrophy_are_half_the_mean_squares(whole):
    told, rung = whole.train.diagnostics, whole.train[24]
    assert told.sizes == {"trajectory": 4, "time": 5}
    speed2 = (rung.velocity_x.astype(float) ** 2 + rung.velocity_y.astype(float) ** 2).mean(
        ("y", "x")
    )
    np.testing.assert_allclose(told.energy, 0.5 * speed2, rtol=2e-7)
    vorticity2 = (rung.vorticity.astype(float) ** 2).mean(("y", "x"))
    np.testing.assert_allclose(told.enstrophy, 0.5 * vorticity2, rtol=2e-7)
    np.testing.assert_array_equal(told.time, rung.time)


def test_plain_xarray_opens_them_with_units_and_names(whole):
    with xr.open_datatree(whole.path / "train" / "shard-00000.nc") as shard:
        energy = shard["energy"]
        assert energy.dims == ("trajectory", "time")
        assert energy.dtype == np.float64
        assert energy.attrs["units"] == "1"
        assert "kinetic energy" in energy.attrs["long_name"]
        np.testing.assert_array_equal(energy, whole.train.diagnostics.energy[:3])
        np.testing.assert_array_equal(shard["resolution_8"]["time"], shard["time"])


def test_a_failed_trajectory_has_none(tiny, tmp_path, monkeypatch):
    simulate = generation.simulate

    def one_explodes(recipe, split, indices, *, on_failure, **options):
        on_failure(Failure(1, "exploded"))
        return simulate(recipe, split, indices, on_failure=on_failure, **options)

    monkeypatch.setattr(generation, "simulate", one_explodes)
    data = generate(replace(tiny, splits=Splits(3, 0, 0), accuracy_trajectories=0), tmp_path)
    assert data.train.diagnostics.trajectory.values.tolist() == [0, 2]
    assert np.isfinite(data.train.diagnostics.energy).all()
    with netCDF4.Dataset(tmp_path / "train" / "shard-00000.nc") as file:
        stored = file["energy"][:].filled(np.nan)
        assert np.isnan(stored).all(axis=1).tolist() == [False, True, False]


def test_an_equation_without_any_stores_none(tmp_path):
    recipe = replace(
        load_recipe("buoyant_smoke"),
        resolutions=[16],
        reference_resolution=16,
        num_frames=2,
        splits=Splits(1, 0, 0),
        batch_size=1,
        accuracy_trajectories=0,
    )
    data = generate(recipe, tmp_path)
    assert not data.train.diagnostics.data_vars
    with netCDF4.Dataset(tmp_path / "train" / "shard-00000.nc") as file:
        assert "time" not in file.dimensions


def test_water_keeps_its_mass_and_loses_energy_in_bores(tmp_path):
    recipe = replace(
        load_recipe("radial_dam_break"),
        equation=ShallowWater(gravity=1.0),
        resolutions=[16, 32],
        reference_resolution=32,
        num_frames=4,
        splits=Splits(2, 0, 0),
        batch_size=2,
        accuracy_trajectories=0,
    )
    data = generate(recipe, tmp_path)
    rung, told = data.train[32], data.train.diagnostics
    np.testing.assert_allclose(told.mass, rung.height.astype(float).mean(("y", "x")), rtol=1e-6)
    np.testing.assert_allclose(told.mass.diff("time") / told.mass.mean(), 0, atol=1e-7)
    assert (told.energy.diff("time") < 0).all()
    assert told.energy.units == "m3 s-2"
    assert rung.time.units == "s"
    assert rung.x.units == "m"


def test_datasets_without_any_are_still_read(whole, tmp_path):
    """As the first releases wrote them."""
    old = tmp_path / "old"
    shutil.copytree(whole.path, old)
    manifest = json.loads((old / "manifest.json").read_text())
    del manifest["diagnostics"]
    (old / "manifest.json").write_text(json.dumps(manifest))
    data = open_dataset(old)
    assert not data.train.diagnostics.data_vars
    assert data.train[8].vorticity.shape == (4, 5, 8, 8)
