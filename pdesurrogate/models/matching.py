"""Networks of equal size: the width at which a model costs what another does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Literal, get_args

import torch
from torch import nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.counting import count_flops, count_parameters
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.user_code import answering_for
from pdesurrogate.models.user_model import UserModel, described

__all__ = ["Match", "Target", "match"]

Target = Literal["parameters", "flops"]
"""What may be made equal: trainable real numbers, or operations of a forward pass."""

_NARROWEST = 64
"""Models that cannot be built with any width up to this one cannot be built."""


@dataclass(frozen=True)
class Match:
    """A model and what it costs.

    Args:
        spec: The options, with the width that comes nearest.
        achieved: What that width costs.
        wanted: What was asked for.
    """

    spec: ModelSpec
    achieved: int
    wanted: int

    @property
    def relative_difference(self) -> float:
        """How far from what was asked for, as a fraction of it; positive if it costs more."""
        return self.achieved / self.wanted - 1


def match(
    spec: ModelSpec,
    *,
    target: Target,
    value: int,
    grid: Grid,
    in_channels: int,
    out_channels: int,
    parameters: int | None = None,
) -> Match:
    """Find the width at which a model has as many parameters, or flops, as asked for.

    All other options stay as they are. Costs grow with the width, so the search encloses the value
    between two neighbouring widths and takes the nearer one.

    Args:
        spec: The model; its own width does not matter.
        target: What is counted.
        value: What it should be.
        grid: The grid that flops are counted on, and how fields continue beyond its edges.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        parameters: See `ModelSpec.build_measured`.

    Raises:
        ValueError: If the model has no width, cannot be built, or costs more than that at every
            width.

    Example:
        >>> from pdesurrogate.grids import PeriodicBox
        >>> from pdesurrogate.models import MultiResNet
        >>> box = PeriodicBox((32, 32))
        >>> found = match(
        ...     MultiResNet(levels=2),
        ...     target="parameters", value=100_000, grid=box, in_channels=4, out_channels=1,
        ... )
        >>> found.spec.width, found.achieved
        (21, 104371)
    """
    name, _ = described(spec)
    if target not in get_args(Target):
        raise ValueError(f"target must be one of {', '.join(get_args(Target))}, got {target!r}")
    # Whether a user's network takes a width, only its constructor knows.
    if not isinstance(spec, UserModel) and "width" not in {f.name for f in fields(spec)}:
        raise ValueError(f"{name} has no option 'width' that could be searched")

    @cache
    def cost(width: int) -> int:
        # Looking for a width must not change later weights.
        with answering_for(spec, name), torch.random.fork_rng(devices=[]):
            network = _widened(spec, width).build_measured(
                in_channels, out_channels, grid, parameters
            )
            return _cost(network, target, grid, in_channels)

    width, step = _narrowest(cost)
    if value < cost(width):
        raise ValueError(
            f"{name} has at least {cost(width):,} {target} with these options, at width {width}; "
            f"{value:,} cannot be reached"
        )
    below, above = _enclosing(cost, value, width, step)
    nearest = min(below, above, key=lambda width: abs(cost(width) - value))
    return Match(_widened(spec, nearest), cost(nearest), value)


def _widened(spec: ModelSpec, width: int) -> ModelSpec:
    if isinstance(spec, UserModel):
        return replace(spec, options={**spec.options, "width": width})
    changed: dict[str, Any] = {"width": width}
    return replace(spec, **changed)


def _cost(network: nn.Module, target: Target, grid: Grid, in_channels: int) -> int:
    if target == "parameters":
        return count_parameters(network)
    return count_flops(network, in_channels, grid)


def _narrowest(cost: Callable[[int], int]) -> tuple[int, int]:
    """The smallest width that can be built, and the step to the next one."""
    allowed: list[int] = []
    for width in range(1, _NARROWEST + 1):
        try:
            cost(width)
        except ValueError as error:
            refusal = error
            continue
        allowed.append(width)
        if len(allowed) == 2:
            return allowed[0], allowed[1] - allowed[0]
    raise refusal


def _enclosing(cost: Callable[[int], int], value: int, width: int, step: int) -> tuple[int, int]:
    """Neighbouring widths of which the first costs at most `value` and the second at least."""
    below, above = width, width + step
    while cost(above) < value:
        # Costs grow at most with the square of the width, so this does not overshoot by much.
        guess = above * (value / cost(above)) ** 0.5
        below, above = above, above + step * max(1, round((guess - above) / step))
    while above - below > step:
        middle = below + step * max(1, (above - below) // (2 * step))
        below, above = (middle, above) if cost(middle) <= value else (below, middle)
    return below, above
