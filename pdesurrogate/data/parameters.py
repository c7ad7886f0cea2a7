"""Parameters that differ from trajectory to trajectory, named by their path in the equation."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from pdesurrogate.data.distributions import Distribution
from pdesurrogate.naming import unknown_name
from pdesurrogate.solvers import Equation

__all__ = [
    "check_parameters",
    "draw_parameters",
    "extreme_equations",
    "fixed_parameters",
    "numbers",
    "parameter_attributes",
    "parameter_name",
    "with_parameters",
]


_TAKEN = (
    *("trajectory", "seed", "status", "time_step", "failure"),
    *("time", "y", "x", "latitude", "longitude"),
)
"""Variables that shards have, and what a rung's dataset calls its points."""


def parameter_name(path: str) -> str:
    """The name of a parameter in files and tables.

    Example:
        >>> parameter_name("forcing.amplitude")
        'forcing_amplitude'
    """
    return path.replace(".", "_")


def draw_parameters(
    distributions: Mapping[str, Distribution], seed: int, key: Sequence[int]
) -> dict[str, float]:
    """One trajectory's parameters by path.

    Each parameter has a random stream of its own, named by its path: adding one to a recipe leaves
    the others, and the initial states, as they were.

    Args:
        distributions: What to draw, by path.
        seed: The recipe's seed.
        key: What tells the trajectory from all others.
    """
    drawn = {}
    for path, distribution in distributions.items():
        own = np.random.SeedSequence(seed, spawn_key=(*key, zlib.crc32(path.encode())))
        drawn[path] = distribution.sample(np.random.default_rng(own))
    return drawn


def with_parameters(equation: Equation, values: Mapping[str, float]) -> Equation:
    """The equation with some of its numbers replaced.

    Args:
        equation: What to change.
        values: New numbers by path, such as `viscosity` or `forcing.amplitude`. A whole number
            stays one.

    Raises:
        ValueError: If a path leads to no number of the equation, or it refuses the value.
    """
    for path, value in values.items():
        equation = _replaced(equation, path.split("."), path, value)
    return equation


def check_parameters(equation: Equation, distributions: Mapping[str, Distribution]) -> None:
    """Refuse a parameter that the equation does not have, or a value that it does not allow.

    Raises:
        ValueError: Naming the parameter.
    """
    taken = {*_TAKEN, *(f.name for f in equation.fields), *(d.name for d in equation.diagnostics)}
    for path, distribution in distributions.items():
        if parameter_name(path) in taken:
            raise ValueError(
                f"parameters.{path} cannot be stored: a file has a variable of that name already"
            )
        for value in distribution.extremes:
            try:
                with_parameters(equation, {path: value})
            except ValueError as error:
                raise ValueError(f"parameters.{path}: {error}") from None


def parameter_attributes(equation: Equation, path: str) -> dict[str, str]:
    """What a file says of a parameter; it gives no unit where none is known.

    Args:
        equation: Whose parameter it is.
        path: Where it stands in the equation.
    """
    attributes = {"long_name": f"{parameter_name(path)}, drawn for each trajectory"}
    if path in equation.parameter_units:
        return {**attributes, "units": equation.parameter_units[path]}
    is_dimensionless = equation.time_units == equation.length_units == "1"
    return {**attributes, "units": "1"} if is_dimensionless else attributes


def extreme_equations(
    equation: Equation, distributions: Mapping[str, Distribution]
) -> Iterator[tuple[dict[str, float], Equation]]:
    """Every combination of the extremes of the parameters, and the equation with it.

    A limit that is monotonic in each parameter holds for all that may be drawn if it holds here.
    """
    for values in itertools.product(*(d.extremes for d in distributions.values())):
        drawn = dict(zip(distributions, values, strict=True))
        yield drawn, with_parameters(equation, drawn)


def fixed_parameters(
    equation: Equation, distributions: Mapping[str, Distribution]
) -> dict[str, float]:
    """Numbers of the equation that are the same in every trajectory, by name.

    Args:
        equation: Where they stand.
        distributions: What is drawn, by path.
    """
    return {
        parameter_name(path): value
        for path, value in numbers(equation)
        if path not in distributions
    }


def numbers(part: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a dataclass and of those within it, by path.

    Args:
        part: An equation, an initial condition or a part of one.
        prefix: What the paths begin with.
    """
    for f in fields(part):
        value = getattr(part, f.name)
        if is_dataclass(value):
            yield from numbers(value, f"{prefix}{f.name}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{prefix}{f.name}", float(value)


def _replaced(part: Any, path: Sequence[str], whole: str, value: float) -> Any:
    names = [f.name for f in fields(part)] if is_dataclass(part) else []
    name, rest = path[0], path[1:]
    if name not in names:
        raise ValueError(f"{unknown_name(f'parameter of {type(part).__name__}', name, names)}")
    current: Any = getattr(part, name)
    if rest:
        new: Any = _replaced(current, rest, whole, value)
    elif isinstance(current, bool) or not isinstance(current, (int, float)):
        raise ValueError(f"{whole} is no number but {type(current).__name__}; it cannot be drawn")
    elif isinstance(current, int):
        if value != int(value):
            raise ValueError(f"{whole} must be a whole number, got {value}")
        new = int(value)
    else:
        new = float(value)
    return replace(part, **{name: new})
