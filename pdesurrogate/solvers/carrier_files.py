"""Carriers as plain data, so that a run can keep the one that it was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pdesurrogate.fields import Field
from pdesurrogate.naming import unknown_name
from pdesurrogate.solvers.carrier import Carrier, FieldCarrier
from pdesurrogate.solvers.coriolis import EquatorialPlane, UniformRotation
from pdesurrogate.solvers.navier_stokes_carrier import VorticityCarrier
from pdesurrogate.solvers.shallow_water_carrier import PlaneCarrier, SphereCarrier

__all__ = ["carrier_from_dict", "carrier_to_dict"]

_KNOWN = {
    kind.__name__: kind
    for kind in (
        FieldCarrier,
        VorticityCarrier,
        PlaneCarrier,
        SphereCarrier,
        UniformRotation,
        EquatorialPlane,
        Field,
    )
}
"""What carriers are made of; nothing else is ever built."""


def carrier_to_dict(carrier: Carrier) -> dict[str, Any]:
    """Plain data for JSON; `carrier_from_dict` builds the carrier again.

    Raises:
        ValueError: If it is, or is made of, a class that is not this package's.
    """
    described: dict[str, Any] = _plain(carrier)
    return described


def carrier_from_dict(description: Mapping[str, Any]) -> Carrier:
    """Build the carrier that `carrier_to_dict` described.

    Raises:
        ValueError: If the description is of something else, or lacks something.
    """
    try:
        carrier = _built(description)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"the description of a carrier does not fit: {error}") from error
    if not isinstance(carrier, Carrier):
        raise ValueError(f"{description!r} does not describe a carrier")
    return carrier


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not is_dataclass(value):
        return value
    kind = type(value)
    if _KNOWN.get(kind.__name__) is not kind:
        raise ValueError(unknown_name("part of a carrier", kind.__name__, _KNOWN))
    options = {f.name: _plain(getattr(value, f.name)) for f in fields(kind)}
    return {"class_path": kind.__name__, "init_args": options}


def _built(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_built(item) for item in value)
    if not isinstance(value, Mapping):
        return value
    name = str(value.get("class_path"))
    if name not in _KNOWN:
        raise ValueError(unknown_name("part of a carrier", name, _KNOWN))
    options = {key: _built(item) for key, item in value.get("init_args", {}).items()}
    return _KNOWN[name](**options)
