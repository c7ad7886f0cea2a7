"""The U-Net as a composition of operators on nested spaces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.models.spaces import Projection

__all__ = ["Decoder", "Level", "Preconditioner", "UNet", "check_grid_size"]

_FAR = 1024
"""Points beyond which no better size is looked for: more than any wavelet's filter has."""


class Decoder(nn.Module, ABC):
    r"""What makes a fine field from a coarse one and the encoded input, in two summands.

    $$ D(w \mid v) = D_\mathrm{pre}(w \mid v) + D_\mathrm{res}(w \mid v) $$

    The preconditioner carries the coarser level's answer to the finer grid, the residual adds what
    only the finer level knows. A decoder without such a form has the preconditioner zero; one that
    has it overrides `precondition` and, with a path of its own, `residual`.
    """

    @abstractmethod
    def forward(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """The element of `W_i` that belongs to `coarse` in `W_{i-1}` and `skip` in `V_i`."""

    def precondition(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """The first summand; zero unless a subclass says otherwise."""
        return 0 * self(coarse, skip)

    def residual(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """The second summand; the difference unless a subclass knows how to compute it itself."""
        # Not `self(...)`: whoever looks on by a hook may ask for the residual.
        return self.forward(coarse, skip) - self.precondition(coarse, skip)

    @property
    def has_preconditioner(self) -> bool:
        """Whether it has the form of two summands, the first of them not simply zero."""
        return type(self).precondition is not Decoder.precondition


class Level(NamedTuple):
    r"""What level $i$ of a U-Net adds to the coarser ones.

    Args:
        encoder: $E_i : V_i \to V_i$; may also change the number of channels.
        projection: $P_{i-1} : V_i \to V_{i-1}$.
        decoder: $D_i : W_{i-1} \times V_i \to W_i$.
    """

    encoder: nn.Module
    projection: Projection
    decoder: Decoder


class UNet(nn.Module):
    r"""A U-Net made of its parts.

    With encoder operators $E_i : V_i \to V_i$, projections $P_{i-1} : V_i \to V_{i-1}$ onto the
    next coarser of the nested spaces, decoder operators $D_i : W_{i-1} \times V_i \to W_i$ and a
    bottleneck $U_0 : V_0 \to W_0$, level $i$ is

    $$ U_i(v) = D_i\bigl(U_{i-1}(P_{i-1} E_i v) \mid E_i v\bigr), \qquad i = 1, \dots, n, $$

    and the network is $\mathrm{head} \circ U_n \circ \mathrm{lift}$. Nothing here knows a
    resolution: every grid goes that the projections can coarsen `n` times, square or not.

    Args:
        levels: Levels $1, \dots, n$, coarse to fine.
        bottleneck: $U_0$.
        lift: Brings the input into $V_n$; the identity when $E_n$ does so itself.
        head: Reads the output off $W_n$.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*,
        Definition 1.
    """

    def __init__(
        self,
        *,
        levels: Sequence[Level],
        bottleneck: nn.Module,
        lift: nn.Module | None = None,
        head: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.lift = lift if lift is not None else nn.Identity()
        self.encoders = nn.ModuleList(level.encoder for level in levels)
        self.projections = nn.ModuleList(level.projection for level in levels)
        self.bottleneck = bottleneck
        self.decoders = nn.ModuleList(level.decoder for level in levels)
        self.head = head if head is not None else nn.Identity()

    @property
    def num_levels(self) -> int:
        """How many levels `n` lie above the bottleneck."""
        return len(self.decoders)

    @property
    def levels(self) -> list[Level]:
        """Levels 1 to `num_levels`, coarse to fine."""
        parts = zip(self.encoders, self.projections, self.decoders, strict=True)
        return [Level(*triple) for triple in parts]  # type: ignore[arg-type]

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """Lift, go down and up the levels, and read off the output.

        Raises:
            ValueError: If the projections cannot coarsen the grid as often as there are levels.
        """
        self.check_grid_size((v.shape[-2], v.shape[-1]))
        return self.head(self._apply_level(self.num_levels, self.lift(v)))

    def level(self, i: int) -> UNet:
        """The operator `U_i` as a network of its own, from `V_i` to `W_i`; shares the weights.

        It takes what the projection of the next finer level hands down, before $E_i$.

        Args:
            i: 0 for the bottleneck, `num_levels` for all but lift and head.

        Raises:
            ValueError: If there is no such level.
        """
        self._check_level(i, lowest=0)
        return UNet(levels=self.levels[:i], bottleneck=self.bottleneck)

    def preconditioner(self, i: int) -> Preconditioner:
        r"""What the coarser levels contribute to `U_i`, as a network from `V_i` to `W_i`.

        $$ U_i^\mathrm{pre}(v) = D_{i,\mathrm{pre}}\bigl(U_{i-1}(P_{i-1} E_i v) \mid E_i v\bigr) $$

        Shares the weights. `U_i` minus it is the residual of level `i`: a residual U-Net is a
        ResNet preconditioned by the next smaller U-Net.

        Args:
            i: 1 to `num_levels`.

        Raises:
            ValueError: If there is no such level.

        References:
            Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §2.
        """
        self._check_level(i, lowest=1)
        return Preconditioner(self.levels[i - 1], self.level(i - 1))

    def extended(self, *levels: Level) -> UNet:
        r"""This whole network as the bottleneck of a finer one; shares the weights.

        The new levels act on the fields themselves: their projections hand down what this network
        takes, their decoders receive what it gives. `pdesurrogate.models.fine_level` makes levels
        that start as the exact embedding, $U(v) = Q\,U_\mathrm{old}(P v)$.

        Args:
            levels: From coarse to fine.
        """
        return UNet(levels=levels, bottleneck=self)

    def check_grid_size(self, num_points: tuple[int, int]) -> None:
        """Refuse a grid that the projections cannot coarsen as often as there are levels.

        Args:
            num_points: Points along y and x.

        Raises:
            ValueError: Names the nearest grids that work.
        """
        check_grid_size([level.projection for level in self.levels], num_points)

    def _apply_level(self, i: int, v: Tensor) -> Tensor:
        if i == 0:
            return self.bottleneck(v)
        encoder, projection, decoder = self.levels[i - 1]
        skip = encoder(v)
        return decoder(self._apply_level(i - 1, projection(skip)), skip)

    def _check_level(self, i: int, lowest: int) -> None:
        if not lowest <= i <= self.num_levels:
            raise ValueError(f"this U-Net has levels {lowest} to {self.num_levels}, not {i}")


class Preconditioner(nn.Module):
    """The coarser levels' contribution to a level; made by `UNet.preconditioner`.

    Args:
        level: The level.
        coarser: The next coarser operator, $U_{i-1}$.
    """

    def __init__(self, level: Level, coarser: nn.Module) -> None:
        super().__init__()
        self.encoder, self.projection, self.decoder = level
        self.coarser = coarser

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """Encode, go down, and bring the coarser answer up."""
        skip = self.encoder(v)
        return self.decoder.precondition(self.coarser(self.projection(skip)), skip)


def check_grid_size(projections: Sequence[Projection], num_points: tuple[int, int]) -> None:
    """Refuse a grid that cannot be coarsened by all projections in turn.

    Args:
        projections: Coarse to fine; the last one acts first.
        num_points: Points along y and x.

    Raises:
        ValueError: Names the nearest grids that can be, if there are any of that shape.
    """
    if _can_be_coarsened(projections, num_points):
        return
    ny, nx = num_points
    below = _nearest(projections, range(ny, 0, -1), range(nx, 0, -1))
    above = _nearest(projections, range(ny, 2 * ny + _FAR), range(nx, 2 * nx + _FAR))
    nearest = " or ".join(f"{ny} x {nx}" for ny, nx in (below, above) if ny and nx)
    raise ValueError(
        f"a U-Net with {len(projections)} levels cannot coarsen a grid of {num_points[0]} x "
        f"{num_points[1]} points so often" + (f"; nearest that works: {nearest}" if nearest else "")
    )


def _nearest(
    projections: Sequence[Projection], rows: range, columns: range
) -> tuple[int | None, int | None]:
    """The first number of rows and the first of columns that can be coarsened, each for itself."""
    # Whether a side can be does not depend on the other, but only together can they be tried.
    working = next((n for n in range(1, _FAR) if _can_be_coarsened(projections, (n, n))), 1)
    return (
        next((n for n in rows if _can_be_coarsened(projections, (n, working))), None),
        next((n for n in columns if _can_be_coarsened(projections, (working, n))), None),
    )


def _can_be_coarsened(projections: Sequence[Projection], num_points: tuple[int, int]) -> bool:
    try:
        for projection in reversed(projections):
            num_points = projection.coarsened(num_points)
    except ValueError:
        return False
    return min(num_points) >= 1
