"""A command line whose complaints are one sentence each."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NoReturn

import jsonargparse

from pdesurrogate.cli.training_parts import training_parts
from pdesurrogate.data.recipe import class_names
from pdesurrogate.models import ModelSpec
from pdesurrogate.naming import unknown_name

__all__ = ["Parser", "UsageError", "bracket_lists", "check_class", "say"]


class UsageError(ValueError):
    """What the user typed cannot be understood."""


class Parser(jsonargparse.ArgumentParser):
    """jsonargparse's parser that raises one sentence instead of printing several lines."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Turn the library's explanation into a sentence that names what would be right."""
        raise UsageError(_sentence(" ".join(message.split()), self))


def bracket_lists(arguments: Sequence[str], lists: Sequence[str]) -> list[str]:
    """Let `--resolutions 32,64` stand for `--resolutions "[32, 64]"`.

    Args:
        arguments: The command line.
        lists: Options that take a list.

    Example:
        >>> bracket_lists(["--resolutions", "32,64", "--fields=u"], ["--resolutions", "--fields"])
        ['--resolutions', '[32,64]', '--fields=[u]']
    """
    out: list[str] = []
    for argument in arguments:
        option, separator, value = argument.partition("=")
        if not separator:
            option, value = out[-1] if out else "", argument
        if option in lists and not value.startswith(("[", "-", "null")):
            argument = f"{option}=[{value}]" if separator else f"[{value}]"
        out.append(argument)
    return out


def check_class(kind: str, name: str, known: Sequence[str]) -> None:
    """Refuse a class name that is neither known nor a dotted path of the user's own.

    Raises:
        UsageError: With the nearest known name.
    """
    if "." not in name and name not in known:
        raise UsageError(unknown_name(kind, name, known))


def _sentence(message: str, parser: jsonargparse.ArgumentParser) -> str:
    """The library's messages, said again with the option and what it accepts."""
    message = re.sub(r"\s*Given value type: <class '[\w.]+'>", "", message)
    keys = re.findall(r'Parser key "([\w.]+)":', message)
    name = ".".join(keys)
    where = _POSITIONAL.get(name, f"--{name}") if keys else ""
    if found := re.search(r"[Uu]nrecognized arguments: (\S+)", message):
        word = found[1].partition("=")[0]
        if not word.startswith("-"):
            return f"there is no use for the argument {word!r} here"
        options = [o for a in parser._actions for o in a.option_strings if o.startswith("--")]
        return unknown_name("option", word, options).partition(";")[0] + "; --help shows them all"
    if found := re.search(r"Option '([\w.]+)' is not accepted|NestedArg\(key='([\w.]+)'", message):
        sentence = _out_of_place("option", found[1] or found[2], _names_of_options())
        return f"{where}: {sentence}" if where else sentence
    if found := re.search(r"Expected a dot import path string: (\S+)", message):
        if parts := training_parts().get(name):
            return unknown_name(name, found[1], parts)
        return f"{where}: {_out_of_place('class', found[1], _names_of_classes())}"
    if found := re.search(
        r"Not a valid subclass of \w+\. Got value: (.*?) Subclass types", message
    ):
        return f"{where} must name a class, got {found[1]!r}; --help shows what there is"
    if found := re.search(r"Unable to load config '(.*?)'", message):
        where = f"--{keys[-1]}" if keys else "this option"
        return f"{where} cannot be {found[1]!r}: it has parts, such as {where}.NAME; see --help"
    if found := re.search(r"Expected a typing.Literal\[(.*)\]\. Got value: (.*)", message):
        return f"{where} must be one of {found[1]}, got {found[2]!r}"
    is_union, one = "any of the Union subtypes" in message, _EXPECTED.search(message)
    if (is_union or one) and (form := _FORMS.get(keys[-1] if keys else "")):
        return f"{where} must be {form}"
    if is_union:
        kinds = re.findall(r"<class '(\w+)'>", message.partition("Errors:")[0])
        value = re.search(r"(?:Given value|Got value): (\S+)", message)
        if set(kinds) <= {"NoneType"}:
            told = repr(value[1]) if value else "that"
            return f"{where} cannot be {told}; --help shows what it can be"
        allowed = " or ".join(_TYPES.get(kind, kind) for kind in dict.fromkeys(kinds))
        return f"{where} must be {allowed}" + (f", got {value[1]!r}" if value else "")
    if one:
        return f"{where} must be {_TYPES.get(one[1], one[1])}, got {one[2]!r}"
    if found := re.search(r"the following arguments are required: (.*)", message):
        names = (name.partition(".")[2] or name for name in found[1].split(", "))
        return "missing: " + ", ".join(_POSITIONAL.get(name, f"--{name}") for name in names)
    if found := re.search(r"invalid choice: '(\S+)' \(choose from (.*)\)", message):
        return unknown_name("command", found[1], re.findall(r"'(\w+)'", found[2]))
    # A part's own parser has spoken: put the part's name before what it said.
    message = re.sub(r'Parser key "([\w.]+)": +--', r"--\1.", message)
    message = re.sub(r'Parser key "([\w.]+)": +has', r"--\1 has", message)
    return re.sub(r'Parser key "([\w.]+)": ?', r"--\1: ", message)


def _out_of_place(kind: str, name: str, known: set[str]) -> str:
    """The sentence for a name that is either unknown or known elsewhere, without a list of all."""
    if name in known:
        return f"there is no {kind} {name!r} here; --help shows what there is"
    sentence, _, _ = unknown_name(kind, name, sorted(known)).partition(";")
    return f"{sentence}; --help shows what there is"


def _names_of_classes() -> set[str]:
    """Of everything that is chosen by name within something else."""
    return {*class_names(), *(name for parts in training_parts().values() for name in parts)}


def _names_of_options() -> set[str]:
    """Of all classes that are chosen by name."""
    chosen: list[type[Any]] = list(ModelSpec.__subclasses__())
    chosen += [kind for parts in training_parts().values() for kind in parts.values()]
    return {f.name for kind in chosen for f in fields(kind)}.union(*class_names().values())


_POSITIONAL = {
    name: name.upper() for name in ("recipe", "runs", "evaluations", "what", "path", "file")
}
"""Arguments without an option, as the help shows them."""


def say(sentence: str) -> None:
    """One line on standard error."""
    print(f"pdesurrogate: {sentence}", file=sys.stderr)


_EXPECTED = re.compile(r"Expected a <class '(\w+)'>\. Got value: (.*)")

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table",
    "NoneType": "null",
}
"""What Python calls the types of values, in words."""

_FORMS = {
    "stages": 'a list such as "[{resolution: 32, epochs: 20}, {resolution: 64, epochs: 5}]", with '
    "whole numbers for resolution, epochs, trajectories and width, a number for learning_rate, "
    "and true or false for freeze",
    "mixture": 'shares by rung, such as "{32: 0.75, 64: 0.25}"',
    **dict.fromkeys(("fields", "conditioning"), 'a list of names, such as "[vorticity]"'),
    "protocols": 'a list of protocols, such as "[native, projected]"',
    "resolutions": 'a list of whole numbers, such as "[32, 64]"',
    "trackers": 'a list of trackers, such as "[tensorboard]"',
    "domain_extent": 'two lengths, such as "[6.28, 6.28]"',
    "target": "parameters or flops",
    "precision": "float32, tf32 or bf16",
    "seeds": 'a list of whole numbers, such as "[0, 1, 2]"',
}
"""What values of several types look like, by option."""
