"""A user's own network: any module that is made from the numbers of its channels."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.part import parts_to_plain
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.user_code import UserCodeError, users_code

__all__ = ["UserModel", "class_path", "described", "find_class", "networks_named"]


@dataclass(frozen=True)
class UserModel(ModelSpec):
    """A network of your own, named by the path that Python imports it by.

    `network(in_channels=..., out_channels=..., **options)` must be an `nn.Module` that maps
    `(batch, in_channels, y, x)` to `(batch, out_channels, y, x)`. It is not told how fields
    continue beyond the edges of the grid: a model that wants to know is a `ModelSpec`.

    Not among the models that a run may name by itself: what is built from a run of such a network
    is what the caller of `Surrogate.load` allows.

    Args:
        network: Such as `my_package.MyNet`.
        options: Further arguments of its constructor, as JSON can hold them. (From a saved run
            lists come back as tuples.)
    """

    network: str
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, network: type[nn.Module], **options: Any) -> UserModel:
        """The model that builds `network(in_channels=..., out_channels=..., **options)`.

        Args:
            network: A class at the top of a module.
            options: Further arguments of its constructor.

        Raises:
            ValueError: If it is a class that no other process could import.
        """
        path = class_path(network)
        if "<locals>" in path:
            raise ValueError(f"{path} must stand at the top of a module, so that it has a name")
        return cls(path, options)

    @property
    def is_users_own(self) -> bool:
        """Yes."""
        return True

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        """The network, freshly initialised.

        Raises:
            ValueError: If there is no such network, or its constructor takes other arguments or
                breaks down.
        """
        network = find_class(self.network)
        if not issubclass(network, nn.Module):
            raise ValueError(f"{self.network} is not an nn.Module")
        arguments = {"in_channels": in_channels, "out_channels": out_channels, **self.options}
        try:
            inspect.signature(network).bind(**arguments)
        except TypeError as error:
            raise ValueError(
                f"{self.network} cannot be made from {', '.join(arguments)}: {error}; it takes "
                f"{inspect.signature(network)}"
            ) from error
        with users_code(f"the constructor of {self.network}"):
            made: nn.Module = network(**arguments)
        if "_parameters" not in vars(made):
            raise UserCodeError(
                f"the constructor of {self.network} must begin with super().__init__()"
            )
        return made


def class_path(kind: type) -> str:
    """The path that `kind` is imported by, such as `my_package.MyNet`."""
    return f"{kind.__module__}.{kind.__qualname__}"


def find_class(path: str) -> type:
    """The class that a path such as `my_package.MyNet` names; imports its module.

    Raises:
        ValueError: If there is no such class, or its module breaks down.
    """
    module_name, _, name = path.rpartition(".")
    if not module_name:
        raise ValueError(f"{path!r} must be a path such as my_package.MyNet")
    with users_code(f"the import of {module_name}"):
        try:
            found = getattr(importlib.import_module(module_name), name, None)
        except ImportError as error:
            raise UserCodeError(f"{path} cannot be imported: {error} (see PYTHONPATH)") from error
    if not isinstance(found, type):
        raise ValueError(f"the module {module_name} has no class {name!r}")
    return found


def described(spec: ModelSpec) -> tuple[str, dict[str, Any]]:
    """What a saved run says of its model: a name, with a dot if it is a user's, and options."""
    if isinstance(spec, UserModel):
        return spec.network, dict(spec.options)
    return type(spec).__name__, parts_to_plain(spec)


def networks_named(options: Any) -> Iterator[str]:
    """The paths of the networks of a user's own within the plain options of a saved run's model.

    Args:
        options: What `parts_to_plain` told of a spec, or a part of that.
    """
    if isinstance(options, Mapping):
        if options.get("class_path") == UserModel.__name__:
            yield str(options.get("init_args", {}).get("network"))
        options = options.values()
    elif not isinstance(options, list | tuple):
        return
    for option in options:
        yield from networks_named(option)
