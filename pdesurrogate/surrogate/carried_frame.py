"""What transport alone makes of a frame: shown to a network, which learns what it misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.solvers import Carrier, carrier_from_dict, carrier_to_dict
from pdesurrogate.surrogate.detail_transport import DetailTransport, TransportOptions

__all__ = ["CarriedFrame", "shares_of"]

_ROUNDING = 1e-3
"""Of the true change: less than that share of it is float32's rounding, not transport."""


@dataclass(frozen=True)
class CarriedFrame:
    r"""Where the flow of a frame takes it, $S u$, known before anything is learned.

    In two dimensions most of what happens in a step is that the flow carries vorticity, potential
    vorticity or smoke along. A semi-Lagrangian step does that for large steps as well as for small
    ones, with products of waves that do not alias because fields are looked up on a finer grid.
    What it misses, pressure, force, and how the velocity changes, is left to the network.

    Args:
        carrier: How the flow carries the fields.
        shares: $\beta$ of each field, the share of the carried change that the true one begins
            with: its regression on it. 0 for what is not carried.
        options: How finely. On a grid twice as fine products of waves do not alias, and a finer one
            brings nothing more.

    References:
        Staniforth & Côté (1991), *Mon. Weather Rev.* 119 (semi-Lagrangian schemes).
    """

    carrier: Carrier
    shares: tuple[float, ...]
    options: TransportOptions = field(default_factory=lambda: TransportOptions(lookup_ratio=2))

    def transport(
        self, training_grid: Grid, grid: Grid, fields: Sequence[Field], time_step: float
    ) -> DetailTransport:
        """What carries frames of a grid.

        Their flow is traced on the training grid where theirs is a refinement of it, else on their
        own; they are looked up on one that is finer than their own.
        """
        points = zip(grid.num_points, training_grid.num_points, strict=True)
        coarse = training_grid if all(n % m == 0 for n, m in points) else grid
        finer = self.options.lookup_ratio * (grid.resolution // coarse.resolution)
        options = replace(self.options, lookup_ratio=finer)
        return DetailTransport(coarse, grid, fields, time_step, self.carrier, options)

    def from_finer(
        self, training_grid: Grid, grid: Grid, fields: Sequence[Field], time_step: float
    ) -> DetailTransport:
        """The same, to tell the training grid what a finer one knows of the next frame.

        The flow is then traced on a grid twice as fine, which takes off a tenth of the error.
        """
        options = replace(self.options, map_ratio=2 * self.options.map_ratio)
        return DetailTransport(training_grid, grid, fields, time_step, self.carrier, options)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `CarriedFrame.from_dict` builds it again.

        Raises:
            ValueError: If the carrier is of a class that is not this package's.
        """
        return {
            "carrier": carrier_to_dict(self.carrier),
            "shares": list(self.shares),
            "options": asdict(self.options),
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> CarriedFrame:
        """Build what `to_dict` described.

        Raises:
            ValueError: If an entry is missing or is not what it should be.
        """
        try:
            options = TransportOptions(**description["options"])
            carrier = carrier_from_dict(description["carrier"])
            return cls(carrier, tuple(map(float, description["shares"])), options)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the carried frame is not described: {error}") from error


def shares_of(
    carried: Float[Tensor, "pair channel y x"],
    true: Float[Tensor, "pair channel y x"],
    grid: Grid,
) -> tuple[float, ...]:
    r"""$\beta$ of `CarriedFrame`: $\langle \delta, \delta_S \rangle / \lVert \delta_S \rVert^2$.

    Args:
        carried: Changes $\delta_S = S u - u$.
        true: Changes $\delta$ of the same frames.
        grid: Where they are sampled; products are integrals over its domain.
    """
    weights = torch.as_tensor(grid.quadrature_weights, dtype=true.dtype, device=true.device)

    def product_of(one: Tensor, other: Tensor) -> Tensor:
        return (weights * one * other).sum((0, 2, 3))

    product, square = product_of(carried, true), product_of(carried, carried)
    is_carried = square > _ROUNDING**2 * product_of(true, true)
    return tuple(float(share) for share in torch.where(is_carried, product / square, 0.0))
