"""Transfer protocols: ways to use a surrogate on a finer grid than it was trained on.

What is exported here may be named on the command line.
"""

from __future__ import annotations

from inspect import isabstract

from pdesurrogate.evaluation.protocols.base import InformedStep, Setting, Step, TransferProtocol
from pdesurrogate.evaluation.protocols.extended import Extended
from pdesurrogate.evaluation.protocols.native import Native
from pdesurrogate.evaluation.protocols.polyphase import Polyphase
from pdesurrogate.evaluation.protocols.projected import Projected
from pdesurrogate.evaluation.protocols.transported import Transported
from pdesurrogate.models.user_code import users_code
from pdesurrogate.models.user_model import find_class
from pdesurrogate.naming import unknown_name

__all__ = [
    "Extended",
    "InformedStep",
    "Native",
    "Polyphase",
    "Projected",
    "Setting",
    "Step",
    "TransferProtocol",
    "Transported",
    "known_protocols",
    "named",
]


def known_protocols() -> dict[str, type[TransferProtocol]]:
    """The exported protocols by name."""
    exported = (globals()[name] for name in __all__)
    classes = [
        item
        for item in exported
        if isinstance(item, type) and issubclass(item, TransferProtocol) and not isabstract(item)
    ]
    return {item().name: item for item in classes}


def named(name: str) -> TransferProtocol:
    """The protocol of that name, with its default options.

    Args:
        name: That of an exported protocol, or the path of a class of the user's own, such as
            `my_package.MyProtocol`, whose module is imported.

    Raises:
        ValueError: If there is no such protocol, or the user's breaks down.
    """
    if "." in name:
        return _of_the_users(name)
    known = known_protocols()
    if name not in known:
        raise ValueError(unknown_name("protocol", name, known))
    return known[name]()


def _of_the_users(path: str) -> TransferProtocol:
    kind = find_class(path)
    if not issubclass(kind, TransferProtocol):
        raise ValueError(
            f"{path} is no transfer protocol: it must be a subclass of "
            "pdesurrogate.evaluation.protocols.TransferProtocol"
        )
    with users_code(f"the constructor of {path}"):
        return kind()
