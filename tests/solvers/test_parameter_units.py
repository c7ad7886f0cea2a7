"""Every number of an equation in SI units has a unit."""

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import pytest

from pdesurrogate import solvers
from pdesurrogate.solvers import Equation

PARTS = [
    kind
    for _, kind in inspect.getmembers(solvers, inspect.isclass)
    if is_dataclass(kind) and not inspect.isabstract(kind)
]
IN_SI = [
    kind
    for kind in PARTS
    if issubclass(kind, Equation) and (kind.time_units, kind.length_units) != ("1", "1")
]
CHOICES = {
    "orography": solvers.Orography,
    "bathymetry": solvers.Bathymetry,
    "coriolis": solvers.Coriolis,
    "source": solvers.MassSource,
}


def versions(equation: object) -> Iterator[object]:
    """The equation with every kind of part that it may have."""
    yield equation
    for name in (field.name for field in fields(equation)):
        for kind in PARTS:
            if name in CHOICES and issubclass(kind, CHOICES[name]):
                yield replace(equation, **{name: kind()})
        if isinstance(getattr(equation, name), Equation):
            for part in versions(getattr(equation, name)):
                yield replace(equation, **{name: part})


def numbers(part: object, prefix: str = "") -> Iterator[str]:
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            yield from numbers(value, f"{prefix}{field.name}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{prefix}{field.name}"


def test_the_equations_in_si_units_are_found():
    names = {kind.__name__ for kind in IN_SI}
    assert names >= {"ForcedSphericalShallowWater", "RotatingShallowWater", "PeriodicShallowWater"}


@pytest.mark.parametrize("kind", IN_SI)
def test_every_number_has_a_unit(kind):
    for equation in versions(kind()):
        assert set(numbers(equation)) <= set(equation.parameter_units), equation


def test_the_unit_of_a_hyperviscosity_follows_its_order():
    for order, unit in ((1, "m2 s-1"), (3, "m6 s-1")):
        equation = solvers.RotatingShallowWater(hyperviscosity_order=order)
        assert equation.parameter_units["hyperviscosity"] == unit


def test_a_mountain_below_a_source_has_units():
    mountain = solvers.SphericalShallowWater(orography=solvers.ConicalMountain())
    forced = solvers.ForcedSphericalShallowWater(flow=mountain)
    assert "flow.orography.peak" in set(numbers(forced))
    assert forced.parameter_units["flow.orography.peak"] == "m"
