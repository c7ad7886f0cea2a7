"""The file that describes a sweep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import yaml

import pdesurrogate.models
from pdesurrogate.cli.networks import is_network, model_names
from pdesurrogate.cli.parsing import Parser, UsageError, check_class
from pdesurrogate.data.recipe import refusal_of_a_part
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.user_model import UserModel, find_class
from pdesurrogate.naming import unknown_name
from pdesurrogate.training import TrainingConfig

__all__ = ["SweepFile", "read_sweep"]


@dataclass(frozen=True)
class SweepFile:
    """What to train on what.

    Args:
        data: Folder of the dataset; None where the file does not say.
        resolution: The rung to train on.
        models: The models by name.
        seeds: What to train each with.
        settings: How to train; a single setting without a name has an empty one.
    """

    data: str | None
    resolution: int
    models: dict[str, ModelSpec]
    seeds: list[int]
    settings: dict[str, TrainingConfig]


def read_sweep(path: Path) -> SweepFile:
    """Read the file of a sweep.

    Args:
        path: YAML with `resolution`, `models`, `seeds` and, if wanted, `data`, `training` and
            `settings`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: With the file, the key and what would be right.
    """
    plain = _content(path)
    try:
        return _parsed_sweep(plain)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} that describes a sweep")
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not text"
        raise UsageError(f"{path} is no YAML: {problem}{where}") from None
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        raise UsageError(f"{path} describes no sweep: it must give `models`, `seeds` and more")
    return plain


def _parsed_sweep(plain: Mapping[str, Any]) -> SweepFile:
    known = [field.name for field in fields(SweepFile)]
    _refuse_others("key", plain, [*known, "training"])
    parser = Parser()
    parser.add_argument("--data", type=str | None, default=None)
    parser.add_argument("--resolution", type=int, required=True)
    parser.add_argument("--seeds", type=list[int], required=True)
    given = {key: plain[key] for key in ("data", "resolution", "seeds") if key in plain}
    models = _named(plain, "models").items()
    return SweepFile(
        models={name: _model(said, f"models.{name}") for name, said in models},
        settings=_settings(plain),
        **vars(_parsed(parser, given, "--", "")),
    )


def _settings(plain: Mapping[str, Any]) -> dict[str, TrainingConfig]:
    """What is common to all, and in each setting what it says itself."""
    common = _mapping(plain.get("training"), "training")
    alone = _training(common, "training")  # so that its mistakes are not told of a setting
    if "settings" not in plain:
        return {"": alone}
    settings = {}
    for name, said in _named(plain, "settings").items():
        key = f"settings.{name}"
        settings[name] = _training({**common, **_mapping(said, key)}, key)
    return settings


def _model(said: Any, key: str) -> ModelSpec:
    """A class by name, or with its options."""
    said = {"class_path": said} if isinstance(said, str) else _mapping(said, key)
    _refuse_others("key", said, ["class_path", "init_args"], f"{key}: ")
    if not isinstance(said.get("class_path"), str):
        raise UsageError(f"{key} must name a class, as `MultiResNet` or with a `class_path`")
    name, options = said["class_path"], _mapping(said.get("init_args"), f"{key}.init_args")
    try:
        check_class("model", name, model_names())
        if is_network(name):
            return UserModel(name, options)
    except ValueError as error:
        raise UsageError(f"{key}: {error}") from None
    _refuse_nulls(
        find_class(name) if "." in name else getattr(pdesurrogate.models, name), options, key
    )
    parser = Parser()
    parser.add_argument("--model", type=ModelSpec, required=True)
    given = {"model": {"class_path": name, "init_args": options}}
    return _parsed(parser, given, "--model", key).model


def _training(said: dict[str, Any], key: str) -> TrainingConfig:
    if "seed" in said:
        raise UsageError(f"{key}.seed has no place here: `seeds` of the file says the seeds")
    _refuse_others("key", said, [field.name for field in fields(TrainingConfig)], f"{key}: ")
    _refuse_nulls(TrainingConfig, said, key)
    parser = Parser()
    parser.add_class_arguments(TrainingConfig, "training")
    return _parsed(parser, {"training": said}, "--training", key).training


def _parsed(parser: Parser, plain: dict[str, Any], option: str, key: str) -> Any:
    """What the parser makes of plain data; it complains of keys, not of options.

    Args:
        parser: Knows the data.
        plain: The data.
        option: Where the parser has them.
        key: Where they stand in the file.
    """
    try:
        return parser.instantiate(parser.parse_object(plain))
    except ValueError as error:
        reason = refusal_of_a_part(error) or str(error)
    reason = re.sub(r"; (--help shows .*|see --help)$", "", reason)
    sentence = reason.replace(option, key)
    raise UsageError(sentence if sentence != reason or not key else f"{key}: {sentence}")


def _named(plain: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A mapping from names."""
    if not plain.get(key):
        raise UsageError(f"missing: {key}, by name")
    return _mapping(plain[key], key)


def _mapping(said: Any, key: str) -> dict[str, Any]:
    """What a key holds if it holds keys itself; nothing is as good as none."""
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise UsageError(f"{key} must hold keys, as `name: value`, got {said!r}")
    for name in said:
        if not isinstance(name, str):
            raise UsageError(f"{key}: the key {name!r} must be text; put it in quotes")
    return said


def _refuse_others(kind: str, given: Mapping[str, Any], known: list[str], where: str = "") -> None:
    for name in given:
        if name not in known:
            nearest = unknown_name(kind, name, known)
            short = nearest if len(known) < 10 else nearest.partition(";")[0]
            raise UsageError(f"{where}{short}")


def _refuse_nulls(kind: type[Any], given: Mapping[str, Any], where: str) -> None:
    """Raise if a field is null that its type does not allow to be: the parser lets that pass."""
    hints = get_type_hints(kind)
    for name, value in given.items():
        if value is None and name in hints and NoneType not in get_args(hints[name]):
            raise UsageError(f"{where}.{name} must not be null")
