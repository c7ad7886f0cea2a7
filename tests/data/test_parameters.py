from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch
import yaml

from pdesurrogate.data import (
    Choice,
    LogUniform,
    Recipe,
    Splits,
    Uniform,
    Windows,
    field_statistics,
    generate,
    load_frames,
    load_recipe,
    open_dataset,
)
from pdesurrogate.data.parameters import draw_parameters, with_parameters
from pdesurrogate.data.recipe import parse_recipe
from pdesurrogate.fields import Field
from pdesurrogate.solvers import KolmogorovForcing, PeriodicNavierStokes
from pdesurrogate.solvers.navier_stokes import PeriodicNavierStokesSolver

DRAWN = {
    "viscosity": LogUniform(1e-3, 1e-1),
    "forcing.amplitude": Uniform(0.5, 1.5),
    "forcing.wavenumber": Choice([1.0, 2.0]),
}


@pytest.fixture(scope="module")
def conditioned(tiny: Recipe) -> Recipe:
    return replace(tiny, parameters=DRAWN)


def test_numbers_are_replaced_along_their_path() -> None:
    equation = PeriodicNavierStokes(forcing=KolmogorovForcing(amplitude=1.0, wavenumber=4))
    changed = with_parameters(equation, {"viscosity": 0.5, "forcing.wavenumber": 2.0})
    assert changed == replace(
        equation, viscosity=0.5, forcing=replace(equation.forcing, wavenumber=2)
    )
    assert isinstance(changed.forcing.wavenumber, int)


@pytest.mark.parametrize(
    ("recipe", "parameters", "message"),
    [
        (
            "kolmogorov",
            {"forcing.wavenumber": Choice([4.0, 200.0])},
            r"with parameters\.forcing\.wavenumber = 200: .*wavenumber 200",
        ),
        ("cylinder_wake", {"obstacle.diameter": Uniform(0.1, 1.0)}, "2.1 cells wide"),
        ("cylinder_wake", {"obstacle.x": Uniform(3.0, 13.0)}, "obstacle"),
        (
            "buoyant_smoke_pdearena",
            {"viscosity": Uniform(0.005, 0.02)},
            "at least 8 steps_per_frame",
        ),
    ],
)
def test_every_parameter_that_may_be_drawn_is_checked_before_the_run(
    recipe: str, parameters: dict[str, Uniform], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        generate(recipe, tmp_path / "data", parameters=parameters)
    assert not (tmp_path / "data").exists()


def test_what_is_drawn_depends_on_the_trajectory_and_the_name_alone() -> None:
    whole = draw_parameters(DRAWN, 3, (0, 7))
    assert draw_parameters({"viscosity": DRAWN["viscosity"]}, 3, (0, 7)) == {
        "viscosity": whole["viscosity"]
    }
    assert draw_parameters(DRAWN, 3, (0, 8)) != whole
    assert draw_parameters(DRAWN, 4, (0, 7)) != whole


@pytest.mark.parametrize(
    ("path", "distribution", "message"),
    [
        ("viscosty", Uniform(0.0, 1.0), "parameters.viscosty: unknown parameter .*'viscosity'"),
        ("forcing.strength", Uniform(0.0, 1.0), "parameters.forcing.strength: unknown parameter"),
        ("forcing", Uniform(0.0, 1.0), "forcing is no number but KolmogorovForcing"),
        ("viscosity", Uniform(-1.0, 1.0), "parameters.viscosity: viscosity must be finite and not"),
        ("forcing.wavenumber", Uniform(1.0, 2.5), "must be a whole number, got 2.5"),
    ],
)
def test_a_recipe_refuses_parameters_that_its_equation_does_not_take(
    tiny: Recipe, path: str, distribution: Uniform, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(tiny, parameters={path: distribution})


@dataclass(frozen=True)
class Seeded(PeriodicNavierStokes):
    """Has a number whose name every file knows as something else."""

    seed: int = 0


def test_a_parameter_whose_name_is_taken_is_refused(tiny: Recipe) -> None:
    with pytest.raises(
        ValueError, match=r"parameters\.seed cannot be stored: a file has a variable"
    ):
        replace(tiny, equation=Seeded(), parameters={"seed": Uniform(0.0, 1.0)})


def test_parameters_are_stored_used_and_independent_of_everything_else(
    conditioned: Recipe, tmp_path: Path
) -> None:
    data = generate(conditioned, tmp_path / "data")
    assert data.parameters == ("viscosity", "forcing_amplitude", "forcing_wavenumber")
    values = data.parameter_values("train")
    assert len(np.unique(values["viscosity"])) == 5
    first = data.train[16]
    np.testing.assert_array_equal(first.viscosity, values["viscosity"])
    assert first.viscosity.dims == ("trajectory",)
    with netCDF4.Dataset(tmp_path / "data" / "train" / "shard-00001.nc") as file:
        assert file["viscosity"][:].tolist() == values["viscosity"][3:].tolist()
        assert file["viscosity"].units == "1"

    # The trajectory is that of its own equation, and starts as the others' recipe says.
    equations = data.variants("train")
    assert [e.viscosity for e in equations] == values["viscosity"].tolist()
    alone = replace(conditioned, parameters={}, equation=equations[1])
    single = generate(alone, tmp_path / "single")
    np.testing.assert_allclose(
        data.train[16].vorticity[1], single.train[16].vorticity[1], rtol=0, atol=1e-4
    )
    more = generate(replace(conditioned, splits=Splits(7, 0, 0)), tmp_path / "more", workers=2)
    np.testing.assert_array_equal(more.train[16].vorticity[:5], data.train[16].vorticity)


def test_more_viscous_flow_decays_faster_from_the_same_state(tiny: Recipe, tmp_path: Path) -> None:
    calm = replace(
        tiny,
        equation=PeriodicNavierStokes(viscosity=1e-3),
        parameters={"viscosity": LogUniform(1e-3, 1e-1)},
        spin_up_frames=0,
        batch_size=2,
        splits=Splits(2, 0, 0),
    )
    one = generate(calm, tmp_path / "one")
    with torch.no_grad():
        enstrophy = (one.train[16].vorticity ** 2).mean(("y", "x"))
    kept = (enstrophy[:, -1] / enstrophy[:, 0]).values
    order = np.argsort(one.parameter_values("train")["viscosity"])
    assert kept[order[0]] > kept[order[1]]


def test_a_recipe_with_parameters_survives_its_yaml(conditioned: Recipe, tmp_path: Path) -> None:
    import yaml

    (tmp_path / "r.yaml").write_text(yaml.safe_dump(conditioned.to_dict()))
    assert load_recipe(tmp_path / "r.yaml") == conditioned
    assert conditioned.sha256 != replace(conditioned, parameters={}).sha256


@dataclass(frozen=True)
class Masked(PeriodicNavierStokes):
    """Has a static field: the distance from the lower edge."""

    @property
    def fields(self):
        return (*super().fields, Field("bed", "m", "bed", is_prognostic=False, is_static=True))

    def discretise(self, grid, dt, *, variants=(), dtype=torch.float32, device="cpu"):
        plain = PeriodicNavierStokes(viscosity=self.viscosity)
        return _MaskedSolver((plain,), grid, dt, dtype=dtype, device=device)


class _MaskedSolver(PeriodicNavierStokesSolver):
    def observe(self, state, grid):
        flow = super().observe(state, grid)
        bed = torch.as_tensor(grid.y, dtype=torch.float32)[:, None].expand(grid.num_points)
        return {**flow, "bed": bed.expand(flow["vorticity"].shape)}


def test_static_fields_are_stored_once_and_read_as_channels(tiny: Recipe, tmp_path: Path) -> None:
    generate(replace(tiny, equation=Masked()), tmp_path / "data")
    data = open_dataset(tmp_path / "data")
    assert data.static_fields == ("bed",)
    assert "bed" not in data.prognostic_fields
    rung = data.train[16]
    assert rung.bed.dims == ("trajectory", "y", "x")
    np.testing.assert_allclose(rung.bed[0, :, 3], data.grid(16).y, rtol=1e-6)
    frames = load_frames(data, "train", 16, ["vorticity", "bed"], time=slice(1, 3))
    assert frames.shape == (5, 2, 2, 16, 16)
    assert torch.equal(frames[0, 0, 1], torch.from_numpy(rung.bed[0].values))
    assert torch.equal(frames[0, 0, 1], frames[4, 1, 1])
    windows = Windows(data, "train", 16, ["vorticity", "bed"], 1, 1)
    assert torch.equal(windows[1][:, 1], frames[0, :, 1])
    assert field_statistics(data, 16, ["bed"]).change_std == (0.0,)


def test_parameters_are_channels_too(conditioned: Recipe, tmp_path: Path) -> None:
    data = generate(conditioned, tmp_path / "data")
    names = ("viscosity", "vorticity", "forcing_amplitude")
    frames = load_frames(data, "train", 8, names, slice(1, 4), slice(2, None))
    assert frames.shape == (3, 3, 3, 8, 8)
    viscosity = np.float32(data.parameter_values("train")["viscosity"])
    for row in range(3):
        assert (frames[row, :, 0] == viscosity[1 + row]).all()
    alone = load_frames(data, "train", 8, ["vorticity"], slice(1, 4), slice(2, None))
    assert torch.equal(frames[:, :, 1:2], alone)
    windows = Windows(data, "train", 8, names, 1, 2)
    assert torch.equal(windows[windows.per_trajectory + 2], frames[0])
    with pytest.raises(ValueError, match=r"unknown field or parameter of .*'viscsity' \(did you"):
        load_frames(data, "train", 8, ["viscsity"])


@dataclass(frozen=True)
class Faces(PeriodicNavierStokes):
    """Has the velocity at faces as well, in other units."""

    @property
    def fields(self):
        faces = (
            Field(f"face_velocity_{part}", "1", "velocity", False, vector_part=part)
            for part in ("x", "y")
        )
        return (*super().fields, *faces)

    def discretise(self, grid, dt, *, variants=(), dtype=torch.float32, device="cpu"):
        plain = PeriodicNavierStokes(viscosity=self.viscosity)
        return _FacesSolver((plain,), grid, dt, dtype=dtype, device=device)


class _FacesSolver(PeriodicNavierStokesSolver):
    def observe(self, state, grid):
        flow = super().observe(state, grid)
        faces = {f"face_{name}": 10 * flow[name] for name in ("velocity_x", "velocity_y")}
        return {**flow, **faces}


def test_every_vector_has_a_deviation_of_its_own(tiny: Recipe, tmp_path: Path) -> None:
    data = generate(replace(tiny, equation=Faces()), tmp_path / "data")
    names = ["velocity_x", "face_velocity_x", "velocity_y", "face_velocity_y"]
    found = field_statistics(data, 16, names)
    assert found.std[0] == found.std[2]
    assert found.std[1] == found.std[3]
    assert found.std[1] == pytest.approx(10 * found.std[0])
    assert found.change_std[3] == pytest.approx(10 * found.change_std[0])
    alone = field_statistics(data, 16, ["velocity_x", "velocity_y"])
    assert alone.std == (found.std[0], found.std[2])


def test_a_distribution_that_refuses_its_values_is_named(tiny: Recipe, tmp_path: Path) -> None:
    plain = tiny.to_dict()
    law = {"class_path": "Uniform", "init_args": {"low": 2.0, "high": 1.0}}
    plain["parameters"] = {"forcing.amplitude": law}
    with pytest.raises(
        ValueError, match=r"^parameters\.forcing\.amplitude: low must be below high"
    ):
        parse_recipe(plain)
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(ValueError, match=r"parameters\.forcing\.amplitude: low must be below high"):
        load_recipe(path)
