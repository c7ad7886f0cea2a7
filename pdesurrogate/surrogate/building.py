"""From what is known of a surrogate to its network, freshly initialised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import isabstract
from typing import Any

from torch import nn

from pdesurrogate import models
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.part import Part, parts_from_plain
from pdesurrogate.models.user_code import answering_for
from pdesurrogate.models.user_model import UserModel, class_path, networks_named
from pdesurrogate.naming import unknown_name
from pdesurrogate.surrogate.info import SurrogateInfo

__all__ = ["build_network"]


def build_network(
    info: SurrogateInfo, specs: Sequence[type[ModelSpec | Part | nn.Module]], source: str
) -> nn.Module:
    """The untrained network that `info` describes. Imports nothing that it names.

    Args:
        info: Names the model, its options and its channels.
        specs: Model specs, their parts and networks of the user's own that may be built, besides
            those that `pdesurrogate.models` exports.
        source: What described it, for error messages.

    Raises:
        ValueError: If the model is unknown, not allowed, or does not take its options.
    """
    try:
        kind = _users_model(info, specs) if "." in info.model else _spec(info, specs)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    try:
        spec = kind(info.options)
        with answering_for(spec, info.model):
            return spec.build_conditioned(
                info.in_channels, info.out_channels, info.training_grid, info.parameter_channels
            )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{source} gives {info.model} options it does not take: {error}"
        ) from error


def _spec(
    info: SurrogateInfo, specs: Sequence[type[ModelSpec | Part | nn.Module]]
) -> Callable[[dict[str, Any]], ModelSpec]:
    """What makes the spec that `info` names from its options."""
    exported = (getattr(models, name) for name in models.__all__)
    known = [kind for kind in (*exported, *specs) if isinstance(kind, type)]
    allowed = {
        kind.__name__: kind
        for kind in known
        if issubclass(kind, ModelSpec) and not isabstract(kind)
    }
    if info.model not in allowed:
        raise ValueError(unknown_name("model", info.model, allowed))
    _check_networks(networks_named(info.options), specs)
    parts = [*(kind for kind in known if issubclass(kind, Part | ModelSpec)), UserModel]
    return lambda options: allowed[info.model](**parts_from_plain(options, parts))


def _users_model(
    info: SurrogateInfo, specs: Sequence[type[ModelSpec | Part | nn.Module]]
) -> Callable[[dict[str, Any]], ModelSpec]:
    """The same for a network of the user's own."""
    _check_networks([info.model], specs)
    return lambda options: UserModel(info.model, options)


def _check_networks(
    names: Iterable[str], specs: Sequence[type[ModelSpec | Part | nn.Module]]
) -> None:
    """Refuse networks that the user did not allow: a run may not say what is imported."""
    allowed = {class_path(kind) for kind in specs if issubclass(kind, nn.Module)}
    for name in names:
        if name not in allowed:
            raise ValueError(
                f"its network {name} is not one of ours and is built only if you allow it: "
                f"specs=[{name.rpartition('.')[2]}], on the command line --models {name}"
            )
