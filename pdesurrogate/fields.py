"""What a field is: its name, its unit, and how it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Diagnostic", "Field", "FieldStatistics", "vectors"]


@dataclass(frozen=True)
class Field:
    """A physical quantity on a grid. Solvers declare theirs; datasets and runs carry them along.

    Args:
        name: Variable name in files, such as `vorticity`.
        units: UDUNITS string; `1` for a dimensionless quantity.
        long_name: What a plot says.
        is_prognostic: Whether the solver steps it. A diagnostic field follows from the others.
        is_static: Whether it is the same in every frame of a trajectory, as a mask or a bed is.
        is_signed: Whether it takes both signs, so that a diverging colour map centred at zero fits.
        vector_part: The axis along which it is a vector's component; None for a scalar.
        transported_by: Names of the two velocity fields (x, y) that carry it; empty if none do.
        standard_name: CF standard name where the convention has one.
    """

    name: str
    units: str
    long_name: str
    is_prognostic: bool = True
    is_static: bool = False
    is_signed: bool = True
    vector_part: Literal["x", "y"] | None = None
    transported_by: tuple[str, ...] = ()
    standard_name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `Field(**d)` builds the field again."""
        return {**asdict(self), "transported_by": list(self.transported_by)}

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> Field:
        """Build the field that `to_dict` described."""
        return cls(
            **{**description, "transported_by": tuple(description.get("transported_by", ()))}
        )


def vectors(fields: Sequence[Field]) -> list[list[int]]:
    """Channels of the parts of each vector: those whose names differ in the part's suffix alone."""
    found: dict[str, list[int]] = {}
    for channel, field in enumerate(fields):
        if field.vector_part is not None:
            vector = field.name.removesuffix(f"_{field.vector_part}")
            # Parts that are named otherwise, such as `u` and `v`, are taken for one vector.
            found.setdefault(vector if vector != field.name else "", []).append(channel)
    return list(found.values())


@dataclass(frozen=True)
class Diagnostic:
    """One number per trajectory and frame, such as the energy: a mean or an integral of the state.

    Args:
        name: Variable name in files, such as `energy`.
        units: UDUNITS string; `1` for a dimensionless quantity.
        long_name: What a plot says; states whether it is a mean or an integral, and of what.
    """

    name: str
    units: str
    long_name: str


@dataclass(frozen=True)
class FieldStatistics:
    """What normalises the fields: moments over the training split, one entry per field.

    Args:
        fields: Field names, in channel order.
        mean: Means, in each field's unit.
        std: Standard deviations about the mean. The parts of a vector share one, so that
            normalisation does not turn it.
        change_std: Root mean squares of the change from one frame to the next.
    """

    fields: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    change_std: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `FieldStatistics.from_dict` builds it again."""
        return {key: list(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> FieldStatistics:
        """Build the statistics that `to_dict` described."""
        return cls(**{key: tuple(value) for key, value in description.items()})
