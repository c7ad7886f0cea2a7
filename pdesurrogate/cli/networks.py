"""Networks of the user's own on the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml
from torch import nn

from pdesurrogate import models
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.part import Part
from pdesurrogate.models.user_model import UserModel, class_path, find_class

__all__ = ["MODELS_HELP", "allowed_models", "is_network", "model_names", "name_networks"]

MODELS_HELP = (
    "networks, specs or parts of your own that a run may be built from: my_package.MyNet,..."
)
"""What the help says of `--models`."""


def model_names() -> list[str]:
    """Models that `--model` accepts by their bare name."""
    return [
        name
        for name in models.__all__
        if isinstance(kind := getattr(models, name), type)
        and issubclass(kind, ModelSpec)
        and kind is not ModelSpec
    ]


def name_networks(arguments: Sequence[str], model: str = "--model") -> list[str]:
    """Let `--model my_package.MyNet` name an `nn.Module`, and `--model.width 8` its options.

    So may `--model.base`, if the model itself is one of ours that has a base, and so on.

    Args:
        arguments: The command line. Left alone unless it names such a class.
        model: The option that names a model.

    Returns:
        The same, said in the words of `UserModel`.

    Raises:
        ValueError: If there is no such class, or it is no model.
    """
    kept: list[str] = []
    network: str | None = None
    options: dict[str, Any] = {}
    words = iter(arguments)
    for word in words:
        option, separator, value = word.partition("=")
        if option != model and not option.startswith(f"{model}."):
            kept.append(word)
            continue
        value = value if separator else next(words, "")
        if option == model:
            network = value
        else:
            options[option.removeprefix(f"{model}.")] = yaml.safe_load(value)
    if network is None:
        return list(arguments)
    if not is_network(network):
        return name_networks(arguments, f"{model}.base")
    said = {"": class_path(UserModel), ".network": network, ".options": json.dumps(options)}
    return kept + [f"{model}{option}={value}" for option, value in said.items()]


def is_network(name: str) -> bool:
    """Whether a model's name is the path of an `nn.Module`, and not that of a spec.

    Raises:
        ValueError: If it is a path, but there is no such class, or it is no model.
    """
    if "." not in name or issubclass(kind := find_class(name), ModelSpec):
        return False
    if not issubclass(kind, nn.Module):
        raise ValueError(f"{name} is neither an nn.Module nor a ModelSpec")
    return True


def allowed_models(paths: Sequence[str]) -> list[type[Any]]:
    """The classes that a user allows to be built from a run.

    Args:
        paths: Such as `my_package.MyNet`.

    Raises:
        ValueError: If one is neither a network nor a model's spec or part.
    """
    kinds = [find_class(path) for path in paths]
    for path, kind in zip(paths, kinds, strict=True):
        if not issubclass(kind, nn.Module | ModelSpec | Part):
            raise ValueError(f"{path} is neither an nn.Module nor a ModelSpec nor a Part")
    return kinds
