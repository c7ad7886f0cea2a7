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

    Raises:
        ValueError: If no exported protocol has that name.
    """
    known = known_protocols()
    if name not in known:
        raise ValueError(unknown_name("protocol", name, known))
    return known[name]()
