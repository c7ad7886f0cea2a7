"""A recipe: everything that determines a dataset, as plain data in a YAML file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib import resources
from inspect import isabstract
from pathlib import Path
from typing import Any, Literal

import jsonargparse
import yaml

import pdesurrogate.initial_conditions
import pdesurrogate.solvers
from pdesurrogate.data import distributions
from pdesurrogate.data.distributions import Distribution
from pdesurrogate.data.parameters import check_parameters
from pdesurrogate.grids import Grid
from pdesurrogate.initial_conditions import InitialCondition
from pdesurrogate.naming import unknown_name
from pdesurrogate.solvers import (
    Bathymetry,
    Coriolis,
    Equation,
    Forcing,
    Inflow,
    MassSource,
    Obstacle,
    Orography,
)

__all__ = [
    "Recipe",
    "Splits",
    "check_distributions",
    "class_names",
    "find_recipe",
    "list_recipes",
    "load_recipe",
    "parse_recipe",
    "recipe_parser",
    "refusal_of_a_part",
]

_CHOSEN_BY_NAME: tuple[type[Any], ...] = (
    Bathymetry,
    Coriolis,
    Distribution,
    Equation,
    Forcing,
    Inflow,
    InitialCondition,
    MassSource,
    Obstacle,
    Orography,
)
"""Kinds of which a recipe names a class; plain numbers and texts everywhere else."""

jsonargparse.set_parsing_settings(subclasses_enabled=list(_CHOSEN_BY_NAME))


@dataclass(frozen=True)
class Splits:
    """Trajectories per split.

    Args:
        train: For fitting weights and normalisation.
        valid: For choosing checkpoints and settings.
        test: For the numbers that are reported.
    """

    train: int = 64
    valid: int = 8
    test: int = 16

    def __post_init__(self) -> None:
        for f in fields(self):
            if getattr(self, f.name) < 0:
                raise ValueError(f"splits.{f.name} must not be negative")
        if not any(getattr(self, f.name) for f in fields(self)):
            raise ValueError("splits must ask for at least one trajectory")


@dataclass(frozen=True)
class Recipe:
    """What to simulate and how to look at it.

    Args:
        name: Short name, as in file names.
        title: One line for a human reader.
        equation: The physics; names a class of `pdesurrogate.solvers`.
        initial_condition: The random initial state; names a class of
            `pdesurrogate.initial_conditions`.
        parameters: Numbers of the equation that differ from trajectory to trajectory, by their path
            in it, such as `viscosity` or `forcing.amplitude`; each names a distribution of
            `pdesurrogate.data`.
        domain_extent: Length of the domain along y and x; by default 2π along both, and 180 and
            360 degrees on a sphere.
        columns_per_row: Points along x per point along y; by default as many as make the spacing
            equal in both directions.
        resolutions: The ladder, points along y of every rung.
        reference_resolution: Points along y of the simulation that all rungs observe, at least the
            finest rung.
        frame_interval: Time between stored frames.
        steps_per_frame: Solver steps from one frame to the next.
        num_frames: Stored frames of a trajectory, the first one included.
        spin_up_frames: Frame intervals to run before the first stored frame.
        splits: Trajectories per split.
        seed: Seed of all randomness.
        batch_size: Trajectories that are computed together and share a file. Fixed per recipe,
            because results may depend on it in the last bit.
        dtype: Precision of the simulation; files hold float32.
        accuracy_trajectories: Trajectories on which the discretisation error is measured.
        references: Where the setting comes from.

    Raises:
        ValueError: If a value is out of its range; the message names it.
    """

    name: str
    title: str
    equation: Equation
    initial_condition: InitialCondition
    resolutions: list[int]
    reference_resolution: int
    frame_interval: float
    steps_per_frame: int
    num_frames: int
    spin_up_frames: int = 0
    parameters: dict[str, Distribution] = field(default_factory=dict)
    domain_extent: tuple[float, float] | None = None
    columns_per_row: float | None = None
    splits: Splits = field(default_factory=Splits)
    seed: int = 0
    batch_size: int = 4
    dtype: Literal["float32", "float64"] = "float32"
    accuracy_trajectories: int = 2
    references: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "resolutions", sorted(set(self.resolutions)))
        if not self.resolutions or self.resolutions[0] < 4:
            raise ValueError(
                f"resolutions must name rungs of at least 4 points, got {self.resolutions}"
            )
        if self.reference_resolution < self.resolutions[-1]:
            raise ValueError(
                f"reference_resolution ({self.reference_resolution}) must be at least the finest "
                f"rung of resolutions ({self.resolutions[-1]})"
            )
        if self.domain_extent is None:
            object.__setattr__(self, "domain_extent", self.equation.grid_type.domain_extent)
        if min(self._extent) <= 0:
            raise ValueError(
                f"domain_extent must be two positive lengths, got {tuple(self._extent)}"
            )
        for name in ("frame_interval", "steps_per_frame", "num_frames", "batch_size"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("spin_up_frames", "seed", "accuracy_trajectories"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.columns_per_row is not None and not self.columns_per_row > 0:
            raise ValueError(f"columns_per_row must be positive, got {self.columns_per_row}")
        check_parameters(self.equation, self.parameters)

    @property
    def solver_time_step(self) -> float:
        """Step of the reference simulation."""
        return self.frame_interval / self.steps_per_frame

    def grid(self, resolution: int) -> Grid:
        """The rung with `resolution` points along y.

        Raises:
            ValueError: If that gives no whole number of points along x.
        """
        ly, lx = self._extent
        columns = resolution * (self.columns_per_row or lx / ly)
        if abs(columns - round(columns)) > 1e-9 * columns:
            reason = f"domain_extent {tuple(self._extent)}"
            if self.columns_per_row:
                reason = f"columns_per_row {self.columns_per_row:g}"
            raise ValueError(
                f"resolution {resolution} gives {columns:.3f} points along x for {reason}; choose "
                "one that gives a whole number"
            )
        return self.equation.grid_type((resolution, round(columns)), self._extent)

    @property
    def _extent(self) -> tuple[float, float]:
        return self.domain_extent or self.equation.grid_type.domain_extent

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `load_recipe` reads it back from YAML or JSON."""
        return _plain(self)

    @property
    def sha256(self) -> str:
        """Fingerprint of all that determines a trajectory's bytes: everything but the splits."""
        identity = {k: v for k, v in self.to_dict().items() if k not in _NOT_IDENTITY}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


_NOT_IDENTITY = ("splits", "title", "references", "accuracy_trajectories")


def _plain(value: Any) -> Any:
    """Dataclasses to dictionaries; those chosen by name carry their class."""
    if isinstance(value, _CHOSEN_BY_NAME):
        kind = type(value)
        modules = (distributions, pdesurrogate.solvers, pdesurrogate.initial_conditions)
        known = {name: part for module in modules for name, part in vars(module).items()}
        name = kind.__name__
        path = name if known.get(name) is kind else f"{kind.__module__}.{name}"
        return {
            "class_path": path,
            "init_args": {f.name: _plain(getattr(value, f.name)) for f in fields(value)},
        }
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    return value


def recipes_folder() -> Path:
    """Where the shipped recipes lie: inside the installed package or beside it in a checkout."""
    shipped = Path(str(resources.files("pdesurrogate"))) / "datasets"
    return shipped if shipped.is_dir() else shipped.parent.parent / "datasets"


def list_recipes() -> dict[str, str]:
    """Names and titles of the shipped recipes."""
    found = {}
    for path in sorted(recipes_folder().glob("*/recipe.yaml")):
        found[path.parent.name] = load_recipe(path).title
    return found


def find_recipe(name: str | Path) -> Path:
    """The YAML file of a shipped recipe's name, or the path itself.

    Raises:
        FileNotFoundError: If there is neither; the message offers the nearest name.
        ValueError: If the file holds no fields, or is no YAML.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            _check_yaml(path)
            return path
        raise FileNotFoundError(f"there is no recipe file {path}")
    shipped = recipes_folder() / str(name) / "recipe.yaml"
    if shipped.is_file():
        return shipped
    names = sorted(p.parent.name for p in recipes_folder().glob("*/recipe.yaml"))
    raise FileNotFoundError(f"{unknown_name('recipe', name, names)}, or give a .yaml file")


def _check_yaml(path: Path) -> None:
    """Refuse a file that is no mapping, with its name and the line that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not text"
        raise ValueError(f"{path} is no YAML: {problem}{where}") from None
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path} holds no recipe: it must give fields as `name: value`")


def class_names() -> dict[str, tuple[str, ...]]:
    """Classes that a recipe may name, each with the fields that it takes."""
    modules = (distributions, pdesurrogate.solvers, pdesurrogate.initial_conditions)
    return {
        name: tuple(f.name for f in fields(part))
        for module in modules
        for name, part in vars(module).items()
        if isinstance(part, type) and issubclass(part, _CHOSEN_BY_NAME) and not isabstract(part)
    }


def refusal_of_a_part(error: Exception) -> str | None:
    """What an optional part of a recipe, such as a forcing, said against its own values.

    jsonargparse wraps it into what all the alternatives said, of which "none" is one.
    """
    message = str(error)
    if "any of the Union subtypes" not in message:
        return None
    said = [line[4:] for line in message.splitlines() if line.startswith("  - ")]
    own = [line for line in said if not line.startswith("Expected a ")]
    return own[0] if own else None


def check_distributions(parameters: Mapping[str, Any] | None) -> None:
    """Say of which parameter a distribution refuses its own values; it does not know its place.

    Args:
        parameters: Parsed but not yet instantiated: a class and its arguments by path.

    Raises:
        ValueError: Naming the parameter.
    """
    for path, part in (parameters or {}).items():
        kind = getattr(distributions, str(part["class_path"]).rpartition(".")[2], None)
        arguments = part.get("init_args")
        try:
            if kind is not None:
                kind(**dict(arguments.items() if arguments else {}))
        except ValueError as error:
            raise ValueError(f"parameters.{path}: {error}") from None


def recipe_parser(**options: Any) -> jsonargparse.ArgumentParser:
    """A parser with one option per recipe field; the command line adds its own to it."""
    parser = jsonargparse.ArgumentParser(**options)
    parser.add_class_arguments(Recipe, None)
    return parser


def load_recipe(name: str | Path, **overrides: Any) -> Recipe:
    """Read a recipe by name or path and replace some of its fields.

    Args:
        name: A shipped recipe's name or a YAML file.
        overrides: Recipe fields; `splits` may be a mapping that names some of the splits.

    Raises:
        FileNotFoundError: If there is no such recipe.
        ValueError: If the file or an override names an unknown field or an invalid value.
    """
    path = find_recipe(name)
    recipe = parse_recipe(path)
    unknown = set(overrides) - {f.name for f in fields(Recipe)}
    if unknown:
        names = [f.name for f in fields(Recipe)]
        raise ValueError(unknown_name("recipe field", sorted(unknown)[0], names))
    if isinstance(overrides.get("splits"), Mapping):
        overrides["splits"] = replace(recipe.splits, **overrides["splits"])
    return replace(recipe, **overrides)


def parse_recipe(source: Path | Mapping[str, Any]) -> Recipe:
    """Build a recipe from a YAML file or from `Recipe.to_dict`'s plain data.

    Raises:
        ValueError: With the file's name and what is wrong in it.
    """
    parser = recipe_parser(exit_on_error=False)
    try:
        if isinstance(source, Path):
            config = parser.parse_path(str(source))
        else:
            config = parser.parse_object(dict(source))
        check_distributions(config.get("parameters"))
        initialised = parser.instantiate(config)
    except (jsonargparse.ArgumentError, TypeError, KeyError, ValueError) as error:
        where = source if isinstance(source, Path) else "recipe"
        if reason := refusal_of_a_part(error):
            raise ValueError(f"{where}: {reason}") from None
        if isinstance(error, ValueError):
            raise
        raise ValueError(f"{where}: {' '.join(str(error).split())}") from None
    return Recipe(**{f.name: initialised[f.name] for f in fields(Recipe)})
