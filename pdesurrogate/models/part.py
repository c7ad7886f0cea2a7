"""Choices within a model that have options of their own, and what a saved run says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from inspect import isabstract
from typing import Any

from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.naming import unknown_name

__all__ = [
    "Part",
    "chosen_options",
    "default_options",
    "part_name",
    "parts_from_plain",
    "parts_to_plain",
]


@dataclass(frozen=True)
class Part:
    """A choice within a model, such as its nested spaces: plain data that builds modules.

    A model's spec names a subclass, which is a frozen dataclass of its own options:
    `--model.space Wavelet --model.space.family db2`.
    """


def part_name(kind: type[Any]) -> str:
    """What a part is called: one of this package by its bare name, a user's own by its path."""
    is_ours = kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    return kind.__name__ if is_ours else f"{kind.__module__}.{kind.__qualname__}"


def parts_to_plain(options: Any) -> dict[str, Any]:
    """The fields of a spec or part, parts as `{"class_path": name, "init_args": fields}`.

    Args:
        options: A dataclass of numbers, texts, tuples and parts.
    """
    return {f.name: _plain(getattr(options, f.name)) for f in fields(options)}


def _plain(value: Any) -> Any:
    return _told(value, parts_to_plain)


def _told(value: Any, options: Callable[[Any], dict[str, Any]]) -> Any:
    """A value as plain data; `options` tells the fields of a dataclass."""
    if _is_part(value):
        return {"class_path": part_name(type(value)), "init_args": options(value)}
    if is_dataclass(value) and not isinstance(value, type):  # of one class: no need to name it
        return options(value)
    if isinstance(value, tuple):
        return tuple(_told(item, options) for item in value)
    return value


def chosen_options(options: Any) -> dict[str, Any]:
    """As `parts_to_plain`, without what has its default: the same before and after new options.

    Args:
        options: A dataclass of numbers, texts, tuples and parts.
    """
    chosen = {}
    for f in fields(options):
        value = getattr(options, f.name)
        if (f.default is MISSING and f.default_factory is MISSING) or value != _default(f):
            chosen[f.name] = _told(value, chosen_options)
    return chosen


def default_options(options: Any) -> dict[str, Any]:
    """What `parts_to_plain` would say of the options that were not chosen, parts' own included.

    Completes a description from before some options existed: what it lacks had the default.

    Args:
        options: A dataclass of numbers, texts, tuples and parts.
    """
    assumed = {}
    for f in fields(options):
        if f.default is not MISSING or f.default_factory is not MISSING:
            assumed[f.name] = _plain(_default(f))
        value = getattr(options, f.name)
        if _is_part(value):  # whose own options may be missing where it is said itself
            said = assumed.get(f.name)
            said = said if isinstance(said, dict) else {}
            assumed[f.name] = {**said, "init_args": default_options(value)}
    return assumed


def _is_part(value: Any) -> bool:
    return isinstance(value, Part | ModelSpec)


def _default(option: Field[Any]) -> Any:
    factory = option.default_factory
    return option.default if factory is MISSING else factory()


def parts_from_plain(options: Mapping[str, Any], known: Iterable[type[Any]]) -> dict[str, Any]:
    """Build the parts among options that `parts_to_plain` described.

    Args:
        options: Plain data.
        known: Classes that may be built; no other is ever imported or called.

    Raises:
        ValueError: If a part is of another class.
        TypeError: If a part is given options that it does not take.
    """
    kinds = [kind for kind in known if not isabstract(kind)]
    allowed = {name: kind for kind in kinds for name in (part_name(kind), kind.__name__)}
    return {name: _built(value, allowed) for name, value in options.items()}


def _built(value: Any, allowed: Mapping[str, type[Any]]) -> Any:
    if isinstance(value, Mapping) and "class_path" in value:
        name = str(value["class_path"])
        if name not in allowed:
            path = name if "." in name else f"my_package.{name}"
            raise ValueError(
                f"{unknown_name('part', name, allowed)}; one of your own is built only if you "
                f"allow it: specs=[{path.rpartition('.')[2]}], on the command line --models {path}"
            )
        options = parts_from_plain(value.get("init_args", {}), allowed.values())
        return allowed[name](**options)
    return tuple(_built(item, allowed) for item in value) if isinstance(value, list) else value
