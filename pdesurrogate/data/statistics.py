"""Moments of the training split, by which fields are normalised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pdesurrogate.conditioning import Condition
from pdesurrogate.data.distributions import LogUniform
from pdesurrogate.data.store import Ladder
from pdesurrogate.fields import FieldStatistics, vectors

__all__ = ["WIDE_RATIO", "condition_statistics", "field_statistics"]

WIDE_RATIO = 10.0
"""Positive parameters whose largest value exceeds the smallest this many times are normalised by
their logarithm."""


def field_statistics(data: Ladder, resolution: int, fields: Sequence[str]) -> FieldStatistics:
    """Mean, standard deviation and root mean square frame-to-frame change over the train split.

    Means over space carry quadrature weights, summed in float64, one trajectory in memory at a
    time. In a view of every k-th frame they are over all stored frames, and the change is that from
    each to the k-th after it, as training windows begin at any of them. The parts of a vector, such
    as `velocity_x` and `velocity_y`, share their deviations, so that normalisation does not turn
    it; each has its own mean subtracted.

    Args:
        data: An opened dataset.
        resolution: The rung.
        fields: Field names in channel order.

    Raises:
        ValueError: If the split is empty, a field is constant, or the rung or a field unknown.
    """
    data.check_fields(tuple(fields))
    mean, variance, change_square = _moments(data, resolution, fields)
    for part in vectors([data.fields[name] for name in fields]):
        variance[part] = variance[part].mean()
        change_square[part] = change_square[part].mean()
    for name, value in zip(fields, variance, strict=True):
        if not np.isfinite(value):
            raise ValueError(f"the field {name!r} is not finite all over the training split")
        if not value > 0:
            raise ValueError(f"the field {name!r} is constant over the training split")
    return FieldStatistics(
        fields=tuple(fields),
        mean=tuple(mean.tolist()),
        std=tuple(np.sqrt(variance).tolist()),
        change_std=tuple(np.sqrt(change_square).tolist()),
    )


def condition_statistics(
    data: Ladder, resolution: int, names: Sequence[str]
) -> tuple[Condition, ...]:
    """What normalises static fields and parameters that a network is told, over the train split.

    A parameter is normalised by its logarithm if the recipe draws it from `LogUniform`, or if all
    its values are positive and the largest exceeds the smallest `WIDE_RATIO` times.

    Args:
        data: An opened dataset.
        resolution: The rung.
        names: Static fields and parameters in channel order.

    Raises:
        ValueError: If the split is empty, or a name is neither a static field nor a parameter.
    """
    for name in names:
        data.check_channels((name,))
        if name in data.fields and not data.fields[name].is_static:
            known = ", ".join((*data.parameters, *data.static_fields)) or "none"
            raise ValueError(
                f"{name!r} changes with time, so nothing can be conditioned on it; the parameters "
                f"and static fields of {data.name} are: {known}"
            )
    parameters = data.parameter_values("train")
    conditions = []
    for name in names:
        if name in parameters:
            conditions.append(_parameter_statistics(data, name, parameters[name]))
        else:
            mean, variance, _ = _moments(data, resolution, [name])
            std = _deviation(float(mean[0]), float(np.sqrt(max(variance[0], 0.0))))
            conditions.append(Condition(name, True, False, float(mean[0]), std))
    return tuple(conditions)


def _parameter_statistics(data: Ladder, name: str, values: np.ndarray) -> Condition:
    drawn_from = data.recipe.parameters[data.manifest.parameters[name]]
    is_wide = values.min() > 0 and values.max() > WIDE_RATIO * values.min()
    is_logarithmic = bool(isinstance(drawn_from, LogUniform) or is_wide)
    scaled = np.log(values) if is_logarithmic else values
    mean, std = float(scaled.mean()), float(scaled.std())
    return Condition(name, False, is_logarithmic, mean, _deviation(mean, std))


def _deviation(mean: float, std: float) -> float:
    """The deviation, or 0 for one that is the rounding of a constant: channels are float32."""
    return std if std > 1e-6 * abs(mean) else 0.0


def _moments(
    data: Ladder, resolution: int, fields: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each field's mean, variance and mean square change."""
    weights = data.grid(resolution).quadrature_weights
    reader, stride = data.stored.reader("train"), data.frame_stride
    if len(reader) == 0:
        raise ValueError(f"the split 'train' of {data.path} has no trajectories")
    sums = np.zeros((3, len(fields)))
    for row in range(len(reader)):
        for channel, name in enumerate(fields):
            values = reader.read(row, resolution, name).astype(np.float64)
            if data.fields[name].is_static:
                values = values[None]  # a single frame, which does not change
            change = values[stride:] - values[:-stride]
            sums[:, channel] += (
                _mean(values, weights),
                _mean(values**2, weights),
                _mean(change**2, weights) if change.size else 0.0,
            )
    reader.close()
    mean, square, change_square = sums / len(reader)
    return mean, square - mean**2, change_square


def _mean(frames: np.ndarray, weights: np.ndarray) -> float:
    """Over space by quadrature, and over time."""
    return float((frames * weights).sum(axis=(-2, -1)).mean())
