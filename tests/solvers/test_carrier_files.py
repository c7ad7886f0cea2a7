"""A carrier that a run keeps must carry as the one that it was trained with."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import torch

from pdesurrogate.fields import Field
from pdesurrogate.grids import ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.solvers import (
    BuoyantSmoke,
    Equation,
    FieldCarrier,
    PeriodicNavierStokes,
    RotatingShallowWater,
    SphericalShallowWater,
    carrier_from_dict,
    carrier_to_dict,
)
from pdesurrogate.surrogate import CarriedFrame


@pytest.mark.parametrize(
    ("equation", "count", "grid"),
    [
        (PeriodicNavierStokes(viscosity=0.05, drag=0.1), 1, PeriodicBox((16, 16))),
        (PeriodicNavierStokes(tracer_diffusivity=0.01), 2, PeriodicBox((16, 16))),
        (RotatingShallowWater(), 3, PeriodicBox((16, 16), (1e6, 1e6))),
        (BuoyantSmoke(), 3, ClosedBox((16, 16), (32.0, 32.0))),
        (SphericalShallowWater(), 3, GaussianSphere((16, 32))),
    ],
)
def test_a_run_keeps_every_carrier(equation: Equation, count: int, grid: Grid) -> None:
    fields = equation.fields[:count]
    carrier = equation.carrier(fields)
    assert carrier is not None
    assert carrier_from_dict(json.loads(json.dumps(carrier_to_dict(carrier)))) == carrier
    carried = CarriedFrame(carrier, (0.5,) * count)
    again = CarriedFrame.from_dict(json.loads(json.dumps(carried.to_dict())))
    assert again == carried
    u = 10 + torch.rand(1, count, *grid.num_points)
    found = again.transport(grid, grid, fields, 0.01).foreseen_change(u)
    assert torch.equal(found, carried.transport(grid, grid, fields, 0.01).foreseen_change(u))
    assert found.isfinite().all()


@dataclass(frozen=True)
class Homemade(FieldCarrier):
    """One that no run can keep."""


def test_foreign_carriers_are_refused() -> None:
    with pytest.raises(ValueError, match="part of a carrier 'Homemade'"):
        carrier_to_dict(Homemade((Field("dye", "1", "dye"),), (0, 0)))
    with pytest.raises(ValueError, match=r"part of a carrier 'os\.system'"):
        carrier_from_dict({"class_path": "os.system", "init_args": {}})
    with pytest.raises(ValueError, match="does not describe a carrier"):
        carrier_from_dict({"class_path": "UniformRotation", "init_args": {}})
    for options in ({"speed": 1}, [], None):
        with pytest.raises(ValueError, match="does not fit"):
            carrier_from_dict({"class_path": "VorticityCarrier", "init_args": options})


def test_every_entry_of_a_carried_frame_is_needed() -> None:
    equation = PeriodicNavierStokes()
    carrier = equation.carrier(equation.fields[:1])
    assert carrier is not None
    for missing in ("carrier", "shares", "options"):
        plain = CarriedFrame(carrier, (1.0,)).to_dict()
        del plain[missing]
        with pytest.raises(ValueError, match=missing):
            CarriedFrame.from_dict(plain)
