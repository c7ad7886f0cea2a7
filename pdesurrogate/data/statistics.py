"""Moments of the training split, by which fields are normalised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pdesurrogate.data.store import Ladder
from pdesurrogate.fields import FieldStatistics

__all__ = ["field_statistics"]


def field_statistics(data: Ladder, resolution: int, fields: Sequence[str]) -> FieldStatistics:
    """Mean, standard deviation and root mean square frame-to-frame change over the train split.

    Summed in float64, one trajectory in memory at a time. The components of a vector share their
    deviation and have mean zero subtracted separately, so that directions are kept.

    Args:
        data: An opened dataset.
        resolution: The rung.
        fields: Field names in channel order.

    Raises:
        ValueError: If the split is empty, a field is constant, or the rung or a field unknown.
    """
    data.check_fields(tuple(fields))
    data.grid(resolution)
    reader = data.reader("train")
    if len(reader) == 0:
        raise ValueError(f"the split 'train' of {data.path} has no trajectories")
    sums = np.zeros((3, len(fields)))
    for row in range(len(reader)):
        for channel, name in enumerate(fields):
            values = reader.read(row, resolution, name).astype(np.float64)
            if data.fields[name].is_static:
                values = values[None]  # a single frame, which does not change
            change = np.diff(values, axis=0)
            sums[:, channel] += (
                values.mean(),
                (values**2).mean(),
                (change**2).mean() if change.size else 0.0,
            )
    reader.close()
    mean, square, change_square = sums / len(reader)
    variance = square - mean**2
    parts = [c for c, name in enumerate(fields) if data.fields[name].vector_part is not None]
    if parts:
        variance[parts] = variance[parts].mean()
        change_square[parts] = change_square[parts].mean()
    for name, value in zip(fields, variance, strict=True):
        if not value > 0:
            raise ValueError(f"the field {name!r} is constant over the training split")
    return FieldStatistics(
        fields=tuple(fields),
        mean=tuple(mean.tolist()),
        std=tuple(np.sqrt(variance).tolist()),
        change_std=tuple(np.sqrt(change_square).tolist()),
    )
