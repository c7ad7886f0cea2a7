"""The objectives and losses that the command line knows by their bare names."""

from __future__ import annotations

from inspect import isabstract
from types import ModuleType

from pdesurrogate.models.part import Part
from pdesurrogate.training import losses, objectives

__all__ = ["training_parts"]


def training_parts() -> dict[str, dict[str, type[Part]]]:
    """By option, `objective` and `loss`, the classes that it may name."""
    return {"objective": _exported(objectives), "loss": _exported(losses)}


def _exported(module: ModuleType) -> dict[str, type[Part]]:
    exported = {name: getattr(module, name) for name in module.__all__}
    return {
        name: kind
        for name, kind in exported.items()
        if isinstance(kind, type) and issubclass(kind, Part) and not isabstract(kind)
    }
